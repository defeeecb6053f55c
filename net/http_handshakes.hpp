// TLS handshakes of an HTTP door that wait for their turn. One costs a processor what many requests do (RSA of 2048
// bits: a millisecond), and anybody may begin one. Promises: in each round of the loop they take `slice` and at most
// one handshake longer, in the order in which they came, so that connections that are open are served between.
#pragma once

#include "net/event_loop.hpp"

#include <deque>

namespace mainstay::http {

class handshake_queue final : public event_loop::follower {
public:
  static constexpr std::chrono::milliseconds slice{2};

  explicit handshake_queue(event_loop& loop) : loop_(loop) {}
  /// On the loop's thread, as all of it. `step`: as much of a handshake as can be done now.
  void join(event_loop::task step) { waiting_.push_back(std::move(step)); }

  bool work() override {
    if (waiting_.empty() || round_ == loop_.rounds()) return false;
    round_ = loop_.rounds();
    for (const auto until = clock::now() + slice; !waiting_.empty() && clock::now() < until;) {
      const auto step = std::move(waiting_.front());
      waiting_.pop_front();
      step();
    }
    return true;
  }
  bool pending() const override { return !waiting_.empty(); }
  instant due() const override { return instant::max(); }

private:
  event_loop& loop_;
  std::deque<event_loop::task> waiting_;
  std::uint64_t round_ = 0;
};

} // namespace mainstay::http
