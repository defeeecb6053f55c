// Names of things that are lent out. A request is numbered once per daemon; everything it borrows (reservations,
// permits, calls) carries the request's number and a serial that is never used twice, also by a run that took over.
#pragma once

#include <cstdint>
#include <functional>

namespace mainstay {

using request_id = std::uint64_t;

struct lease_id {
  request_id request = 0;
  std::uint32_t serial = 0;
  friend bool operator==(const lease_id&, const lease_id&) = default;
};

/// Which of a request's serials are meant: what a run borrowed before another took over, say.
struct serial_range {
  std::uint32_t from = 0, below = UINT32_MAX;
  bool holds(std::uint32_t serial) const noexcept { return serial >= from && serial < below; }
};

} // namespace mainstay

template <>
struct std::hash<mainstay::lease_id> {
  std::size_t operator()(const mainstay::lease_id& id) const noexcept {
    return std::hash<std::uint64_t>{}(id.request * 0x9E3779B97F4A7C15ull + id.serial);
  }
};
