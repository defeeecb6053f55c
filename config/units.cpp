// Durations and sizes as people write them: a decimal number directly followed by its unit, nothing around it.
// Both parsers refuse what would overflow instead of wrapping.
#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace mainstay::config {
namespace {

template <class Factor>
struct unit {
  std::string_view name;
  Factor factor;
};

constexpr std::array<unit<duration>, 5> duration_units = {{{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}}};

constexpr std::array<unit<std::uint64_t>, 7> size_units = {{{"B", 1},
                                                            {"KiB", 1u << 10},
                                                            {"MiB", 1u << 20},
                                                            {"GiB", 1u << 30},
                                                            {"kB", 1'000},
                                                            {"MB", 1'000'000},
                                                            {"GB", 1'000'000'000}}};

template <class Units>
auto find_unit(const Units& units, std::string_view name) noexcept {
  auto it = units.begin();
  while (it != units.end() && it->name != name) ++it;
  return it;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

} // namespace

std::optional<duration> parse_duration(std::string_view text) noexcept {
  const auto digits = text.find_first_not_of("0123456789.");
  if (digits == text.npos || digits == 0) return std::nullopt;
  if (!is_digit(text.front()) || !is_digit(text[digits - 1])) return std::nullopt;
  const auto* unit = find_unit(duration_units, text.substr(digits));
  if (unit == duration_units.end()) return std::nullopt;
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
  if (failed != std::errc{} || end != text.data() + digits) return std::nullopt;
  const double ticks = number * static_cast<double>(unit->factor.count());
  if (!(ticks < static_cast<double>(duration::max().count()) / 2)) return std::nullopt;
  return duration(static_cast<duration::rep>(ticks + 0.5));
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == text.npos || digits == 0) return std::nullopt;
  const auto* unit = find_unit(size_units, text.substr(digits));
  if (unit == size_units.end()) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, number);
  if (failed != std::errc{} || end != text.data() + digits) return std::nullopt;
  if (number > std::numeric_limits<std::uint64_t>::max() / unit->factor) return std::nullopt;
  return number * unit->factor;
}

std::string format_duration(duration value) {
  for (auto it = duration_units.rbegin(); it != duration_units.rend(); ++it)
    if (value.count() != 0 && value.count() % it->factor.count() == 0)
      return std::to_string(value / it->factor) + std::string(it->name);
  return value.count() == 0 ? "0s" : std::to_string(value / 1ms) + "ms";
}

std::string format_size(std::uint64_t bytes) {
  for (const auto& [name, factor] : {size_units[3], size_units[2], size_units[1]})
    if (bytes != 0 && bytes % factor == 0) return std::to_string(bytes / factor) + std::string(name);
  return std::to_string(bytes) + "B";
}

} // namespace mainstay::config
