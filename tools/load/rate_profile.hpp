// When requests are due in an open loop: phases of steady or linearly changing rate, and the moment at which the area
// under them reaches a number. Pure.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::load {

class rate_profile {
public:
  struct reading;
  /// Phases separated by commas, each `R/TIME` (steady), or `ramp:A..B/TIME` or `step:A..B/TIME` (from A to B within
  /// that time); rates are per second. The last may be `R` without end; a step that comes last stays at B without end.
  static reading parse(std::string_view text);

  /// When request `k` (from 0) is due, from the beginning of the profile. Only for k < total().
  duration due(std::uint64_t k) const noexcept;
  /// How many requests it holds; none if it has no end.
  std::optional<std::uint64_t> total() const noexcept;

private:
  struct phase {
    double from, to;       // per second
    double seconds;        // infinite: without end
    double begins, before; // seconds and requests until then
    double requests() const noexcept;
  };

  std::optional<std::string> add(std::string_view text, bool last); // what is wrong with it
  void append(double from, double to, double seconds);

  std::vector<phase> phases_;
};

struct rate_profile::reading {
  std::optional<rate_profile> profile;
  std::string fault; // a sentence, if there is none
};

} // namespace mainstay::load
