#include "core/forecast.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

constexpr std::int64_t longest_gap = 120; // seconds without a word: more was not seen
constexpr int minutes_of_an_hour = 30;    // fewer do not stand for it
constexpr double older_minute = 0.85;     // what a minute counts beside the one after it
constexpr double most_ratio = 2;          // beyond it is load of another kind, which does not follow the pattern
constexpr duration trend_life = 4h;       // after which 1/e of what the last minutes say is left
constexpr duration peak_step = 5min;

std::int64_t second_of(utc_time t) { return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count(); }
utc_time time_of(std::int64_t second) { return utc_time(std::chrono::seconds(second)); }

} // namespace

void forecast::count(std::uint64_t tokens, utc_time now) {
  pass(now);
  const auto amount = static_cast<double>(tokens);
  auto& s = seconds_[static_cast<std::size_t>(second_ % 60)];
  if (s.second != second_) s = {second_, 0};
  s.tokens += amount;
  minute_tokens_ += amount;
}

void forecast::pass(utc_time now) {
  const auto second = std::max<std::int64_t>(0, second_of(now));
  if (second_ < 0 || second < second_ || second - second_ > longest_gap) return begin(second);
  second_ = second;
  while (minute_ < second / 60) end_minute();
}

void forecast::begin(std::int64_t second) {
  seconds_.fill({});
  minutes_.clear();
  second_ = second;
  minute_ = second / 60;
  minute_tokens_ = hour_tokens_ = 0;
  hour_minutes_ = 0;
  whole_minute_ = second % 60 == 0;
}

void forecast::end_minute() {
  if (whole_minute_) {
    if (minutes_.size() == minutes_kept) minutes_.pop_front();
    minutes_.push_back(minute_tokens_);
    hour_tokens_ += minute_tokens_;
    ++hour_minutes_;
  }
  whole_minute_ = true;
  minute_tokens_ = 0;
  if (++minute_ % 60 != 0) return;
  if (hour_minutes_ >= minutes_of_an_hour) {
    pattern_.learn(load_pattern::hour_of(time_of((minute_ - 1) * 60)), hour_tokens_ / hour_minutes_);
    ++hours_learned_;
  }
  hour_tokens_ = 0;
  hour_minutes_ = 0;
}

double forecast::now(utc_time now) const noexcept {
  const auto second = second_of(now);
  double sum = 0;
  for (const auto& s : seconds_)
    if (s.second > second - 60 && s.second <= second) sum += s.tokens;
  return sum;
}

forecast::trend forecast::latest(utc_time now_) const noexcept {
  double seen = 0, usual = 0, weight = 1;
  const auto add = [&](double tokens, utc_time middle) {
    seen += weight * tokens;
    usual += weight * pattern_.at(middle).value_or(0);
    weight *= older_minute;
  };
  add(now(now_), now_ - std::chrono::seconds(30));
  // The last 60 seconds hold some of the latest whole minute, unless it has just ended with them.
  const std::size_t within = second_of(now_) % 60 != 59 ? 1 : 0;
  for (auto i = within; i < minutes_.size(); ++i)
    add(minutes_[minutes_.size() - 1 - i], time_of((minute_ - 1 - static_cast<std::int64_t>(i)) * 60 + 30));
  double weights = 0, w = 1;
  for (auto i = within; i < std::max(minutes_.size(), within); ++i) weights += w, w *= older_minute;
  weights += w;
  if (pattern_.known() == 0) return {1, seen / weights};
  trend t;
  t.ratio = usual > 0 ? std::min(most_ratio, seen / usual) : 1;
  t.rest = std::max(0.0, seen - t.ratio * usual) / weights;
  return t;
}

double forecast::expected(duration in, const trend& t, utc_time now) const noexcept {
  const auto usual = pattern_.at(now + std::chrono::duration_cast<utc_time::duration>(in)).value_or(0);
  const auto left = pattern_.known() == 0 ? 1 : std::exp(-std::chrono::duration<double>(in) / trend_life);
  return usual * (1 + left * (t.ratio - 1)) + left * t.rest;
}

double forecast::ahead(duration in, utc_time now) const noexcept { return expected(in, latest(now), now); }

double forecast::peak(duration within, utc_time now) const noexcept {
  const auto t = latest(now);
  double most = 0;
  for (duration in{}; in <= within; in += peak_step) most = std::max(most, expected(in, t, now));
  return most;
}

} // namespace mainstay
