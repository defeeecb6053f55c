#include "core/request_plan.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t history_limit = 64;

/// high waits four times as long on the same model, low half as long
duration scaled(duration d, priority level) {
  switch (level) {
  case priority::high: return d * 4;
  case priority::low: return d / 2;
  default: return d;
  }
}

bool status_allows_retry(const retry_policy& policy, const failure& f) {
  if (f.said.status < 300) return true; // no status of its own: a network failure, or an error inside a stream
  return std::find(policy.statuses.begin(), policy.statuses.end(), f.said.status) != policy.statuses.end();
}

failure as_failure(const refusal& r) {
  failure f;
  switch (r.why) {
  case refusal_reason::no_key:
    f.what = failure_class::auth;
    f.said.message = "no usable key is left";
    break;
  case refusal_reason::resting:
    f.what = failure_class::overloaded;
    f.said.message = "every provider of this model is resting after failures";
    break;
  case refusal_reason::over_limit:
    f.what = failure_class::rate_limited;
    f.said.message = "the rate limits of this model's keys are used up";
    break;
  case refusal_reason::queue_full:
    f.what = failure_class::rate_limited;
    f.said.message = "too many requests are waiting";
    break;
  case refusal_reason::backlog:
    f.what = failure_class::rate_limited;
    f.said.message = "more requests are waiting than can be served in time";
    break;
  case refusal_reason::retry_budget:
    f.what = failure_class::overloaded;
    f.said.message = "the retry budget is spent";
    break;
  }
  return f;
}

} // namespace

std::string_view to_string(answer_source s) noexcept {
  switch (s) {
  case answer_source::primary: return "primary";
  case answer_source::backup: return "backup";
  case answer_source::fallback: return "fallback";
  case answer_source::cache: return "cache";
  case answer_source::stale: return "stale";
  case answer_source::similar: return "similar";
  case answer_source::canned: return "canned";
  }
  return "primary";
}

std::optional<answer_source> source_named(std::string_view name) noexcept {
  for (int i = 0; i <= static_cast<int>(answer_source::canned); ++i)
    if (to_string(static_cast<answer_source>(i)) == name) return static_cast<answer_source>(i);
  return std::nullopt;
}

request_plan::request_plan(circumstances with) : with_(with) {
  for (std::size_t rung = 0; rung < with.ladder.size(); ++rung)
    for (auto& t : with.ladder[rung])
      if (!find(t)) targets_.push_back({t, rung, 0, false, false, {}, false, {}, {}});
  rungs_ = with.ladder.size();
}

request_plan::standing* request_plan::find(const target& t) {
  for (auto& s : targets_)
    if (s.at == t) return &s;
  return nullptr;
}

instant request_plan::patience(instant now) const {
  return std::min(with_.deadline, now + scaled(with_.policy.failover_wait, with_.level));
}

instant request_plan::last_limit(instant now) {
  if (!to_leave_out(now)) return with_.deadline;
  if (!whole_until_) whole_until_ = patience(now);
  return *whole_until_;
}

instant request_plan::live_by(instant deadline, priority level, instant now) {
  if (const auto before = std::exchange(with_.deadline, deadline); whole_until_ == before) whole_until_.reset();
  with_.level = level;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const bool asked = std::find(asked_.begin(), asked_.end(), i) != asked_.end();
    if (!asked && !targets_[i].out && targets_[i].rung >= rung_) return patience(now);
  }
  return last_limit(now);
}

std::optional<feature> request_plan::to_leave_out(instant now) const {
  if (exhausted(now)) return std::nullopt;
  for (auto& s : targets_)
    if (s.lacks && with_.dispensable.has(*s.lacks)) return s.lacks;
  return std::nullopt;
}

