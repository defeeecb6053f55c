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
  }
  return "primary";
}

request_plan::request_plan(circumstances with) : with_(std::move(with)) {
  for (std::size_t rung = 0; rung < with_.ladder.size(); ++rung)
    for (auto& t : with_.ladder[rung])
      if (!find(t)) targets_.push_back({t, rung, 0, false, false, {}, {}});
}

request_plan::standing* request_plan::find(const target& t) {
  for (auto& s : targets_)
    if (s.at == t) return &s;
  return nullptr;
}

instant request_plan::patience(instant now) const {
  return std::min(with_.deadline, now + scaled(with_.policy.failover_wait, with_.level));
}

std::size_t request_plan::untried() const {
  return static_cast<std::size_t>(
      std::count_if(targets_.begin(), targets_.end(), [](auto& s) { return !s.tried && !s.out; }));
}

bool request_plan::others_left(std::size_t rung) const {
  return std::any_of(targets_.begin(), targets_.end(), [&](auto& s) { return s.rung >= rung && !s.out; });
}

plan_step request_plan::begin(instant now) {
  rung_ = 0;
  return next_rung(now);
}

plan_step request_plan::acquire(std::vector<std::size_t> who, instant wait_until, bool retry, instant) {
  step_acquire step;
  for (auto i : who) {
    step.targets.push_back(targets_[i].at);
    auto& bad = targets_[i].bad_keys;
    step.excluded_keys.insert(step.excluded_keys.end(), bad.begin(), bad.end());
  }
  step.wait_until = wait_until;
  step.charge_retry = retry;
  step.first_attempt = attempts_ == 0;
  step.wait_for_circuits = last_resort_; // nobody else is left
  asked_ = std::move(who);
  asked_again_ = retry;
  return step;
}

plan_step request_plan::next_rung(instant now) {
  for (; rung_ < with_.ladder.size(); ++rung_) {
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < targets_.size(); ++i)
      if (targets_[i].rung == rung_ && !targets_[i].out) who.push_back(i);
    if (who.empty()) continue;
    other_key_ = false;
    bool more = others_left(rung_ + 1);
    return acquire(std::move(who), more ? patience(now) : with_.deadline, false, now);
  }
  return last_resort(now);
}

plan_step request_plan::last_resort(instant now) {
  // Whoever was passed over for want of capacity may be waited for as long as the deadline allows.
  std::vector<std::size_t> who;
  for (std::size_t i = 0; i < targets_.size(); ++i)
    if (!targets_[i].out) who.push_back(i);
  if (!last_resort_ && !who.empty() && last_refusal_ && last_refusal_->why != refusal_reason::no_key &&
      last_refusal_->why != refusal_reason::queue_full && attempts_ < with_.policy.attempts && now < with_.deadline) {
    last_resort_ = true;
    other_key_ = false;
    return acquire(std::move(who), with_.deadline, false, now);
  }
  step_give_up end;
  if (last_failure_)
    end.why = *last_failure_;
  else if (last_refusal_)
    end.why = as_failure(*last_refusal_);
  if (last_refusal_ && last_refusal_->not_before != instant::max() && last_refusal_->not_before > now)
    end.retry_at = last_refusal_->not_before;
  else if (asked_to_wait_)
    end.retry_at = now + *asked_to_wait_;
  return end;
}

answer_source request_plan::granted(const target& at, const std::string& key, instant) {
  auto* s = find(at);
  if (s) s->tried = true;
  current_ = {s ? static_cast<std::size_t>(s - targets_.data()) : 0, key, true};
  ++attempts_;
  last_resort_ = false; // it led somewhere: what else is left may be waited for again
  if (asked_again_) ++retries_;
  if (s && s->rung > 0) return answer_source::fallback;
  return first_failure_ ? answer_source::backup : answer_source::primary;
}

plan_step request_plan::refused(const refusal& r, instant now) {
  last_refusal_ = r;
  if (other_key_ && current_.target < targets_.size()) {
    // No other key of that target is free now: the same target after its backoff, or onwards. One that is only busy may
    // be waited for like any capacity.
    other_key_ = false;
    if (r.why != refusal_reason::no_key && pending_delay_ == duration::max()) return next_rung(now);
    return same_again(current_.target, pending_delay_, now);
  }
  if (r.why == refusal_reason::no_key || asked_again_ || r.why == refusal_reason::retry_budget)
    for (auto i : asked_) targets_[i].out = targets_[i].out || r.why == refusal_reason::no_key || asked_again_;
  if (last_resort_) {
    if (auto at = std::exchange(permit_at_, std::nullopt)) return wait_for_permit(*at, now);
    return last_resort(now);
  }
  if (asked_again_) return next_rung(now);
  ++rung_;
  return next_rung(now);
}

