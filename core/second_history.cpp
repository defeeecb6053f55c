#include "core/second_history.hpp"

#include <algorithm>

namespace mainstay {

namespace {

std::int64_t second_of(utc_time t) { return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(); }

} // namespace

/// Of a clock that was set the seconds before say nothing; a little back, and the second under way goes on.
void second_history::go_to(std::int64_t second) {
  if (now_.at == 0) now_.at = second;
  constexpr std::int64_t little = 5, all = kept;
  if (second > now_.at + all || second < now_.at - little) { // nothing of what is kept would be left
    over_.clear();
    took_.clear();
    now_ = {};
    now_.at = second > all ? second - all : second;
  }
  while (now_.at < second) {
    now_.p50 = took_.at(0.5);
    now_.p99 = took_.at(0.99);
    if (took_.count() > 0) took_.clear();
    if (over_.size() == kept) over_.pop_front();
    over_.push_back(now_);
    const auto next = now_.at + 1;
    now_ = {};
    now_.at = next;
  }
}

void second_history::count(const run_report& r, utc_time now) {
  go_to(second_of(now));
  for (const auto& a : r.attempts) {
    ++now_.calls;
    now_.failed_calls += a.failed && *a.failed != failure_class::cancelled;
    now_.usd += a.usd.value_or(0);
  }
  now_.tokens += r.charged_tokens;
  if (r.flight) return;
  ++now_.requests;
  if (const auto from = source_named(r.source); r.ok() && from)
    ++now_.from[static_cast<std::size_t>(*from)];
  else
    now_.failed += r.lost();
  took_.add(std::chrono::duration<double>(r.took).count());
}

std::vector<second_history::cell> second_history::since(std::int64_t at, utc_time now) {
  go_to(second_of(now));
  std::vector<cell> out;
  for (const auto& c : over_)
    if (c.at >= at) out.push_back(c);
  return out;
}

} // namespace mainstay