plan_step request_plan::leave_out(feature f, instant now) {
  with_.dispensable.remove(f);
  whole_until_.reset();
  last_resort_ = false;
  rung_ = rungs_;
  for (auto& s : targets_) {
    if (s.lacks != f) continue;
    s.lacks.reset();
    s.out = false;
    rung_ = std::min(rung_, s.rung);
  }
  return next_rung(now);
}

std::size_t request_plan::untried() const {
  return static_cast<std::size_t>(
      std::count_if(targets_.begin(), targets_.end(), [](auto& s) { return !s.tried && !s.out; }));
}

bool request_plan::others_left(std::size_t rung) const {
  return std::any_of(targets_.begin(), targets_.end(), [&](auto& s) { return s.rung >= rung && !s.out; });
}

bool request_plan::is_alone(std::size_t who) const {
  return std::none_of(targets_.begin(), targets_.end(),
                      [&](auto& o) { return &o != &targets_[who] && o.rung >= rung_ && !o.out; });
}

plan_step request_plan::begin(instant now) {
  rung_ = 0;
  return next_rung(now);
}

plan_step request_plan::acquire(std::vector<std::size_t> who, instant wait_until, charge how) {
  step_acquire step;
  for (auto i : who) {
    step.targets.push_back(targets_[i].at);
    auto& bad = targets_[i].bad_keys;
    step.excluded_keys.insert(step.excluded_keys.end(), bad.begin(), bad.end());
  }
  step.wait_until = wait_until;
  step.charge_retry = how != charge::free;
  step.first_attempt = attempts_ == 0;
  step.wait_for_circuits = last_resort_; // nobody else is left
  asked_ = std::move(who);
  asked_again_ = how == charge::repetition;
  hedging_ = how == charge::hedge;
  return step;
}

plan_step request_plan::next_rung(instant now) {
  for (; rung_ < rungs_; ++rung_) {
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < targets_.size(); ++i)
      if (targets_[i].rung == rung_ && !targets_[i].out && !targets_[i].postponed) who.push_back(i);
    if (who.empty()) continue;
    other_key_ = false;
    bool more = others_left(rung_ + 1);
    return acquire(std::move(who), more ? patience(now) : last_limit(now), charge::free);
  }
  for (std::size_t i = 0; i < targets_.size(); ++i)
    if (std::exchange(targets_[i].postponed, false) && !targets_[i].out)
      return same_again(i, targets_[i].last_delay, now);
  return last_resort(now);
}

plan_step request_plan::give_up(instant now) const {
  step_give_up end;
  if (last_failure_) end.why = *last_failure_;
  if (asked_to_wait_) end.retry_at = now + *asked_to_wait_;
  return end;
}

plan_step request_plan::last_resort(instant now) {
  // Whoever was passed over for want of capacity may be waited for as long as the deadline allows.
  std::vector<std::size_t> who;
  for (std::size_t i = 0; i < targets_.size(); ++i)
    if (!targets_[i].out) who.push_back(i);
  if (!last_resort_ && !who.empty() && last_refusal_ && last_refusal_->why != refusal_reason::no_key &&
      last_refusal_->why != refusal_reason::queue_full && !exhausted(now) && now < last_limit(now)) {
    const bool late = last_refusal_->why == refusal_reason::resting && nobody_soon(soonest_, now);
    if (last_refusal_->outage || late)
      if (auto step = degrade(now)) return *step;
    last_resort_ = true;
    other_key_ = false;
    return acquire(std::move(who), last_limit(now), charge::free);
  }
  return verdict(now);
}

/// Before a long wait for somebody who rests: what there is of before, once. Not in place of the rest of an answer, nor
/// of one in part.
std::optional<plan_step> request_plan::degrade(instant now) {
  if (begun_ || to_leave_out(now)) return std::nullopt;
  auto end = verdict(now);
  end.outage = with_.yields;
  if (with_.yields) return end;
  if (std::exchange(degraded_, true)) return std::nullopt;
  last_resort_ = false;
  return step_degrade{std::move(end)};
}

