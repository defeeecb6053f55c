// Pick of two by weight, the nearer wins; what outcomes do to a way.
#include "core/endpoint_choice.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mainstay {
namespace {

constexpr double newest = 0.2;            // least weight of the latest first byte in the mean: more after a pause
constexpr double as_near = 1.25;          // means this close are taken as equal, ...
constexpr double as_near_s = 0.010;       // ... and so are a few milliseconds: then weights alone decide
constexpr duration forgotten_after = 30s; // a mean this old says little: the way is tried once more, ...
constexpr std::uint32_t seldom = 30;      // ... but by no more than one call in so many
constexpr int errors_that_strike = 2;     // in a row: a single 5xx is as often the request's as the endpoint's

/// Between them, as many failures open the provider's circuits as would open a single one.
circuit_settings shared_out(circuit_settings s, std::size_t ways) {
  s.failure_threshold = std::max(1, (s.failure_threshold + static_cast<int>(ways) - 1) / static_cast<int>(ways));
  return s;
}

} // namespace

std::string_view to_string(way_state state) noexcept {
  switch (state) {
  case way_state::healthy: return "healthy";
  case way_state::resting: return "resting";
  case way_state::open: return "open";
  }
  return "open";
}

endpoint_choice::endpoint_choice(circuit_settings settings) : settings_(settings) {
  ways_.push_back(std::make_shared<way>(way{{}, circuit(settings)}));
}

void endpoint_choice::reconfigure(circuit_settings settings, std::vector<way_settings> ways, std::uint32_t per_host) {
  if (ways.empty())
    for (const auto& w : ways_) ways.push_back(w->with);
  settings_ = settings;
  per_host_ = std::max(per_host, 1u);
  std::vector<way_ptr> now;
  for (const auto& with : ways) {
    auto known = std::find_if(ways_.begin(), ways_.end(), [&](auto& w) { return w->with.name == with.name; });
    now.push_back(known == ways_.end() ? std::make_shared<way>(way{with, circuit(settings)}) : *known);
    now.back()->with = with;
    now.back()->reached.reconfigure(shared_out(settings, ways.size()));
    if (ways.size() == 1) now.back()->strikes = 0; // there is nobody to be better
  }
  ways_ = std::move(now);
}

bool endpoint_choice::well(const way& w, instant now) {
  return w.strikes == 0 && w.reached.state(now) == circuit_state::closed;
}

bool endpoint_choice::has_room(const way& w) const {
  std::uint32_t at_host = 0;
  for (const auto& other : ways_)
    if (other->with.host == w.with.host) at_host += other->under_way;
  return at_host < per_host_;
}

std::string endpoint_choice::name_of(const permit& p) const { return alone() || !p.by ? "" : p.by->with.name; }

bool endpoint_choice::take(const way_ptr& w, const wish& what, instant now, permit& out) {
  const auto answer = w->reached.ask(now);
  if (!answer.granted) {
    out.retry_at = std::min(out.retry_at, answer.retry_at);
    return false;
  }
  ++w->under_way;
  ++w->calls;
  out.by = w;
  out.retry_at = now;
  out.generation = answer.generation;
  out.epoch = w->epoch;
  out.streamed = what.streamed;
  return true;
}

endpoint_choice::permit endpoint_choice::ask(const wish& what, instant now, double draw) {
  if (!alone()) return from_several(what, now, draw);
  permit out;
  out.retry_at = instant::max();
  const auto& only = ways_.front();
  if (!what.region.empty() && only->with.region != what.region) return out;
  if (!what.not_by.empty()) {
    out.retry_at = now;
    return out;
  }
  take(only, what, now, out);
  return out;
}

