// A header: operation, two bytes of nothing, flags, the payload's size (4), data of the operation (8), whose (8), for
// whom (8); numbers with the highest byte first.
#include "net/basp_gate.hpp"

#include <algorithm>

namespace mainstay {

namespace {

enum operation : unsigned char { direct_message = 2, routed_message = 3, monitor_message = 4 };
constexpr std::size_t flags_at = 3, size_at = 4, receiver_at = 24;
constexpr unsigned char by_name = 1; // a flag: the receiver is a name

std::uint64_t number_at(const basp_gate::header& h, std::size_t at, std::size_t size) noexcept {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < size; ++i) n = n << 8 | h[at + i];
  return n;
}

} // namespace

std::size_t basp_gate::payload_of(const header& h) noexcept { return number_at(h, size_at, 4); }

bool basp_gate::admit(header& h) const noexcept {
  if (h[0] == routed_message || payload_of(h) > largest_) return false;
  if (h[0] != direct_message && h[0] != monitor_message) return true;
  if ((h[flags_at] & by_name) == 0 && number_at(h, receiver_at, 8) == receiver_) return true;
  h[flags_at] &= static_cast<unsigned char>(~by_name);
  std::fill(h.begin() + receiver_at, h.end(), 0xff); // 0 would be malformed
  return true;
}

} // namespace mainstay
