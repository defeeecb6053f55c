#include "core/drill_book.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr std::array names{"provider_down", "rate_limit", "slow", "redis_frozen", "crash"}; // as drill_kinds

bool usual_source(const std::string& name) { return name == "primary" || name == "cache"; }

std::map<std::string, std::uint64_t> difference(const std::map<std::string, std::uint64_t>& from,
                                                const std::map<std::string, std::uint64_t>& to) {
  std::map<std::string, std::uint64_t> out;
  for (const auto& [name, n] : to) {
    const auto before = from.find(name);
    const auto more = n - (before == from.end() ? 0 : before->second);
    if (more > 0) out.emplace(name, more);
  }
  return out;
}

} // namespace

std::string_view to_string(drill_kind k) noexcept { return names.at(static_cast<std::size_t>(k)); }

std::optional<drill_kind> drill_named(std::string_view name) noexcept {
  for (const auto k : drill_kinds)
    if (to_string(k) == name) return k;
  return std::nullopt;
}

std::string drill_order::name() const { return std::string(to_string(what)) + (whom.empty() ? "" : " " + whom); }

/// A storm's pause is longer than callers usually wait for the model of their first choice (retry.failover_wait).
duration drill_order::by_or_usual() const {
  if (by > duration{}) return by;
  return what == drill_kind::rate_limit ? 5s : 2s;
}

std::string drill_book::begin(const drill_order& o, instant now) {
  tick(now);
  if (phase_ != phase::none && o.id == order_.id) return "";
  if (closed_) return "the node drains";
  if (phase_ == phase::under_way) return order_.name() + " is under way: one drill at a time; `drill stop` ends it";
  if (phase_ == phase::watched)
    return order_.name() + " is over, and what it broke is still watched; `drill stop` ends that";
  if (o.length < drill_order::shortest || o.length > drill_order::longest) return "a drill takes 1s to 5m";
  if (o.by > drill_order::most) return "--by takes up to 1m";
  const bool closed = closed_;
  *this = {};
  closed_ = closed;
  phase_ = phase::under_way;
  order_ = o;
  began_ = now;
  ends_ = now + o.length;
  return "";
}

void drill_book::withdraw(const std::string& id) {
  if (!watching() || order_.id != id) return;
  const bool closed = closed_;
  *this = {};
  closed_ = closed;
}

bool drill_book::end(ending how, instant now) {
  tick(now);
  if (phase_ == phase::watched)
    phase_ = phase::over;
  else if (phase_ == phase::under_way)
    end_now(how, now);
  else
    return false;
  return true;
}

void drill_book::close(instant now) {
  closed_ = true;
  if (phase_ == phase::under_way) end_now(ending::drain, now);
}

void drill_book::end_now(ending how, instant now) {
  phase_ = phase::watched;
  how_ = how;
  ends_ = now;
}

void drill_book::tick(instant now) {
  if (phase_ == phase::under_way && now >= ends_) end_now(ending::time, ends_);
  if (phase_ != phase::watched || now < ends_ + afterwards) return;
  const bool asked = at_end_ && latest_ && latest_->requests > at_end_->requests; // else it does not become well either
  if ((at_end_ && (well_ || !asked)) || now >= ends_ + patience) phase_ = phase::over;
}

void drill_book::see(counts c, condition now_is, instant now) {
  if (!watching()) return;
  if (phase_ == phase::under_way && now >= ends_) end_now(ending::time, ends_); // then this is how it was at the end
  const auto since = now - began_;
  if (!base_) base_ = c;
  for (const auto& [name, more] : difference(base_->sources, c.sources)) first_.emplace(name, since);
  if (now_is.shut_out && !shut_out_) shut_out_ = since;
  was_unwell_ = was_unwell_ || !now_is.well;
  if (!now_is.well)
    healed_.reset();
  else if (was_unwell_ && phase_ == phase::watched && !healed_)
    healed_ = since;
  well_ = now_is.well;
  if (phase_ == phase::watched && !at_end_) at_end_ = c;
  latest_ = std::move(c);
  tick(now);
}

drill_effect drill_book::effect() const { return {order_, phase_ == phase::under_way ? ends_ : instant{}}; }

std::optional<drill_book::span> drill_book::between(const std::optional<counts>& from,
                                                    const std::optional<counts>& to) const {
  if (!from || !to) return std::nullopt;
  const auto took = to->took.since(from->took);
  const auto requests = to->requests - from->requests;
  return span{requests, requests - (to->answered - from->answered), took.at(0.5), took.at(0.99)};
}

drill_book::view drill_book::look(instant now) const {
  view v;
  v.at = phase_;
  v.how = how_;
  v.order = order_;
  if (phase_ == phase::none) return v;
  v.lasted = (phase_ == phase::under_way ? std::min(now, ends_) : ends_) - began_;
  v.shut_out = shut_out_;
  v.healed = healed_;
  v.well = well_;
  if (!base_) return v;
  v.before = span{base_->lately, 0, base_->p50_lately, base_->p99_lately};
  v.during = between(base_, at_end_ ? at_end_ : latest_);
  v.after = between(at_end_, latest_);
  v.requests = latest_->requests - base_->requests;
  v.answered = latest_->answered - base_->answered;
  v.errors = difference(base_->errors, latest_->errors);
  for (const auto& [name, n] : difference(base_->sources, latest_->sources)) {
    const auto first = first_.at(name);
    v.sources.push_back({name, n, first});
    if (!usual_source(name)) v.elsewhere = std::min(v.elsewhere.value_or(first), first);
  }
  return v;
}

std::string_view to_string(drill_book::phase p) noexcept {
  switch (p) {
  case drill_book::phase::none: return "none";
  case drill_book::phase::under_way: return "under way";
  case drill_book::phase::watched: return "watched";
  case drill_book::phase::over: break;
  }
  return "over";
}

std::string_view to_string(drill_book::ending e) noexcept {
  switch (e) {
  case drill_book::ending::none: return "not yet";
  case drill_book::ending::time: return "its time was over";
  case drill_book::ending::stopped: return "it was stopped";
  case drill_book::ending::reload: return "the configuration was reloaded";
  case drill_book::ending::drain: break;
  }
  return "the node drains";
}

} // namespace mainstay
