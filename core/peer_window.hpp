// What may be under way to one peer: so many messages and bytes as it has not yet acknowledged. Beats acknowledge: who
// answers one has everything that was said before it, for a link keeps the order. Promises: never more than the bounds
// under way, but for a single message larger than they are; whatever is lost with a link is forgotten with it, so that
// nothing leaks. Leaves sending, beats and their numbers to its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace mainstay {

class peer_window {
public:
  struct bounds {
    std::size_t bytes = 16u << 20, messages = 10'000;
    std::size_t largest = (8u << 20) + (64u << 10); // one message: a body and its head
  };
  enum class verdict : std::uint8_t { fits, full, too_large };

  peer_window() = default;
  explicit peer_window(bounds most) : most_(most) {}

  verdict judge(std::size_t bytes) const noexcept;
  /// Of what judge() let pass. True: a beat is due now, so that the answer comes before the window is full.
  bool sent(std::size_t bytes);
  /// That beat follows all that was sent so far.
  void beat(std::uint64_t number);
  void answered(std::uint64_t number);
  /// Whatever was under way is not any more.
  void lost();

  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t messages() const noexcept { return messages_; }

private:
  struct mark {
    std::uint64_t number;
    std::size_t bytes, messages; // between the beat before and this one
  };
  bounds most_;
  std::size_t bytes_ = 0, messages_ = 0;             // under way
  std::size_t fresh_bytes_ = 0, fresh_messages_ = 0; // of these, after the last beat
  std::deque<mark> marks_; // unanswered, the oldest first; those with nothing before them left out
};

} // namespace mainstay
