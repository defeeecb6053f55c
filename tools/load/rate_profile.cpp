#include "tools/load/rate_profile.hpp"

#include "config/units.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace mainstay::load {
namespace {

constexpr auto for_ever = std::numeric_limits<double>::infinity();
constexpr double fastest = 1e7; // per second; beyond what the clock can tell apart

std::optional<double> rate_of(std::string_view text) {
  double rate = 0;
  auto [last, code] = std::from_chars(text.data(), text.data() + text.size(), rate, std::chars_format::fixed);
  if (code != std::errc() || last != text.data() + text.size() || !(rate >= 0 && rate <= fastest)) return {};
  return rate;
}

std::optional<double> seconds_of(std::string_view text) {
  auto d = config::parse_duration(text);
  if (!d || *d <= 0s) return {};
  return std::chrono::duration<double>(*d).count();
}

} // namespace

double rate_profile::phase::requests() const noexcept {
  if (seconds == for_ever) return to > 0 ? for_ever : 0;
  return (from + to) / 2 * seconds;
}

void rate_profile::append(double from, double to, double seconds) {
  double begins = 0, before = 0;
  if (!phases_.empty()) {
    auto& last = phases_.back();
    begins = last.begins + last.seconds;
    before = last.before + last.requests();
  }
  phases_.push_back({from, to, seconds, begins, before});
}

std::optional<std::string> rate_profile::add(std::string_view text, bool last) {
  auto said = std::string(text);
  auto step = text.starts_with("step:"), climbs = step || text.starts_with("ramp:");
  if (climbs) text.remove_prefix(5);
  auto slash = text.find('/');
  std::optional<double> seconds;
  if (slash != text.npos) {
    seconds = seconds_of(text.substr(slash + 1));
    if (!seconds) return said + ": the time must be a duration such as 500ms or 10s";
  }
  auto rates = text.substr(0, slash);
  auto dots = climbs ? rates.find("..") : rates.npos;
  auto from = rate_of(rates.substr(0, dots)), to = from;
  if (climbs) to = dots == rates.npos ? std::nullopt : rate_of(rates.substr(dots + 2));
  if (!from || !to) return said + (climbs ? ": must be A..B/TIME, with rates per second" : ": must be R or R/TIME");
  if (climbs && !seconds) return said + ": the time is missing, as in 200..2000/10s";
  if (!seconds && !last) return said + ": only the last phase may be without a time";
  append(*from, *to, seconds.value_or(for_ever));
  if (step && last) append(*to, *to, for_ever);
  return {};
}

rate_profile::reading rate_profile::parse(std::string_view text) {
  reading out;
  rate_profile profile;
  for (;;) {
    auto comma = text.find(',');
    if (auto wrong = profile.add(text.substr(0, comma), comma == text.npos)) return {{}, *wrong};
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  auto& last = profile.phases_.back();
  if (last.before + last.requests() <= 0) return {{}, "no request is ever due"};
  return {std::move(profile), {}};
}

std::optional<std::uint64_t> rate_profile::total() const noexcept {
  auto& last = phases_.back();
  auto all = last.before + last.requests();
  if (all == for_ever) return {};
  return static_cast<std::uint64_t>(std::ceil(all - 1e-6)); // a request is due at every whole number below the area
}

// Within a phase n = a t + s t^2 / 2; solved for t in the form that does not subtract.
duration rate_profile::due(std::uint64_t k) const noexcept {
  auto wanted = static_cast<double>(k);
  auto at = std::find_if(phases_.begin(), phases_.end(), [&](auto& p) { return wanted < p.before + p.requests(); });
  if (at == phases_.end()) at = std::prev(at); // rounding
  auto n = std::max(wanted - at->before, 0.0);
  auto slope = at->seconds == for_ever ? 0 : (at->to - at->from) / at->seconds;
  auto root = std::sqrt(std::max(at->from * at->from + 2 * slope * n, 0.0));
  auto t = n > 0 ? 2 * n / (at->from + root) : 0;
  t = std::min(t, at->seconds);
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(at->begins + t));
}

} // namespace mainstay::load