step_give_up request_plan::verdict(instant now) const {
  auto end = std::get<step_give_up>(give_up(now));
  if (!last_failure_ && last_refusal_) end.why = as_failure(*last_refusal_);
  if (last_refusal_ && last_refusal_->not_before != instant::max() && last_refusal_->not_before > now)
    end.retry_at = last_refusal_->not_before;
  return end;
}

answer_source request_plan::granted(attempt_id id, const target& at, const std::string& key, instant) {
  auto* s = find(at);
  if (s) s->tried = true;
  bool beside = open_[0] || open_[1];
  auto& slot = open_[0] ? open_[1] : open_[0];
  slot = attempt{id, s ? static_cast<std::size_t>(s - targets_.data()) : 0, key};
  ++attempts_;
  last_resort_ = false; // it led somewhere: what else is left may be waited for again
  soonest_ = instant::max();
  hedging_ = false;
  if (asked_again_) ++retries_;
  if (s && s->rung > 0) return answer_source::fallback;
  return first_failure_ || beside ? answer_source::backup : answer_source::primary;
}

plan_step request_plan::refused(const refusal& r, instant now) {
  if (hedging_) {
    if (r.why == refusal_reason::no_key)
      for (auto i : asked_) targets_[i].out = true;
    hedge_rung_ = r.why == refusal_reason::retry_budget ? rungs_ : hedge_rung_ + 1;
    return next_hedge(now);
  }
  last_refusal_ = r;
  soonest_ = std::min(soonest_, r.not_before);
  if (other_key_) {
    // No other key of that target is free now: the same target after its backoff, or onwards. One that is only busy may
    // be waited for like any capacity.
    other_key_ = false;
    if (r.why != refusal_reason::no_key && setback_.delay == duration::max()) return next_rung(now);
    return same_again(setback_.target, setback_.delay, now);
  }
  // A repetition that finds no capacity is left for others; without any, capacity is waited for like anybody's.
  bool can_wait = r.why == refusal_reason::resting || r.why == refusal_reason::over_limit;
  bool leave = asked_again_ && !(can_wait && is_alone(asked_.front()));
  for (auto i : asked_) targets_[i].out = targets_[i].out || r.why == refusal_reason::no_key || leave;
  if (last_resort_) {
    if (auto at = std::exchange(permit_at_, std::nullopt)) return wait_for_permit(*at, now);
    return last_resort(now);
  }
  if (asked_again_) return next_rung(now);
  ++rung_;
  return next_rung(now);
}

plan_step request_plan::no_permit(const target& at, instant retry_at, instant now) {
  std::vector<std::size_t> rest;
  for (auto i : asked_)
    if (!(targets_[i].at == at)) rest.push_back(i);
  if (hedging_) {
    if (!rest.empty()) return acquire(std::move(rest), now, charge::hedge);
    ++hedge_rung_;
    return next_hedge(now);
  }
  last_refusal_ = refusal{{}, refusal_reason::resting, retry_at};
  soonest_ = std::min(soonest_, retry_at);
  auto how = asked_again_ ? charge::repetition : charge::free;
  if (last_resort_) {
    permit_at_ = permit_at_ ? std::min(*permit_at_, retry_at) : retry_at;
    if (!rest.empty()) return acquire(std::move(rest), std::min(retry_at, with_.deadline), how);
    return wait_for_permit(*std::exchange(permit_at_, std::nullopt), now);
  }
  if (!rest.empty()) return acquire(std::move(rest), patience(now), how);
  if (asked_again_ || other_key_) { // only this target was asked: its equals on the rung may still do
    other_key_ = false;
    if (auto* s = find(at); s && others_left(rung_)) s->out = true;
    return next_rung(now);
  }
  ++rung_;
  return next_rung(now);
}