plan_step request_plan::no_permit(const target& at, instant retry_at, instant now) {
  last_refusal_ = refusal{{}, refusal_reason::resting, retry_at};
  current_.open = false;
  std::vector<std::size_t> rest;
  for (auto i : asked_)
    if (!(targets_[i].at == at)) rest.push_back(i);
  if (last_resort_) {
    permit_at_ = permit_at_ ? std::min(*permit_at_, retry_at) : retry_at;
    if (!rest.empty()) return acquire(std::move(rest), std::min(retry_at, with_.deadline), asked_again_, now);
    return wait_for_permit(*std::exchange(permit_at_, std::nullopt), now);
  }
  if (!rest.empty()) return acquire(std::move(rest), patience(now), asked_again_, now);
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
  if (until >= with_.deadline) return last_resort(now);
  last_resort_ = false;
  waiting_for_.reset();
  return step_wait{until};
}

plan_step request_plan::differed(instant now) {
  current_.open = false;
  waiting_for_.reset();
  other_key_ = false;
  targets_[current_.target].out = true;
  if (attempts_ >= with_.policy.attempts || now >= with_.deadline)
    return step_give_up{last_failure_.value_or(failure{}), {}};
  return next_rung(now);
}

plan_step request_plan::failed(const failure& f, instant now, double draw, int max_retries) {
  if (!first_failure_) first_failure_ = f;
  last_failure_ = f;
  current_.open = false;
  waiting_for_.reset();
  asked_to_wait_ = f.said.retry_after;
  if (history_.size() < history_limit) history_.emplace_back(current_.target, f.what);

  auto& s = targets_[current_.target];
  auto& rules = rules_of(f.what);
  if (!rules.other_key && !rules.same_target && !rules.other_target) return step_give_up{f, {}};
  if (attempts_ >= with_.policy.attempts || now >= with_.deadline) {
    step_give_up end{f, {}};
    if (asked_to_wait_) end.retry_at = now + *asked_to_wait_;
    return end;
  }
  // Repetitions leave an attempt for everybody who was not asked yet.
  auto left = static_cast<std::size_t>(with_.policy.attempts - attempts_);
  bool again = rules.same_target && status_allows_retry(with_.policy, f) && s.retries < max_retries && left > untried();
  pending_delay_ = duration::max();
  if (again) {
    auto delay = retry_delay(with_.policy, f.what, s.retries, s.last_delay, draw);
    s.last_delay = delay;
    pending_delay_ = f.said.retry_after ? std::max(delay, *f.said.retry_after) : delay;
    if (f.what == failure_class::rate_limited && f.said.retry_after) pending_delay_ = *f.said.retry_after;
  }
  if (rules.other_key) {
    s.bad_keys.push_back(current_.key);
    other_key_ = true;
    return acquire({current_.target}, now, false, now);
  }
  return same_again(current_.target, pending_delay_, now);
}

plan_step request_plan::same_again(std::size_t who, duration delay, instant now) {
  auto& s = targets_[who];
  if (delay != duration::max()) {
    bool alone =
        !std::any_of(targets_.begin(), targets_.end(), [&](auto& o) { return &o != &s && o.rung >= rung_ && !o.out; });
    auto limit = alone ? with_.deadline : patience(now);
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
  auto who = *waiting_for_;
  waiting_for_.reset();
  other_key_ = false;
  bool alone = !std::any_of(targets_.begin(), targets_.end(),
                            [&](auto& o) { return &o != &targets_[who] && o.rung >= rung_ && !o.out; });
  return acquire({who}, alone ? with_.deadline : patience(now), !last_resort_, now);
}

plan_step request_plan::recover(instant now) {
  // The lost attempt was paid for and may have failed: it counts, but blames nobody.
  current_.open = false;
  waiting_for_.reset();
  other_key_ = false;
  asked_again_ = false;
  last_resort_ = false;
  if (attempts_ > 0 && attempts_ >= with_.policy.attempts) {
    failure lost;
    lost.what = failure_class::server_error;
    lost.said.message = "the request was interrupted too often";
    return step_give_up{last_failure_.value_or(lost), {}};
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
