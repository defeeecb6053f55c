#include "tools/load/tally.hpp"

#include <algorithm>

namespace mainstay::load {
namespace {

constexpr std::size_t kept_complaints = 8;

void count(counts& c, fault f) {
  ++c.requests;
  c.ok += f == fault::none;
  ++c.faults[static_cast<std::size_t>(f)];
}

} // namespace

void tally::begin(instant now) {
  *this = {};
  began_ = ended_ = now;
}

std::size_t tally::second_of(instant at) const noexcept {
  return static_cast<std::size_t>(std::max(at - began_, duration::zero()) / 1s);
}

second_row& tally::row(instant at) {
  auto n = second_of(at);
  if (n >= timeline_.size()) timeline_.resize(n + 1);
  return timeline_[n];
}

void tally::started(const flight& f) {
  ++started_;
  ++row(f.intended).started;
  lateness_.add(f.sent - f.intended);
}

// Events that came in one piece came at one time: no gap lies between them.
void tally::tokens_came(flight& f, std::size_t events, instant now) {
  if (f.first_token == instant{}) {
    f.first_token = now;
    first_token_.add(now - f.intended);
    --events;
  } else {
    gap_.add(now - f.last_token);
    --events;
  }
  while (events-- > 0) gap_.add(duration::zero());
  f.last_token = now;
}

void tally::close_second() {
  if (second_ < timeline_.size()) {
    timeline_[second_].p50 = this_second_.quantile(0.50);
    timeline_[second_].p99 = this_second_.quantile(0.99);
  }
  this_second_.clear();
}

void tally::close_seconds(instant now) {
  if (second_of(now) == second_) return;
  close_second();
  second_ = second_of(now);
}

void tally::finished(flight& f, fault what, instant now) {
  close_seconds(now);
  auto& r = row(now);
  auto door = static_cast<std::size_t>(f.door);
  count(all_, what);
  count(doors_[door], what);
  if (f.got.status()) ++statuses_[f.got.status()];
  if (!f.got.source().empty()) {
    auto at = sources_.find(f.got.source());
    if (at == sources_.end()) at = sources_.emplace(f.got.source(), 0).first;
    ++at->second;
  }
  if (what == fault::none) {
    ++r.ok;
    latency_.add(now - f.intended);
    door_latency_[door].add(now - f.intended);
    this_second_.add(now - f.intended);
  } else {
    ++r.errors;
    auto known = [&](const complaint& c) { return c.what == what && c.status == f.got.status(); };
    if (complaints_.size() < kept_complaints && std::none_of(complaints_.begin(), complaints_.end(), known))
      complaints_.push_back({what, f.got.status(), std::string(f.got.complaint())});
  }
  ended_ = std::max(ended_, now);
}

void tally::end(instant now) {
  close_second();
  if (all_.requests == 0) ended_ = now;
}

} // namespace mainstay::load
