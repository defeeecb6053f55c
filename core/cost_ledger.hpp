// Where the money went: calls to providers, their tokens and what they cost, by hour (UTC), client, configured model
// and provider. What was answered without a call (from the cache, in a batch) stands there with what it would have
// cost. Tells who has spent the day's budget, and which rows have changed since they were last written down.
// Promises: bounded, the oldest hours go first; a row that was written down and read again counts as before.
#pragma once

#include "core/clock.hpp"
#include "core/token_usage.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

class cost_ledger {
public:
  static constexpr std::chrono::hours kept_for{35 * 24}; // a month and the days to look at it
  static constexpr std::size_t most_rows = 200'000;

  /// Whose a row is. No provider: what is of requests rather than of calls.
  struct place {
    std::chrono::sys_time<std::chrono::hours> hour{};
    std::string client, model, provider;
    friend auto operator<=>(const place&, const place&) = default;
  };
  struct amounts {
    double usd = 0, saved_usd = 0;
    std::uint64_t calls = 0;    // to the provider
    std::uint64_t unpriced = 0; // of them, with a model whose price is not known
    std::uint64_t saved = 0;    // answers without a call of their own
    token_usage tokens;
    double batch_usd = 0;       // that merged calls saved
    std::uint64_t batched = 0;  // calls that merging saved
    std::uint64_t answered = 0; // requests
    std::uint64_t rescued = 0;  // of them: whom the first choice would have failed
    std::uint64_t lost = 0;     // requests that got an error for which they are not to blame

    amounts& operator+=(const amounts&) noexcept;
  };
  struct row {
    place where;
    amounts what;
  };

  void add(const place&, const amounts&);
  /// US dollars since midnight (UTC).
  double spent_today(const std::string& client, utc_time now) const;
  /// When the budgets of `now` are new again.
  static utc_time end_of_day(utc_time now) noexcept;

  enum class by : std::uint8_t { model, client, provider, hour };
  /// Of the hours since `from`, dearest first; hours in their order. Its name is that of the group.
  std::vector<std::pair<std::string, amounts>> sums(by, utc_time from) const;
  amounts total(utc_time from) const;

  /// Rows that changed since the last time.
  std::vector<row> changes();
  /// Those were not written down after all.
  void changed_still(const std::vector<row>&);
  /// What an earlier process wrote down. Not to be written again.
  void restore(const std::vector<row>&);
  std::size_t size() const noexcept { return rows_.size(); }

private:
  using day = std::chrono::sys_days;
  struct kept {
    amounts what;
    bool changed = false;
  };
  using rows = std::map<place, kept>; // the oldest hour in front
  rows::iterator put(const place&, const amounts&);
  void note(rows::iterator);
  void drop_oldest();

  rows rows_;
  std::vector<rows::iterator> changed_;
  std::map<std::pair<day, std::string>, double> spent_; // by day and client
};

} // namespace mainstay
