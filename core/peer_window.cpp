#include "core/peer_window.hpp"

namespace mainstay {

namespace {

constexpr std::size_t parts = 4; // of a window, after each of which the peer is asked to acknowledge

} // namespace

peer_window::verdict peer_window::judge(std::size_t bytes) const noexcept {
  if (bytes > most_.largest) return verdict::too_large;
  if (messages_ == 0) return verdict::fits;
  return messages_ < most_.messages && bytes_ + bytes <= most_.bytes ? verdict::fits : verdict::full;
}

bool peer_window::sent(std::size_t bytes) {
  bytes_ += bytes, ++messages_;
  fresh_bytes_ += bytes, ++fresh_messages_;
  return fresh_bytes_ * parts >= most_.bytes || fresh_messages_ * parts >= most_.messages;
}

void peer_window::beat(std::uint64_t number) {
  if (fresh_messages_ == 0) return;
  marks_.push_back({number, fresh_bytes_, fresh_messages_});
  fresh_bytes_ = fresh_messages_ = 0;
}

void peer_window::answered(std::uint64_t number) {
  for (; !marks_.empty() && marks_.front().number <= number; marks_.pop_front()) {
    bytes_ -= marks_.front().bytes;
    messages_ -= marks_.front().messages;
  }
}

void peer_window::lost() {
  bytes_ = messages_ = fresh_bytes_ = fresh_messages_ = 0;
  marks_.clear();
}

} // namespace mainstay
