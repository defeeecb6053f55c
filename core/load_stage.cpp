#include "core/load_stage.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

constexpr std::uint64_t most_keys = 1'000'000; // beyond that nobody is helped by a number

std::uint8_t stage_of(double now, double ahead, const load_thresholds::tokens& t) {
  if (t.high && (now >= *t.high || ahead >= *t.high * load_stage::far_above)) return 3;
  if (t.high && ahead >= *t.high) return 2;
  return t.medium && std::max(now, ahead) >= *t.medium ? 1 : 0;
}

} // namespace

std::string_view to_string(load_level l) noexcept {
  switch (l) {
  case load_level::low: return "low";
  case load_level::medium: return "medium";
  case load_level::high: return "high";
  }
  return "unknown";
}

std::string_view to_string(load_pressure p) noexcept {
  switch (p) {
  case load_pressure::none: return "nobody";
  case load_pressure::high: return "low";
  case load_pressure::beyond: return "low and normal";
  }
  return "unknown";
}

load_thresholds::tokens load_thresholds::against(std::optional<std::uint64_t> total) const noexcept {
  const auto in_tokens = [&](const std::optional<std::uint64_t>& tokens, double share) -> std::optional<double> {
    if (tokens) return static_cast<double>(*tokens);
    if (total) return share * static_cast<double>(*total);
    return {};
  };
  return {in_tokens(medium_tokens, medium), in_tokens(high_tokens, high)};
}

bool load_stage::judge(double now, double ahead, const load_thresholds::tokens& t, instant at) {
  const auto stage = stage_of(now, ahead, t), lower = stage_of(now / below, ahead / below, t);
  if (stage > stage_) {
    stage_ = stage;
    lower_since_.reset();
    return true;
  }
  if (lower >= stage_) {
    lower_since_.reset();
    return false;
  }
  if (!lower_since_) lower_since_ = at;
  if (at - *lower_since_ < stay) return false;
  stage_ = lower;
  lower_since_.reset();
  return true;
}

load_level load_stage::level() const noexcept { return static_cast<load_level>(std::min<std::uint8_t>(stage_, 2)); }

load_pressure load_stage::pressure() const noexcept {
  return stage_ < 2 ? load_pressure::none : stage_ == 2 ? load_pressure::high : load_pressure::beyond;
}

int life_in_halves(load_level l) noexcept { return 1 << static_cast<int>(l); }

std::uint64_t suggested_keys(load_level l, double peak, const load_thresholds::tokens& t,
                             std::optional<std::uint64_t> total, std::size_t keys) noexcept {
  if (!total || !t.medium || *t.medium <= 0 || keys == 0) return 1 + 2 * static_cast<std::uint64_t>(l);
  const auto of_one_key = *t.medium / static_cast<double>(keys);
  const auto needed = std::floor(std::max(0.0, peak) / of_one_key) + 1;
  return static_cast<std::uint64_t>(std::min(needed, static_cast<double>(most_keys)));
}

double load_reserve::share(priority level, duration waited) const noexcept {
  if (pressure == load_pressure::none || waited >= longest_hold) return 0;
  if (level == priority::low) return from_low;
  return level == priority::normal && pressure == load_pressure::beyond ? from_normal : 0;
}

} // namespace mainstay
