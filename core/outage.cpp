// The models' phases, and the two clocks of an outage: when a circuit may be tried, and when somebody has to look.
#include "core/outage.hpp"

#include <algorithm>

namespace mainstay {

std::string_view to_string(outage_phase phase) noexcept {
  switch (phase) {
  case outage_phase::up: return "up";
  case outage_phase::down: return "down";
  case outage_phase::returning: return "returning";
  }
  return "up";
}

double returning_share(instant since, duration ramp, instant now) noexcept {
  if (now >= since + ramp) return 1;
  if (now <= since) return least_share;
  const double passed = std::chrono::duration<double>(now - since) / std::chrono::duration<double>(ramp);
  return least_share + (1 - least_share) * passed;
}

void outage_book::reconfigure(recovery_settings s, std::vector<model_setup> setup, instant now) {
  settings_ = s;
  auto before = std::exchange(models_, {});
  auto circuits = std::exchange(circuits_, {});
  auto keys = std::exchange(disabled_, {});
  for (auto& m : setup) {
    for (const auto& t : m.targets) {
      for (const auto& name : {circuit_name{t.provider, ""}, circuit_name{t.provider, t.circuit}})
        circuits_[name] = circuits[name];
      for (const auto& key : t.keys) disabled_[key] = keys[key];
    }
    const auto known = std::find_if(before.begin(), before.end(), [&](auto& e) { return e.setup.name == m.name; });
    auto& e = models_.emplace_back();
    if (known != before.end()) {
      e = std::move(*known);
      before.erase(known);
    }
    e.setup = std::move(m);
  }
  for (auto& e : before) // they left the configuration
    if (e.phase != outage_phase::up) end(e, now);
  for (auto& e : models_) {
    if (e.phase == outage_phase::down) e.look_at = std::min(e.look_at, now + settings_.probe);
    judge(e, now);
  }
}

void outage_book::on_circuit(const std::string& provider, const std::string& circuit, circuit_state state,
                             instant retry_at, instant now) {
  const auto found = circuits_.find({provider, circuit});
  if (found == circuits_.end()) return;
  auto& known = found->second;
  // Half-open by its own time is no news: whoever was to be let through then was told so. Half-open before it is.
  const bool early = state == circuit_state::half_open && known.state == circuit_state::open && now < known.retry_at;
  const bool later = state == circuit_state::open && (known.state != state || known.retry_at != retry_at);
  known = {state, retry_at};
  for (auto& e : models_) {
    const auto& targets = e.setup.targets;
    const bool concerned = std::any_of(targets.begin(), targets.end(), [&](auto& t) {
      return t.provider == provider && (circuit.empty() || t.circuit == circuit);
    });
    if (!concerned) continue;
    if (early || later) e.wants_trial = true;
    judge(e, now);
  }
}

void outage_book::on_key(const std::string& key, bool disabled, instant now) {
  const auto found = disabled_.find(key);
  if (found == disabled_.end() || std::exchange(found->second, disabled) == disabled) return;
  for (auto& e : models_) judge(e, now);
}

void outage_book::tick(instant now) {
  for (auto& e : models_) {
    if (e.phase == outage_phase::returning && now >= e.since + settings_.ramp) end(e, now);
    if (e.phase != outage_phase::down) continue;
    if (e.look_at <= now) {
      e.look_at = now + settings_.probe;
      tell(event::look, e);
    }
    if (const auto next = next_trial(e); e.wants_trial && next.at <= now) {
      e.wants_trial = false;
      tell(event::trial, e, next.permits);
    }
  }
}

instant outage_book::next_wake() const {
  auto next = instant::max();
  for (const auto& e : models_) {
    if (e.phase == outage_phase::returning) next = std::min(next, e.since + settings_.ramp);
    if (e.phase != outage_phase::down) continue;
    next = std::min(next, e.look_at);
    if (e.wants_trial) next = std::min(next, next_trial(e).at);
  }
  return next;
}

std::vector<outage_book::happening> outage_book::take_happenings() { return std::exchange(happenings_, {}); }

void outage_book::want_trial(const std::string& model) {
  if (auto* e = find(model)) e->wants_trial = true;
}

std::vector<outage_book::suspect> outage_book::suspects(const std::string& model) const {
  std::vector<suspect> out;
  const auto* e = find(model);
  if (!e) return out;
  for (const auto& t : e->setup.targets) {
    const auto* key = usable_key(t);
    const auto at = retry_at(t);
    if (!key || at == instant::min() || at == instant::max()) continue; // not to be asked, sound, or held open
    const auto known = std::find_if(out.begin(), out.end(), [&](auto& s) { return s.provider == t.provider; });
    if (known == out.end())
      out.push_back({t.provider, *key, {t.circuit}});
    else
      known->circuits.push_back(t.circuit);
  }
  return out;
}

void outage_book::on_served(const std::map<std::string, served_counts>& all) {
  for (auto& e : models_) {
    if (!e.counting) continue;
    e.counting = !e.report->ended;
    const auto found = all.find(e.setup.name);
    const auto now = found == all.end() ? served_counts{} : found->second;
    if (!e.served_before) e.served_before = now;
    e.report->served.clear();
    for (const auto& [source, count] : now) {
      const auto before = e.served_before->find(source);
      const auto since = count - (before == e.served_before->end() ? 0 : std::min(before->second, count));
      if (since > 0) e.report->served[source] = since;
    }
  }
}

void outage_book::on_parked(const std::string& model, std::uint64_t parked_in_all) {
  auto* e = find(model);
  if (e && e->counting) e->report->parked = std::max(e->report->parked, parked_in_all);
}

bool outage_book::any() const noexcept {
  return std::any_of(models_.begin(), models_.end(), [](auto& e) { return e.phase != outage_phase::up; });
}

std::vector<std::string> outage_book::down() const {
  std::vector<std::string> out;
  for (const auto& e : models_)
    if (e.phase == outage_phase::down) out.push_back(e.setup.name);
  return out;
}

std::string outage_book::why(const std::string& model) const {
  std::string out;
  const auto* e = find(model);
  if (!e) return out;
  for (const auto& t : e->setup.targets) {
    const bool endpoint = standing(t.provider, "").state != circuit_state::closed;
    out += (out.empty() ? "" : "; ") + t.provider + "/" + t.circuit + ": ";
    out += !usable_key(t) ? "no usable key" : endpoint ? "endpoint open" : is_down(t) ? "open" : "up";
  }
  return out;
}

std::vector<outage_book::view> outage_book::views(instant now) const {
  std::vector<view> out;
  for (const auto& e : models_) {
    auto& v = out.emplace_back(view{e.setup.name, e.phase, e.since});
    if (e.phase == outage_phase::down) v.share = least_share;
    if (e.phase == outage_phase::returning) v.share = returning_share(e.since, settings_.ramp, now);
    if (e.report) v.latest = report_of(e, now);
  }
  return out;
}

std::optional<outage_report> outage_book::latest(const std::string& model, instant now) const {
  const auto* e = find(model);
  if (!e || !e->report) return std::nullopt;
  return report_of(*e, now);
}

outage_report outage_book::report_of(const entry& e, instant now) const {
  auto out = *e.report;
  if (e.phase == outage_phase::down) out.down += now - e.since;
  return out;
}

outage_book::circuit_standing outage_book::standing(const std::string& provider, const std::string& circuit) const {
  const auto found = circuits_.find({provider, circuit});
  return found == circuits_.end() ? circuit_standing{} : found->second;
}

/// When its circuits let somebody through: min where both are closed, max while an operator holds one open.
instant outage_book::retry_at(const target_setup& t) const {
  auto at = instant::min();
  for (const auto& c : {standing(t.provider, ""), standing(t.provider, t.circuit)}) {
    if (c.state == circuit_state::half_open) at = std::max(at, instant{});
    if (c.state == circuit_state::open) at = std::max(at, c.retry_at);
  }
  return at;
}

const std::string* outage_book::usable_key(const target_setup& t) const {
  const auto usable = [&](auto& key) {
    const auto known = disabled_.find(key);
    return known == disabled_.end() || !known->second;
  };
  const auto found = std::find_if(t.keys.begin(), t.keys.end(), usable);
  return found == t.keys.end() ? nullptr : &*found;
}

bool outage_book::is_down(const target_setup& t) const { return !usable_key(t) || retry_at(t) != instant::min(); }

bool outage_book::all_down(const entry& e) const {
  return std::all_of(e.setup.targets.begin(), e.setup.targets.end(), [this](auto& t) { return is_down(t); });
}

outage_book::trial outage_book::next_trial(const entry& e) const {
  trial next;
  for (const auto& t : e.setup.targets)
    if (const auto at = retry_at(t); usable_key(t) && at < next.at) next = {at, t.trial_permits};
  return next;
}

void outage_book::judge(entry& e, instant now) {
  const bool gone = all_down(e);
  if (e.phase == outage_phase::down ? !gone : gone) gone ? fall(e, now) : come_back(e, now);
}

void outage_book::fall(entry& e, instant now) {
  const bool again = e.phase == outage_phase::returning;
  if (again) {
    ++e.report->relapses;
  } else {
    e.report = outage_report{.began = now};
    e.counting = true;
    e.served_before.reset();
  }
  e.phase = outage_phase::down;
  e.since = now;
  e.look_at = now + settings_.probe;
  e.wants_trial = true;
  tell(again ? event::relapsed : event::began, e);
}

void outage_book::come_back(entry& e, instant now) {
  e.report->down += now - e.since;
  e.phase = outage_phase::returning;
  e.since = now;
  tell(event::came_back, e);
  if (settings_.ramp <= duration::zero()) end(e, now);
}

void outage_book::end(entry& e, instant now) {
  if (e.phase == outage_phase::down) e.report->down += now - e.since;
  e.phase = outage_phase::up;
  e.since = now;
  e.report->ended = now;
  tell(event::ended, e);
}

const outage_book::entry* outage_book::find(const std::string& model) const {
  const auto found = std::find_if(models_.begin(), models_.end(), [&](auto& e) { return e.setup.name == model; });
  return found == models_.end() ? nullptr : &*found;
}

void outage_book::tell(event what, const entry& e, std::uint32_t permits) {
  happenings_.push_back({what, e.setup.name, permits});
}

} // namespace mainstay
