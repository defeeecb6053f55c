// The actors' share of an event loop: actors that are spoken to from the loop's thread take their turn there, at the
// end of the round, and so do those they speak to. A request then crosses no thread between its socket and its
// provider's (docs/decisions/0005). To CAF this is an execution unit like a worker of its scheduler; actors still have
// one mailbox each and no locks, and may run on CAF's workers at other times.
#pragma once

#include "core/clock.hpp"
#include "net/event_loop.hpp"

#include <caf/all.hpp>

#include <deque>
#include <map>
#include <memory>

namespace mainstay {

class turn final : public caf::execution_unit, event_loop::follower {
public:
  turn(caf::actor_system&, std::shared_ptr<event_loop>);
  ~turn() override; // after the actors have ended, before their system ends
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;

  /// From any thread: the actor runs on the loop's thread. Takes the reference over, as CAF's workers do.
  void exec_later(caf::resumable*) override;

  /// From any thread, and never blocks: runs the task on the loop's thread at that time, to the millisecond. Dropped if
  /// the turn ends before.
  void later(instant when, event_loop::task);

  /// The turn of the loop whose thread this is; null elsewhere.
  static turn* here() noexcept;
  event_loop& loop() noexcept { return *loop_; }

private:
  bool work() override;
  bool pending() const override { return !jobs_.empty(); }
  instant due() const override { return later_.empty() ? instant::max() : later_.begin()->first; }
  bool run_due();

  std::shared_ptr<event_loop> loop_;
  std::deque<caf::resumable*> jobs_; // each with one reference of ours
  std::multimap<instant, event_loop::task> later_;
  bool ending_ = false;
};

/// An anonymous message. The receiver takes its turn in `where`; null: on one of CAF's workers.
template <class Handle, class Message>
void tell(const Handle& to, Message&& what, turn* where = turn::here()) {
  using content = std::decay_t<Message>;
  static_assert(caf::response_type_unbox<caf::signatures_of_t<Handle>, caf::detail::type_list<content>>::valid,
                "receiver does not accept given message");
  if (to)
    caf::actor_cast<caf::abstract_actor*>(to)->eq_impl(caf::make_message_id(), nullptr, where,
                                                       std::forward<Message>(what));
}

/// Sends the actor a message at a later time, to the millisecond; an actor that is gone by then is not kept for it.
/// There is no taking it back: use generation numbers. On a loop's thread the loop's timers do it, elsewhere CAF's
/// clock.
template <class Self, class Message>
void send_at(Self* self, instant when, Message what) {
  auto* here = turn::here();
  if (!here) return self->delayed_send(self, std::max(when - clock::now(), duration::zero()), std::move(what));
  here->loop().at(when, [weak = caf::actor_cast<caf::actor_addr>(self), what = std::move(what)] {
    if (auto actor = caf::actor_cast<caf::actor>(weak)) tell(actor, what);
  });
}

} // namespace mainstay