/// Nobody else is left: the circuit's own time is the only one worth waiting for.
plan_step request_plan::wait_for_permit(instant at, instant now) {
  constexpr auto shortest = 50ms; // a half-open circuit says "now", but its permits are out
  auto until = std::max(at, now + shortest);
  if (until >= last_limit(now)) return last_resort(now);
  if (nobody_soon(until, now))
    if (auto step = degrade(now)) return *step;
  last_resort_ = false;
  waiting_for_.reset();
  return step_wait{until};
}

request_plan::attempt request_plan::close(attempt_id id) {
  for (auto& a : open_)
    if (a && a->id == id) return *std::exchange(a, std::nullopt);
  return {};
}

void request_plan::won(attempt_id id) noexcept {
  for (auto& a : open_)
    if (a && a->id != id) a.reset();
  hedging_ = false;
  begun_ = true;
}

plan_step request_plan::hedge(instant now) {
  if (hedging_ || (!open_[0] && !open_[1]) || (open_[0] && open_[1]) || exhausted(now)) return step_await{};
  hedge_rung_ = rung_;
  return next_hedge(now);
}

plan_step request_plan::next_hedge(instant now) {
  for (; hedge_rung_ < rungs_; ++hedge_rung_) {
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < targets_.size(); ++i)
      if (targets_[i].rung == hedge_rung_ && !targets_[i].out && !targets_[i].tried) who.push_back(i);
    if (!who.empty()) return acquire(std::move(who), now, charge::hedge);
  }
  hedging_ = false;
  if (company()) return step_await{};
  return go_on(now); // what it was asked beside has failed meanwhile
}

plan_step request_plan::differed(attempt_id id, instant now) {
  auto closed = close(id);
  waiting_for_.reset();
  other_key_ = false;
  targets_[closed.target].out = true;
  setback_ = {closed.target, duration::max(), false};
  if (company()) return hedge(now);
  return go_on(now);
}

plan_step request_plan::misunderstood(attempt_id id, instant now) {
  auto closed = close(id);
  setback_ = {closed.target, duration::max(), false};
  if (company()) return step_await{};
  if (exhausted(now)) return give_up(now);
  return acquire({closed.target}, is_alone(closed.target) ? last_limit(now) : patience(now), charge::free);
}

duration request_plan::delay_before(standing& s, const failure& f, instant now, double draw) const {
  auto& policy = with_.policy;
  if (f.what == failure_class::rate_limited && f.said.retry_after) return *f.said.retry_after;
  auto delay = retry_delay(policy, f.what, s.retries, s.last_delay, draw);
  if (s.retries == 0 && policy.jitter != jitter_kind::none && !is_alone(static_cast<std::size_t>(&s - &targets_[0]))) {
    // One blip must not change the model: the first repetition is drawn from what fits.
    constexpr double most = 1 - 1e-9;
    auto longest = retry_delay(policy, f.what, 0, s.last_delay, most), room = patience(now) - now;
    if (longest > room && room > duration::zero())
      delay = std::chrono::duration_cast<duration>(delay * (std::chrono::duration<double>(room) / longest));
  }
  if (f.kept_connection && s.retries == 0) delay = duration::zero(); // most likely it had been idle for too long
  s.last_delay = delay;
  return f.said.retry_after ? std::max(delay, *f.said.retry_after) : delay;
}

void request_plan::hear(std::size_t who, const failure& f, bool believed) {
  const auto told = std::make_shared<const failure>(f);
  if (!first_failure_) first_failure_ = told;
  if (believed || !last_failure_) last_failure_ = told;
  if (history_.size() < history_limit) history_.emplace_back(who, f.what);
  if (f.what == failure_class::unsupported_feature) targets_[who].lacks = feature_refused(f.said);
}

