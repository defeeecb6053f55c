// The dashboard's stream: each second one overview of the node, made once, to everybody who looks on. Whoever begins
// gets the last minutes too; whoever does not read misses overviews and gets the last minutes again, so that memory is
// bounded; the door ends those who take nothing at all. While nobody looks on, nothing is asked. The store, with those
// who look on, outlives the actor: a restart is a second without news.
#pragma once

#include "actors/actors.hpp"

#include <atomic>

namespace mainstay {

/// One who looks on.
class dashboard_viewer {
public:
  static constexpr std::size_t most_unread = 256u << 10; // bytes, beyond which overviews are skipped
  explicit dashboard_viewer(std::shared_ptr<http::response>);

  bool gone() const noexcept { return state_->gone; }
  bool wants_history() const noexcept { return wants_history_; }
  /// `frame` with the last minutes where those are wanted.
  void show(const bytes_ptr& frame, instant now);
  void end();
  /// Says that the stream is alive where nothing else has said so for a while.
  void keep_alive(instant now);

private:
  struct shared_state { // with the door's thread
    std::atomic<std::size_t> unread{0};
    std::atomic<bool> gone{false};
  };
  std::shared_ptr<http::response> to_;
  std::shared_ptr<shared_state> state_ = std::make_shared<shared_state>();
  bool wants_history_ = true;
  instant last_word_{};
};

struct dashboard_store {
  static constexpr std::size_t most_viewers = 32;
  std::vector<dashboard_viewer> viewers;
  std::string token; // that they brought; empty: none was asked for
};

caf::strong_actor_ptr spawn_dashboard(caf::actor_system&, std::shared_ptr<dashboard_store>, metrics_actor);

} // namespace mainstay
