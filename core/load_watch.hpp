// What is told of the load, and to whom: the forecast and its level, and what cache and governor are to do about it
// where the configuration says so. Fed with tokens as they were used; to be asked for its judgement once a second.
#pragma once

#include "core/forecast.hpp"
#include "core/load_stage.hpp"

#include <vector>

namespace mainstay {

class load_watch {
public:
  struct settings {
    load_thresholds thresholds;
    std::optional<std::uint64_t> total_tpm; // none: not all keys' limits are known
    std::size_t keys = 0;
    bool acts = false; // else it is only shown
  };
  struct orders {
    load_pressure pressure = load_pressure::none;
    int life_in_halves = 2; // of the cache's ttl
    friend bool operator==(const orders&, const orders&) = default;
  };
  struct view {
    double now = 0, in_5m = 0, in_15m = 0, in_60m = 0; // tokens per minute
    load_level level = load_level::low;
    load_pressure pressure = load_pressure::none; // what is acted upon
    bool acts = false;
    load_thresholds::tokens begins; // of medium and high
    std::optional<std::uint64_t> total_tpm;
    std::uint64_t keys = 0, suggested_keys = 0, hours_known = 0;
    std::vector<std::pair<utc_time, double>> day_ahead; // the beginning of an hour, and its middle's tokens per minute
  };

  void reconfigure(const settings& s) { settings_ = s; }
  void count(std::uint64_t tokens, utc_time now) { load_.count(tokens, now); }
  /// True: the level changed.
  bool judge(instant, utc_time now);

  load_level level() const noexcept { return stage_.level(); }
  orders told() const noexcept;
  view look(utc_time now) const;

  const forecast& load() const noexcept { return load_; }
  void restore(const load_pattern::cells& earlier) { load_.restore(earlier); }

private:
  settings settings_;
  forecast load_;
  load_stage stage_;
};

} // namespace mainstay
