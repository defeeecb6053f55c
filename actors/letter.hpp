// A message that must not get lost: releases, settlements, outcomes, accepted requests. CAF drops what waits in the
// mailbox of an actor that dies; a letter that is destroyed unopened posts itself again to the receiver's stable name,
// a little later each time. Promises: delivered at least once while the receiver is restarted (the receivers are
// idempotent by id); after `max_deliveries` it is given up and `on_lost` of the content, if it has one, is called;
// never posted again once the system shuts down.
#pragma once

#include "actors/stable_front.hpp"

#include <caf/all.hpp>

#include <memory>
#include <utility>

namespace mainstay {

template <class T>
class letter {
public:
  static constexpr int max_deliveries = 6;

  letter() = default;
  const T& content() const noexcept { return envelope_->content; }
  T& content() noexcept { return envelope_->content; }
  /// To be said when the receiver has done what the letter asks.
  void opened() const noexcept { envelope_->opened = true; }

  static void post(const caf::strong_actor_ptr& front, T content) {
    auto e = std::make_shared<envelope>();
    e->content = std::move(content);
    e->front = front;
    e->deliveries = 1;
    deliver(std::move(e), {});
  }

private:
  struct envelope {
    T content;
    caf::strong_actor_ptr front;
    int deliveries = 0;
    bool opened = false;

    ~envelope() {
      if (opened || !front) return;
      if (stable_front::closed(front) || deliveries >= max_deliveries) {
        if constexpr (requires(T & t) { t.on_lost(); }) content.on_lost();
        return;
      }
      auto again = std::make_shared<envelope>();
      again->content = std::move(content);
      again->front = std::move(front);
      again->deliveries = deliveries + 1;
      auto pause = std::chrono::milliseconds(1 << again->deliveries);
      deliver(std::move(again), pause);
    }
  };

  static void deliver(std::shared_ptr<envelope> e, duration pause) {
    auto front = e->front;
    letter l;
    l.envelope_ = std::move(e);
    auto to = caf::actor_cast<caf::actor>(front);
    if (pause == duration{})
      caf::anon_send(to, std::move(l));
    else
      stable_front::later(front, clock::now() + pause, [to, l] { caf::anon_send(to, l); });
  }

  std::shared_ptr<envelope> envelope_;
};

} // namespace mainstay
