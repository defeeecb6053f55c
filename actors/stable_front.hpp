// The stable name of a supervised actor: a handle that stays valid while the actor behind it dies and is restarted.
// Forwards in the sender's own thread, without a mailbox of its own; while nobody is behind it, a bounded number of
// messages waits. The supervisor alone decides who is behind it. The lock guards the handle, not any policy's state.
#pragma once

#include "core/clock.hpp"

#include <caf/all.hpp>

#include <deque>
#include <functional>
#include <mutex>

namespace mainstay {

class turn;

class stable_front : public caf::monitorable_actor {
public:
  static constexpr std::size_t waiting_limit = 100000;

  stable_front(caf::actor_config& cfg, turn& home) : caf::monitorable_actor(cfg), home_(home) {}

  /// `home`: where whoever stands behind the name runs when it is spoken to. Must outlive every use of the name.
  static caf::strong_actor_ptr make(caf::actor_system&, turn& home);

  /// Puts `child` behind the name and hands it what waited. Null: nobody for now.
  static void point_to(const caf::strong_actor_ptr& front, caf::strong_actor_ptr child);
  /// From now on messages are dropped and letters not posted again: the system shuts down.
  static void close(const caf::strong_actor_ptr& front);
  static bool closed(const caf::strong_actor_ptr& front);

  /// How many messages it was given so far.
  static std::uint64_t passed(const caf::strong_actor_ptr& front);

  /// Does it at that time, at home. Never blocks, as CAF's clock may: it waits for room in a short queue, which its own
  /// thread would wait for in vain.
  static void later(const caf::strong_actor_ptr& front, instant when, std::function<void()>);

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override;

private:
  turn& home_;
  std::mutex guard_;
  caf::strong_actor_ptr child_;
  bool closed_ = false;
  std::uint64_t passed_ = 0;
  std::deque<caf::mailbox_element_ptr> waiting_;
};

} // namespace mainstay
