// A complete answer as the cache's slower tiers hold it: with its time of birth by the calendar, which means the same
// to every process, and what it cost. Here too: its form as one text, for tiers that keep one value per key.
#pragma once

#include "core/clock.hpp"
#include "net/bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay {

struct cached_answer {
  bytes_ptr completion; // null: none
  utc_time born{};
  std::uint32_t cost = 0; // milliseconds of a provider's time; 0: unknown

  explicit operator bool() const noexcept { return completion != nullptr; }
};

/// "BORN COST\n" and the completion; BORN in milliseconds since 1970.
std::string to_text(const cached_answer&);
/// None if it is anything else: others may write there too.
cached_answer read_cached_answer(std::string_view);

} // namespace mainstay
