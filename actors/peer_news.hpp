// What the nodes of a cluster tell each other of circuits and keys: takes what the breakers and the key manager found
// here, tells it to peers (core/news_board says when), all of it to a peer that comes; and hands what peers say, once
// it makes sense, to whom it concerns, who take it as advice (core/circuit, core/key_health). Promises: what was heard
// is never told on; no secret leaves the node, only its mark, an HMAC under the cluster's name; what a peer may make us
// do in a second is bounded; nobody is told, or believed, about what the settings do not have (any more).
#pragma once

#include "actors/actors.hpp"
#include "core/news_board.hpp"

#include <map>
#include <set>
#include <string>

namespace mainstay {

struct peer_news_store {
  static constexpr duration renew_keys = 20s; // a key's rest counts for a minute at peers: see key_book
  static constexpr int most_a_second = 100;   // messages of one peer

  news_board<circuit_word> circuits;
  news_board<key_word> keys{renew_keys};
  struct counted {
    instant second{};
    int messages = 0;
    instant asked{}; // for all that stands
    std::uint64_t incarnation = 0;
  };
  std::map<std::string, counted> up; // peers that are, by address
  peer_news_view view;
};

/// `own`: this actor's stable name, by which the cluster knows it.
caf::strong_actor_ptr spawn_peer_news(caf::actor_system&, std::shared_ptr<peer_news_store>, config::settings_ptr,
                                      directory_ptr, peer_news_actor own);

} // namespace mainstay