/// A way whose rest is over is looked at by one call, which has others to go to if it fails. Then the healthy ones; and
/// if there is none, whoever rests no longer than the others, as far as its circuit lets it.
endpoint_choice::permit endpoint_choice::from_several(const wish& what, instant now, double draw) {
  permit out;
  out.retry_at = instant::max();
  std::vector<way_ptr> healthy, others;
  for (const auto& w : ways_) {
    const bool fits = what.region.empty() || w->with.region == what.region;
    const bool barred = std::find(what.not_by.begin(), what.not_by.end(), w->with.name) != what.not_by.end();
    if (fits && !barred) (well(*w, now) ? healthy : others).push_back(w);
  }
  std::stable_sort(others.begin(), others.end(), [](auto& a, auto& b) { return a->rests_until < b->rests_until; });
  const bool has_failed = !what.not_by.empty();
  const auto healthy_count = healthy.size();
  if (!has_failed)
    for (const auto& w : others)
      if (w->rests_until <= now && w->trials == 0 && take(w, what, now, out)) {
        ++w->trials;
        out.trial = true;
        out.other_way = healthy_count > 0;
        return out;
      }
  while (auto picked = pick(healthy, what, now, draw))
    if (take(picked, what, now, out)) {
      out.other_way = healthy_count > 1;
      return out;
    }
  if (has_failed) {
    out.retry_at = now;
    return out;
  }
  for (const auto& w : others)
    if (take(w, what, now, out)) break;
  return out;
}

std::size_t endpoint_choice::draw_by_weight(const std::vector<way_ptr>& among, double& draw) {
  double sum = 0;
  for (const auto& w : among) sum += w->with.weight;
  double left = std::clamp(draw, 0.0, 1.0) * sum;
  for (std::size_t i = 0; i < among.size(); ++i) {
    const double weight = among[i]->with.weight;
    if (left < weight || i + 1 == among.size()) {
      draw = std::clamp(left / weight, 0.0, 1.0); // where in its part: as good as new
      return i;
    }
    left -= weight;
  }
  return 0;
}

/// Takes its choice out of `among`; null: nobody is left. Whoever is full comes last: its calls would wait.
endpoint_choice::way_ptr endpoint_choice::pick(std::vector<way_ptr>& among, const wish& what, instant now,
                                               double& draw) const {
  if (among.empty()) return nullptr;
  std::vector<way_ptr> free;
  for (const auto& w : among)
    if (has_room(*w)) free.push_back(w);
  if (free.empty()) free = among;
  const auto first = free[draw_by_weight(free, draw)];
  auto chosen = first;
  if (free.size() > 1) {
    free.erase(std::find(free.begin(), free.end(), first));
    const auto second = free[draw_by_weight(free, draw)];
    chosen = nearer(first, second, what.streamed, now);
  }
  among.erase(std::find(among.begin(), among.end(), chosen));
  return chosen;
}

/// Who is not known is tried, by one call at a time; so is, now and then, who was passed over for long.
endpoint_choice::way_ptr endpoint_choice::nearer(const way_ptr& drawn, const way_ptr& other, bool streamed,
                                                 instant now) {
  auto& a = drawn->near[streamed];
  auto& b = other->near[streamed];
  const auto worth_a_try = [&](const way& w, nearness& n) {
    const bool forgotten = n.known && now - n.at >= forgotten_after && n.passed_over >= seldom;
    if (forgotten) n.passed_over = 0;
    return (forgotten || !n.known) && w.under_way == 0;
  };
  if (worth_a_try(*drawn, a)) return drawn;
  if (worth_a_try(*other, b)) return other;
  if (!a.known || !b.known) return b.known ? other : drawn; // somebody is finding out
  const bool a_wins = a.mean_s * as_near + as_near_s < b.mean_s;
  const bool b_wins = b.mean_s * as_near + as_near_s < a.mean_s;
  a.passed_over += b_wins;
  b.passed_over += a_wins;
  return b_wins ? other : drawn;
}

void endpoint_choice::strike(way& w, instant now, double draw) const {
  if (alone()) return;
  w.rests_until = now + circuit::open_time(settings_, static_cast<std::uint32_t>(w.strikes), draw);
  ++w.strikes;
  ++w.epoch;
  w.errors = 0;
}

void endpoint_choice::settle(const permit& p, const outcome& how, instant now, double draw) {
  using enum outcome::kind;
  auto& w = *p.by;
  const bool fresh = p.epoch == w.epoch; // else it began before the last strike
  --w.under_way;
  if (p.trial) --w.trials;
  const bool reached = how.what == answered || how.what == failing || how.what == silent;
  w.failures += how.what == unreachable;
  w.reached.settle(p.generation,
                   reached                   ? verdict::success
                   : how.what == unreachable ? verdict::failure
                                             : verdict::neutral,
                   now, draw);
  if (how.first_byte) w.near[p.streamed].learn(*how.first_byte, now);
  if (!fresh || how.what == neutral) return;
  if (how.what == answered || how.what == refused) {
    w.strikes = w.errors = 0;
  } else if (how.what != failing || w.strikes > 0 || ++w.errors >= errors_that_strike) {
    strike(w, now, draw);
  }
}

