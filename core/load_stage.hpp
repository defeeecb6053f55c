// How high the load is against what the keys may use: low, medium, high, and under high how much of every key's window
// is kept for the urgent. It rises at once and falls only after the load has stayed a tenth below the threshold for a
// minute, so that it does not flap. What follows from it, cache life and number of keys, stands here too.
#pragma once

#include "core/clock.hpp"
#include "core/priority.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mainstay {

enum class load_level : std::uint8_t { low, medium, high };
std::string_view to_string(load_level) noexcept;

/// What the level does to who may use the keys. `beyond`: high, and more than that.
enum class load_pressure : std::uint8_t { none, high, beyond };
std::string_view to_string(load_pressure) noexcept;

/// Where the levels begin: as shares of the total TPM, or in tokens per minute.
struct load_thresholds {
  double medium = 0.5, high = 1.0;                         // shares
  std::optional<std::uint64_t> medium_tokens, high_tokens; // count instead
  struct tokens {
    std::optional<double> medium, high; // none: nobody can say, and the level is never reached
  };
  tokens against(std::optional<std::uint64_t> total_tpm) const noexcept;
};

class load_stage {
public:
  static constexpr duration stay = 60s;
  static constexpr double below = 0.9;      // of a threshold: how far the load must sink
  static constexpr double far_above = 1.25; // of the high one: a forecast beyond it is more than high

  /// `now`: tokens used in the last minute; `ahead`: the most that is expected within the next minutes. True: changed.
  bool judge(double now, double ahead, const load_thresholds::tokens&, instant at);

  load_level level() const noexcept;
  load_pressure pressure() const noexcept;

private:
  std::uint8_t stage_ = 0; // low, medium, high, beyond
  std::optional<instant> lower_since_;
};

/// What a cache's ttl is multiplied by, in halves: 1, 2, 4 for low, medium, high.
int life_in_halves(load_level) noexcept;

/// How many keys the load asks for. With known limits as many of the present mean size as keep `peak` below the medium
/// threshold, at least one; else 1, 3, 5 by the level. `total_tpm` is that of `keys` keys.
std::uint64_t suggested_keys(load_level, double peak, const load_thresholds::tokens&,
                             std::optional<std::uint64_t> total_tpm, std::size_t keys) noexcept;

/// What a request of that level must leave free of a key's window. Whoever has waited for longest_hold is held back no
/// more: then turns and ageing decide, as ever.
struct load_reserve {
  static constexpr duration longest_hold = 30s;
  static constexpr double from_low = 0.2, from_normal = 0.1;
  load_pressure pressure = load_pressure::none;
  double share(priority, duration waited) const noexcept;
};

} // namespace mainstay
