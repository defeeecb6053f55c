// Drills: what is broken on purpose, for how long, and what callers noticed. One at a time: it runs until its time is
// over or somebody ends it, then what it broke is watched until it is well again, and the report stays until the next
// begins. What breaks, and how, is left to those at whose place it happens; they are told an end time, so that nothing
// stays broken whatever becomes of the drill's owner. The report is made of differences of what is counted anyway
// (see()): its times are as fine as the looks are frequent. No clock of its own.
#pragma once

#include "core/clock.hpp"
#include "core/quantile_sketch.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

enum class drill_kind : std::uint8_t {
  provider_down, // open calls are reset, new ones cannot connect
  rate_limit,    // every call gets a 429
  slow,          // every call waits before it leaves
  redis_frozen,  // commands are not answered
  crash          // an actor dies, once
};
inline constexpr std::array drill_kinds{drill_kind::provider_down, drill_kind::rate_limit, drill_kind::slow,
                                        drill_kind::redis_frozen, drill_kind::crash};
std::string_view to_string(drill_kind) noexcept;
std::optional<drill_kind> drill_named(std::string_view) noexcept;

struct drill_order {
  static constexpr duration usual = 15s, shortest = 1s, longest = 5min; // of its length
  static constexpr duration most = 1min;                                // of `by`

  std::string id; // of whoever gives it: the same order again is the same drill
  drill_kind what{};
  std::string whom; // a provider or an actor; empty where there is only one
  duration by{};    // of `slow`: so much; of `rate_limit`: the pause that is asked for; zero: what is usual
  duration length = usual;

  /// "slow a", as the operator writes it.
  std::string name() const;
  static constexpr bool takes_by(drill_kind k) { return k == drill_kind::slow || k == drill_kind::rate_limit; }
  duration by_or_usual() const;
};

/// What happens to a provider's calls, or to Redis, until then; a time that has passed: nothing any more.
struct drill_effect {
  drill_order order;
  instant until{};
  bool breaks(drill_kind what, instant now) const noexcept { return order.what == what && now < until; }
};

class drill_book {
public:
  /// It is watched for so long afterwards, and at most so long if it does not become well.
  static constexpr duration afterwards = 3s, patience = 30s;

  enum class phase : std::uint8_t { none, under_way, watched, over };
  enum class ending : std::uint8_t { none, time, stopped, reload, drain };

  /// Counts since the process began, and the last minutes' latency as it was before.
  struct counts {
    std::uint64_t requests = 0, answered = 0;
    std::map<std::string, std::uint64_t> sources, errors; // of the answered, of the others
    quantile_sketch took;                                 // seconds
    std::uint64_t lately = 0;                             // requests
    double p50_lately = 0, p99_lately = 0;                // of those, seconds
  };
  /// Of what is broken. `shut_out`: nobody asks it now, its circuit is open or its keys rest.
  struct condition {
    bool shut_out = false, well = true;
  };

  /// Why not; empty: it has begun, or had.
  std::string begin(const drill_order&, instant now);
  /// It could not be done after all.
  void withdraw(const std::string& id);
  /// Ends what it does; the second time also the watching. False: there is nothing to end.
  bool end(ending, instant now);
  /// Ends it, and none begins any more.
  void close(instant now);
  void tick(instant now);
  void see(counts, condition, instant now);

  phase at() const noexcept { return phase_; }
  /// To be looked at and ticked.
  bool watching() const noexcept { return phase_ == phase::under_way || phase_ == phase::watched; }
  const drill_order& order() const noexcept { return order_; }
  /// A time that has passed when it is not under way.
  drill_effect effect() const;

  struct span {
    std::uint64_t requests = 0, failed = 0;
    double p50 = 0, p99 = 0; // seconds
  };
  struct source {
    std::string name;
    std::uint64_t answers = 0;
    std::optional<duration> first; // since the beginning
  };
  struct view {
    phase at = phase::none;
    ending how = ending::none;
    drill_order order;
    duration lasted{};                                   // so far
    std::uint64_t requests = 0, answered = 0;            // from its beginning until the watching is over
    std::vector<source> sources;                         // of the answered
    std::map<std::string, std::uint64_t> errors;         // of the others
    std::optional<span> before, during, after;           // before: without failures; the last minutes
    std::optional<duration> elsewhere, shut_out, healed; // since the beginning: the first answer that was not the
                                                         // usual, ...
    bool well = true;
  };
  view look(instant now) const;

private:
  void end_now(ending, instant now);
  std::optional<span> between(const std::optional<counts>& from, const std::optional<counts>& to) const;

  phase phase_ = phase::none;
  ending how_ = ending::none;
  bool closed_ = false;
  drill_order order_;
  instant began_{}, ends_{};
  std::optional<counts> base_, at_end_, latest_;
  std::map<std::string, duration> first_; // answers, by source
  std::optional<duration> shut_out_, healed_;
  bool well_ = true, was_unwell_ = false;
};

std::string_view to_string(drill_book::phase) noexcept;
std::string_view to_string(drill_book::ending) noexcept;

} // namespace mainstay
