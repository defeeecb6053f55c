// The other nodes, as one actor knows them: introduces this node, keeps the beats, and says whom it may reach
// (core/membership decides). Carries what actors here and there say to each other, as peer_message over CAF's
// middleman, to whoever listens to its kind; old and new nodes understand each other by kinds, and drop those that they
// do not know. Promises: what is sent to one peer arrives in order and once, or is lost with the link; what a peer has
// not acknowledged is bounded (core/peer_window), and more is refused at once, as is a message of more than 8 MiB:
// beats wait behind it, and their peer would be called silent; nothing but beats goes to who is not up. Links are made
// elsewhere (peer_links).
#pragma once

#include "actors/actors.hpp"
#include "core/membership.hpp"
#include "core/peer_window.hpp"

#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

namespace mainstay {

/// Makes and breaks links. Any function may be called from any thread, and none blocks.
class peer_links {
public:
  virtual ~peer_links() = default;
  /// Tells `whom` of a link_made or a link_failed, in its time.
  virtual void dial(const std::string& address, const cluster_actor& whom) = 0;
  /// Breaks what was dialled.
  virtual void drop(const std::string& address) = 0;
  /// Whom peers speak to instead of `own`: always the same.
  peer_actor entrance(const cluster_actor& own);

private:
  std::mutex mutex_;
  peer_actor entrance_;
};

/// Of the words nodes use: nodes of different ones refuse each other. New kinds and new members of a head need none.
inline constexpr std::uint16_t peer_protocol = 1;

struct cluster_store {
  cluster_store(const config::settings&, std::string version, std::shared_ptr<peer_links>);

  struct link {
    peer_actor handle;        // null: none
    bool known = false;       // it has introduced itself
    std::uint64_t number = 0; // of the link, as who dialled it last calls it
    std::uint64_t beats = 0;
    instant beat_at{}; // of the last one
    peer_window window;
    cluster_view::flow traffic;
    bool told = false; // the log says that it is refused
  };
  membership who;
  std::shared_ptr<peer_links> links;
  using peer_map = std::map<std::string, link>;
  peer_map peers;                                                      // by address
  std::unordered_map<caf::actor_addr, peer_map::value_type*> speakers; // who is known under which address, and only one
  std::map<std::string, peer_listener> listeners;                      // by the beginning of the kinds they are told of
  std::uint64_t links_made = 0;
  std::uint64_t strangers = 0;          // messages from nobody who had introduced itself, or of unknown kinds
  instant tell_again{}, answer_again{}; // of them in the log, and to them
};

/// `own`: this actor's stable name, by which peers know it.
caf::strong_actor_ptr spawn_cluster(caf::actor_system&, std::shared_ptr<cluster_store>, cluster_actor own);

} // namespace mainstay