plan_step request_plan::inexpressible(const target& at, const failure& f, instant now) {
  auto* s = find(at);
  if (!s) return no_permit(at, now, now);
  hear(static_cast<std::size_t>(s - targets_.data()), f, false); // who failed otherwise is worth another try
  s->out = true;
  std::vector<std::size_t> rest;
  for (auto i : asked_)
    if (!targets_[i].out) rest.push_back(i);
  if (hedging_) return rest.empty() ? next_hedge(now) : acquire(std::move(rest), now, charge::hedge);
  other_key_ = false;
  waiting_for_.reset();
  return next_rung(now);
}

plan_step request_plan::failed(attempt_id id, const failure& f, instant now, double draw, int max_retries, bool begun) {
  auto closed = close(id);
  begun_ = begun_ || begun;
  auto& s = targets_[closed.target];
  auto& rules = rules_of(f.what);
  // That others could answer this request is known: whoever calls it wrong is not believed.
  bool disbelieved = f.what == failure_class::caller_fault && (begun || company());
  hear(closed.target, f, !disbelieved);
  waiting_for_.reset();
  asked_to_wait_ = f.said.retry_after;
  if (!disbelieved && !rules.other_key && !rules.same_target && !rules.other_target) return step_give_up{f, {}};

  setback_ = {closed.target, duration::max(), rules.other_key};
  // Repetitions leave an attempt for everybody who was not asked yet.
  if (rules.same_target && status_allows_retry(with_.policy, f) && s.retries < max_retries && spares_a_call())
    setback_.delay = delay_before(s, f, now, draw);
  if (rules.other_key) s.bad_keys.push_back(closed.key);
  if (begun && !is_alone(closed.target) && setback_.delay != duration::max()) {
    s.postponed = true; // what broke once in the middle may do so again, and the caller is reading
    setback_.delay = duration::max();
  } else if (setback_.delay == duration::max() && !rules.other_key) {
    s.out = true;
  }
  if (company()) return hedge(now);
  return go_on(now);
}

/// After a failure, with nothing else under way.
plan_step request_plan::go_on(instant now) {
  if (exhausted(now)) return give_up(now);
  if (setback_.other_key) {
    other_key_ = true;
    return acquire({setback_.target}, now, charge::free);
  }
  if (setback_.delay == duration::max()) return next_rung(now);
  return same_again(setback_.target, setback_.delay, now);
}

plan_step request_plan::same_again(std::size_t who, duration delay, instant now) {
  auto& s = targets_[who];
  if (delay != duration::max()) {
    auto limit = is_alone(who) ? last_limit(now) : patience(now);
    if (delay < with_.deadline - now && now + delay <= limit) {
      ++s.retries;
      if (last_failure_ && last_failure_->what == failure_class::rate_limited)
        s.bad_keys.clear(); // the wait was for them
      waiting_for_ = who;
      return step_wait{now + delay};
    }
  }
  s.out = true;
  return next_rung(now);
}

plan_step request_plan::resume(instant now) {
  if (!waiting_for_) return next_rung(now);
  auto who = *std::exchange(waiting_for_, std::nullopt);
  other_key_ = false;
  return acquire({who}, is_alone(who) ? last_limit(now) : patience(now),
                 last_resort_ ? charge::free : charge::repetition);
}

plan_step request_plan::recover(instant now) {
  // The lost attempts were paid for and may have failed: they count, but blame nobody.
  open_ = {};
  waiting_for_.reset();
  other_key_ = asked_again_ = hedging_ = last_resort_ = false;
  if (attempts_ > 0 && attempts_ >= with_.policy.attempts) {
    failure lost;
    lost.what = failure_class::server_error;
    lost.said.message = "the request was interrupted too often";
    return step_give_up{last_failure_ ? *last_failure_ : lost, {}};
  }
  return next_rung(now);
}

std::string request_plan::story() const {
  std::string out;
  for (auto& [i, what] : history_) {
    if (!out.empty()) out += "; ";
    out += targets_[i].at.provider + "/" + targets_[i].at.model + ": ";
    out += to_string(what);
  }
  return out;
}

} // namespace mainstay
