#include "core/load_watch.hpp"

namespace mainstay {

namespace {
constexpr duration judged_ahead = 15min; // what comes later may still be met by what comes before it
} // namespace

bool load_watch::judge(instant at, utc_time now) {
  load_.pass(now);
  const auto before = stage_.level();
  stage_.judge(load_.now(now), load_.peak(judged_ahead, now), settings_.thresholds.against(settings_.total_tpm), at);
  return stage_.level() != before;
}

load_watch::orders load_watch::told() const noexcept {
  if (!settings_.acts) return {};
  return {stage_.pressure(), life_in_halves(stage_.level())};
}

load_watch::view load_watch::look(utc_time now) const {
  view v;
  v.now = load_.now(now);
  v.in_5m = load_.ahead(5min, now);
  v.in_15m = load_.ahead(15min, now);
  v.in_60m = load_.ahead(1h, now);
  v.level = stage_.level();
  v.pressure = told().pressure;
  v.acts = settings_.acts;
  v.begins = settings_.thresholds.against(settings_.total_tpm);
  v.total_tpm = settings_.total_tpm;
  v.keys = settings_.keys;
  v.suggested_keys = suggested_keys(v.level, load_.peak(1h, now), v.begins, settings_.total_tpm, settings_.keys);
  v.hours_known = load_.pattern().known();
  const auto this_hour = std::chrono::floor<std::chrono::hours>(now);
  for (int i = 1; i <= 24; ++i) {
    const auto hour = this_hour + std::chrono::hours(i);
    const auto in = std::chrono::duration_cast<duration>(hour + std::chrono::minutes(30) - now);
    v.day_ahead.emplace_back(hour, load_.ahead(in, now));
  }
  return v;
}

} // namespace mainstay