void endpoint_choice::nearness::learn(duration first_byte, instant now) {
  const double s = std::chrono::duration<double>(first_byte).count();
  const auto since = known ? std::chrono::duration<double>(now - at) : std::chrono::duration<double>::max();
  const double weight = std::max(newest, 1 - std::exp(-(since / std::chrono::duration<double>(forgotten_after))));
  mean_s += weight * (s - mean_s);
  known = true;
  at = now;
  passed_over = 0;
}

template <class What>
bool endpoint_choice::each(std::string_view name, What what) {
  bool any = false;
  for (auto& w : ways_)
    if (name.empty() || w->with.name == name) {
      what(*w);
      any = true;
    }
  return any;
}

void endpoint_choice::let_try(std::string_view name, instant now) {
  each(name, [&](way& w) { w.reached.let_try(now); });
}

void endpoint_choice::still_down(std::string_view name, instant now, double draw) {
  each(name, [&](way& w) { w.reached.still_down(now, draw); });
}

bool endpoint_choice::advise(std::string_view name, const std::string& from, instant until, instant now) {
  return each(name, [&](way& w) {
    w.reached.advise(until, now);
    w.told_by = from;
  });
}

bool endpoint_choice::advice_over(std::string_view name, instant now) {
  return each(name, [&](way& w) { w.reached.advice_over(now); });
}

instant endpoint_choice::advice_ends(instant now) const {
  auto first = instant::max();
  for (const auto& w : ways_) first = std::min(first, w->reached.advice_ends(now));
  return first;
}

std::string endpoint_choice::told_by(const way& w, instant now) {
  return w.reached.advised(now) ? w.told_by : std::string();
}

void endpoint_choice::force(circuit_state held, instant now) {
  each({}, [&](way& w) { w.reached.force(held, now); });
}

void endpoint_choice::automatic(instant now) {
  each({}, [&](way& w) {
    w.reached.automatic(now);
    w.strikes = w.errors = 0;
  });
}

endpoint_choice::summary endpoint_choice::sum(instant now) const {
  const auto& best = *std::min_element(ways_.begin(), ways_.end(), [now](auto& a, auto& b) {
    const auto worth = [now](const circuit& c) { return std::pair(c.state(now), c.open_until()); };
    return worth(a->reached) < worth(b->reached);
  });
  const auto& c = best->reached;
  summary out{c.state(now), c.forced(), c.consecutive_failures(), 0, c.open_until(), told_by(*best, now)};
  for (const auto& w : ways_) out.times_opened += w->reached.times_opened();
  return out;
}

way_state endpoint_choice::state_of(const way& w, instant now) {
  if (w.reached.state(now) == circuit_state::open) return way_state::open;
  return well(w, now) ? way_state::healthy : way_state::resting;
}

endpoint_choice::view endpoint_choice::look(const way& w, instant now) {
  const auto mean = [](const nearness& n) {
    using seconds = std::chrono::duration<double>;
    return n.known ? std::optional(std::chrono::duration_cast<duration>(seconds(n.mean_s))) : std::nullopt;
  };
  const auto state = state_of(w, now);
  return {w.with.name,     w.with.region,
          w.with.weight,   state,
          mean(w.near[0]), mean(w.near[1]),
          w.under_way,     w.calls,
          w.failures,      state == way_state::open ? w.reached.open_until() : w.rests_until,
          told_by(w, now)};
}

std::vector<endpoint_choice::view> endpoint_choice::views(instant now) const {
  std::vector<view> all;
  for (const auto& w : ways_) all.push_back(look(*w, now));
  return all;
}

std::vector<endpoint_choice::view> endpoint_choice::take_changes(instant now) {
  std::vector<view> changes;
  if (alone()) return changes;
  for (auto& w : ways_)
    if (const auto state = state_of(*w, now); std::exchange(w->told, state) != state) changes.push_back(look(*w, now));
  return changes;
}

} // namespace mainstay
