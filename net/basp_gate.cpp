// A header: operation, two bytes of nothing, flags, the payload's size (4), data of the operation (8), whose (8), for
// whom (8); numbers with the highest byte first.
#include "net/basp_gate.hpp"

#include <algorithm>

namespace mainstay {

namespace {

enum operation : unsigned char { direct_message = 2, routed_message = 3, monitor_message = 4, down_message = 5 };
constexpr std::size_t flags_at = 3, size_at = 4, data_at = 8, receiver_at = 24;
constexpr unsigned char by_name = 1;                // a flag: the receiver is a name
constexpr std::size_t largest_of_nodes = 64u << 10; // what CAF says to CAF

std::uint64_t number_at(const basp_gate::header& h, std::size_t at, std::size_t size) noexcept {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < size; ++i) n = n << 8 | h[at + i];
  return n;
}

} // namespace

std::size_t basp_gate::payload_of(const header& h) noexcept { return number_at(h, size_at, 4); }

bool basp_gate::admit(header& h) const noexcept {
  if (h[0] == routed_message) return false;
  if (payload_of(h) > (h[0] == direct_message ? largest_ : std::min(largest_, largest_of_nodes))) return false;
  if (h[0] == down_message && whom_ == of::nodes) {
    h[0] = direct_message;
    std::fill(h.begin() + data_at, h.begin() + receiver_at, 0); // no question, from nobody
  } else if (h[0] != direct_message && h[0] != monitor_message) {
    return true;
  } else if ((h[flags_at] & by_name) == 0 && number_at(h, receiver_at, 8) == receiver_) {
    return true;
  }
  h[flags_at] &= static_cast<unsigned char>(~by_name);
  std::fill(h.begin() + receiver_at, h.end(), 0xff); // 0 would be malformed
  return true;
}

bool basp_gate::is_for_us(const header& h) const noexcept {
  return h[0] == direct_message && (h[flags_at] & by_name) == 0 && number_at(h, receiver_at, 8) == receiver_;
}

} // namespace mainstay
