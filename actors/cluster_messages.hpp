// Messages of those who speak with their like on other nodes: with the cluster, and with whoever here has something to
// say or to ask there. What travels is a peer_message (actors/remote_messages.hpp), made of send_to, heard as
// peer_said.
#pragma once

#include "actors/answer_messages.hpp"
#include "actors/local_message.hpp"
#include "core/clock.hpp"
#include "core/lease.hpp"
#include "core/membership.hpp"
#include "core/peer_room.hpp"
#include "core/peer_word.hpp"
#include "net/bytes.hpp"

#include <caf/all.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

// -- cluster

struct peer_said {
  std::string from; // the peer's address, as the configuration names it
  std::string kind, head, body;
};
/// Of what send_to asked for: it was not sent.
struct peer_refused {
  enum class reason : std::uint8_t { unreachable, full, too_large };
  std::string to, kind, head;
  reason why = reason::unreachable;
};
/// Told at once of every peer that is up, and then of every change. Another incarnation is a change, too.
struct peer_changed {
  std::string peer;
  bool up = false;
  std::uint64_t incarnation = 0; // of who is there, or was
};
/// Those who speak with their like on other nodes.
using peer_listener =
    caf::typed_actor<caf::reacts_to<peer_said>, caf::reacts_to<peer_changed>, caf::reacts_to<peer_refused>>;
/// Sent if the peer is up and has acknowledged enough of what was sent before; else refused at once, never kept.
struct send_to {
  std::string peer; // its address
  std::string kind, head, body;
  peer_listener refused; // who is told if not; null: whoever listens to that kind here
};
/// To messages whose kind begins so; of several the longest counts, and of several who listen to the same the last.
struct peer_listen {
  std::string prefix;
  peer_listener who;
};

/// What was dialled answers.
struct link_made {
  std::string address;
  caf::strong_actor_ptr peer;
};
struct link_failed {
  std::string address, why;
  bool refused = false; // by its certificate or ours: not soon to be tried again
};
struct cluster_view {
  struct flow {
    std::uint64_t messages_in = 0, messages_out = 0, bytes_in = 0, bytes_out = 0;
    std::uint64_t refused = 0; // not sent
  };
  node_identity own;
  std::vector<membership::view> peers;
  std::map<std::string, flow> traffic; // by address
  std::uint64_t strangers = 0;         // messages from nobody known, or of no known kind
};

// -- peer_news

/// How what peer_news was told by peers was used: taken as advice, or not understood.
struct peer_news_view {
  std::uint64_t circuits = 0, keys = 0, other_secrets = 0, dropped = 0; // other_secrets: of keys that only share a name
  std::uint64_t told = 0;                                               // messages to peers
};

// -- cache_clears

/// Answers cache_clear where there are peers.
struct nodes_cleared {
  cache_cleared here;
  struct peer {
    std::string address;
    enum class state : std::uint8_t { done, later, silent } what = state::later; // later: when it is back
    std::vector<std::string> not_here;                                           // tiers, if done
  };
  std::vector<peer> peers;
};

// -- peer_flights

/// Does another node fly for this question? Whoever is told to fly here is known to, until it has landed.
struct flight_question {
  request_id flight = 0;
  std::string question; // what is the same for all who may share its answer
  instant until{};
};
struct flight_place {
  std::string peer; // its address; empty: fly here
};
/// `cached`: its answer is in this node's cache.
struct flight_landing {
  request_id flight = 0;
  bool cached = false;
};

// -- guests: runs that a peer works on, and peers' runs here

/// Of a run: has a peer room for it? What comes of it comes as of a provider's call under that serial.
struct away_ask {
  request_id owner = 0;
  std::uint32_t serial = 0;
  move_reason why{};
  std::vector<std::string> providers; // one of which it needs
  caf::actor_addr run;
  std::string peer{}; // the only one that will do; empty: whoever has room
};
/// Its place there, until it ends or leaves.
struct away_seat {
  std::uint64_t number = 0; // 0: nobody has room
  std::string node;         // whose it is, by name
};
struct away_begin {
  std::uint64_t number = 0;
  std::string head; // guest_words
  bytes_ptr body;
};
struct away_credit {
  std::uint64_t number = 0;
  std::size_t bytes = 0;
};
struct away_leave {
  std::uint64_t number = 0;
};
/// That guest's way back has something to say.
struct guest_speaks {
  request_id guest = 0;
};
struct node_drains {};
struct guests_view {
  struct peer {
    node_room room;
    bool known = false; // it said so lately
    std::size_t away = 0, guests = 0;
  };
  node_room own;
  std::map<std::string, peer> peers;                                  // by address
  std::map<std::pair<std::string, std::string>, std::uint64_t> moved; // by direction and reason
  std::uint64_t lost = 0, not_understood = 0; // away and lost with their peer; messages that were none
};

} // namespace mainstay

// clang-format off
MAINSTAY_LOCAL(peer_said) MAINSTAY_LOCAL(peer_refused) MAINSTAY_LOCAL(peer_changed) MAINSTAY_LOCAL(send_to)
MAINSTAY_LOCAL(peer_listen) MAINSTAY_LOCAL(link_made) MAINSTAY_LOCAL(link_failed) MAINSTAY_LOCAL(cluster_view)
MAINSTAY_LOCAL(peer_news_view) MAINSTAY_LOCAL(nodes_cleared) MAINSTAY_LOCAL(flight_question)
MAINSTAY_LOCAL(flight_place) MAINSTAY_LOCAL(flight_landing) MAINSTAY_LOCAL(away_ask) MAINSTAY_LOCAL(away_seat)
MAINSTAY_LOCAL(away_begin) MAINSTAY_LOCAL(away_credit) MAINSTAY_LOCAL(away_leave) MAINSTAY_LOCAL(guest_speaks)
MAINSTAY_LOCAL(node_drains) MAINSTAY_LOCAL(guests_view) MAINSTAY_LOCAL(circuit_word) MAINSTAY_LOCAL(key_word)
    // clang-format on
