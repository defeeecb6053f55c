// The choice: one pass over the pairs, no allocation. The explanation why there was none is a second, slower pass that
// only requests which must wait pay for.
#include "core/capacity.hpp"

#include "core/glob.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t most_open_models = 4096;
constexpr std::size_t most_taught_models = 256; // of one key

bool is_excluded(const ask& a, const key_entry& key) noexcept {
  return std::find(a.excluded.begin(), a.excluded.end(), key.id) != a.excluded.end();
}

bool is_enabled(const ask& a, const key_entry& key) noexcept {
  return !key.absent && !key.standing.disabled && !is_excluded(a, key);
}

/// 0.3 free RPM + 0.3 free TPM + 0.4 health, times weight and the model's score; never zero, so that a last resort can
/// still take its turn.
double gain_of(candidate& c, double score, instant now) {
  auto& meter = c.meter->meter;
  auto& learned = c.learned->limits;
  const auto share = [now](windowed_limit& ours, told_limit& theirs) {
    return std::min(1.0, std::max(ours.used_share(now), theirs.used_share(now)));
  };
  const auto free_rpm = 1 - share(meter.rpm(), learned.requests());
  const auto free_tpm = 1 - share(meter.tpm(), learned.tokens());
  const auto health = c.key->standing.health >= 0 ? std::min(1.0, c.key->standing.health) : 0.0;
  return std::max(1e-9, (0.3 * free_rpm + 0.3 * free_tpm + 0.4 * health) * c.weight * score);
}

} // namespace

instant provider_gate::open_until(const std::string& model) const {
  auto until = endpoint_open_until;
  if (models_open_until.empty()) return until;
  if (const auto found = models_open_until.find(model); found != models_open_until.end())
    until = std::max(until, found->second);
  return until;
}

void provider_gate::on_circuit(const governor::circuit_news& news) {
  const bool open = news.state == circuit_state::open;
  if (news.model.empty()) {
    endpoint_open_until = open ? news.retry_at : instant::min();
  } else if (!open) {
    models_open_until.erase(news.model);
  } else {
    models_open_until[news.model] = news.retry_at;
    if (models_open_until.size() > most_open_models) // the one that would be let through first is forgotten
      models_open_until.erase(std::min_element(models_open_until.begin(), models_open_until.end(),
                                               [](auto& a, auto& b) { return a.second < b.second; }));
  }
}

std::uint32_t model_gate::room(instant now) const {
  const double share = state.phase == outage_phase::down ? least_share : returning_share(state.since, state.ramp, now);
  return std::max(1u, static_cast<std::uint32_t>(share * state.full));
}

bool model_gate::closed(instant now) {
  const bool over = state.phase == outage_phase::returning && now >= state.since + state.ramp;
  return holds() && !over && in_flight >= room(now);
}

instant model_gate::opens_at(instant now) {
  if (!closed(now)) return now;
  if (state.phase == outage_phase::down) return instant::max();
  const double share = (in_flight + 1.0) / state.full;
  const double wait = std::clamp((share - least_share) / (1 - least_share), 0.0, 1.0);
  const auto at = state.since + std::chrono::duration_cast<duration>(state.ramp * wait) + 1ms; // rounding up
  return std::max(now + 1ms, std::min(at, state.since + state.ramp));
}

std::shared_ptr<model_gate> capacity::gate_of(const std::string& model) const {
  if (held_models.empty()) return nullptr;
  const auto found = held_models.find(model);
  return found == held_models.end() || !found->second->holds() ? nullptr : found->second;
}

const provider_gate::rank* provider_gate::rank_of(const std::string& model) const {
  if (ranks.empty()) return nullptr;
  const auto found = ranks.find(model);
  return found == ranks.end() ? nullptr : &found->second;
}

bool provider_gate::is_behind(const std::string& model, instant now) const {
  const auto* r = rank_of(model);
  return r && r->degraded && now < r->next_trial;
}

void provider_gate::begin_trial(const std::string& model, instant now) {
  if (ranks.empty()) return;
  if (const auto found = ranks.find(model); found != ranks.end() && found->second.degraded)
    found->second.next_trial = now + found->second.check_interval;
}

void provider_gate::on_model(const governor::model_news& news, instant now) {
  if (!news.degraded && news.score >= 1) {
    ranks.erase(news.model);
    return;
  }
  if (ranks.size() >= most_open_models && !ranks.count(news.model)) return;
  auto& r = ranks[news.model];
  if (news.degraded && !r.degraded) r.next_trial = now + news.check_interval;
  r.score = news.score;
  r.degraded = news.degraded;
  r.check_interval = news.check_interval;
}

choice capacity::choose(route& r, const ask& a, instant now) const {
  const auto is_behind = [&](const route::span& s) { return s.provider->is_behind(r.targets[s.target].model, now); };
  choice best;
  if (std::any_of(r.spans.begin(), r.spans.end(), is_behind)) best = choose_among(r, a, false, now);
  // A resting key of a good target comes after a sound one of a degraded target.
  if (!best.pair || best.pair->key->standing.rest_until > now) best = choose_among(r, a, true, now);
  if (best.pair) best.provider->begin_trial(r.targets[best.target].model, now);
  return best;
}

choice capacity::choose_among(route& r, const ask& a, bool behind_too, instant now) const {
  choice best, last_resort;
  double total = 0;
  bool some_are_rested = false;
  for (const auto& s : r.spans) {
    const auto& model = r.targets[s.target].model;
    if (s.provider->open_until(model) > now || (!behind_too && s.provider->is_behind(model, now))) continue;
    const auto* rank = s.provider->rank_of(model);
    const auto score = rank ? std::max(0.0, rank->score) : 1.0;
    const bool has_slot = !s.provider->closed(now);
    for (auto i = s.first; i < s.last; ++i) {
      auto& c = r.candidates[i];
      const auto& standing = c.key->standing;
      if (standing.not_before > now || !is_enabled(a, *c.key)) continue;
      const bool rests = standing.rest_until > now;
      if (!rests) some_are_rested = true;
      if (!has_slot || (rests && some_are_rested)) continue;
      if (c.key->account->closed(now) || !c.learned->limits.fits(a.tokens, now)) continue;
      if (!c.meter->meter.fits({a.tokens, c.meter->withheld_from(a.who), a.left_free}, now)) continue;
      if (rests) {
        if (!last_resort.pair || standing.last_failure < last_resort.pair->key->standing.last_failure)
          last_resort = {&c, s.target, s.provider.get()};
        continue;
      }
      const auto gain = gain_of(c, score, now);
      c.credit += gain;
      total += gain;
      if (!best.pair || c.credit > best.pair->credit) best = {&c, s.target, s.provider.get()};
    }
  }
  if (best.pair) best.pair->credit -= total;
  return some_are_rested ? best : last_resort;
}

void capacity::look_ahead(const route& r, const ask& a, instant now, prospect& out) const {
  auto obstacles = std::move(out.obstacles);
  obstacles.clear();
  out = {};
  out.obstacles = std::move(obstacles);
  bool some_are_rested = false;
  for (const auto& s : r.spans) {
    if (s.provider->open_until(r.targets[s.target].model) > now) continue;
    for (auto i = s.first; i < s.last; ++i) {
      const auto& key = *r.candidates[i].key;
      if (is_enabled(a, key) && key.standing.not_before <= now && key.standing.rest_until <= now)
        some_are_rested = true;
    }
  }
  for (const auto& s : r.spans) {
    const auto open_until = s.provider->open_until(r.targets[s.target].model);
    for (auto i = s.first; i < s.last; ++i) {
      const auto& c = r.candidates[i];
      if (!is_enabled(a, *c.key)) continue;
      auto rest = std::max({open_until, c.key->standing.not_before, now});
      if (some_are_rested) rest = std::max(rest, c.key->standing.rest_until);
      const auto meter = c.meter->meter.look_ahead({a.tokens, c.meter->withheld_from(a.who), a.left_free}, now);
      const auto learned = c.learned->limits.look_ahead(a.tokens, now);
      const auto slot = s.provider->opens_at(now), place = c.key->account->opens_at(now);
      auto bound = std::max(meter.not_before, learned.not_before); // never before, whatever is settled meanwhile
      for (const auto at : {slot, place})
        if (at != instant::max()) bound = std::max(bound, at);
      const auto earliest = std::max(rest, bound);
      if (rest > now)
        out.obstacles.push_back({nullptr, rest});
      else if (slot > now)
        out.obstacles.push_back({s.provider.get(), slot});
      else if (place > now)
        out.obstacles.push_back({c.key->account.get(), place});
      else if (learned.expected > now)
        out.obstacles.push_back({c.learned, learned.expected});
      else if (meter.expected > now)
        out.obstacles.push_back({c.meter.get(), meter.expected});
      else
        out.free_now = true;
      if (rest <= now) {
        const bool smaller_fits = (meter.expected <= now || meter.tokens_only) &&
                                  (learned.expected <= now || learned.tokens_only) && slot <= now && place <= now;
        if (smaller_fits && (meter.tokens_only || learned.tokens_only)) out.tokens_only = true;
        if (meter.tokens_only && !out.short_of_tokens) out.short_of_tokens = c.meter.get();
        if (a.who && c.meter->promised_to == a.who) out.keeps_promise = true;
      }
      if (!out.alive || earliest < out.not_before) {
        out.not_before = earliest;
        out.resting = rest > now && rest >= bound;
      }
      out.alive = true;
    }
  }
}

bool capacity::every_circuit_open(const route& r, instant now) {
  return !r.spans.empty() && std::all_of(r.spans.begin(), r.spans.end(), [&](auto& s) {
    return s.provider->open_until(r.targets[s.target].model) > now;
  });
}

bool capacity::all_behind(const route& r, instant now) {
  bool any = false;
  for (const auto& s : r.spans) {
    const auto& model = r.targets[s.target].model;
    const bool behind = s.provider->is_behind(model, now);
    if (!behind && s.provider->open_until(model) <= now) return false;
    any = any || behind;
  }
  return any;
}

bool capacity::is_outsize(const route& r, std::uint64_t tokens) {
  std::uint64_t widest = 0;
  for (const auto& c : r.candidates) {
    const auto& limit = c.meter->meter.limits().tpm;
    if (!limit) return false;
    widest = std::max(widest, *limit);
  }
  return tokens > widest / 2;
}

void capacity::exclude(const route& r, const std::vector<std::string>& names, std::vector<std::uint32_t>& ids) {
  ids.clear();
  for (const auto& c : r.candidates)
    if (std::find(names.begin(), names.end(), c.key->name) != names.end()) ids.push_back(c.key->id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

const std::shared_ptr<meter_gate>& key_entry::meter_for(const std::string& model) const {
  static const std::shared_ptr<meter_gate> none;
  for (const auto& m : models)
    if (!m.absent && glob_match(m.pattern, model)) return m.served ? m.meter : none;
  return own;
}

learned_gate& key_entry::learned_for(const std::string& model, std::uint64_t& serial) {
  // Patterns let callers name models: those beyond the bound share one.
  const auto known = learned.find(model);
  auto& entry = known != learned.end() ? known->second : learned[learned.size() < most_taught_models ? model : ""];
  if (!entry) {
    entry = std::make_unique<learned_gate>();
    entry->serial = serial++;
  }
  return *entry;
}

std::unique_ptr<route> capacity::resolve(const std::vector<target>& targets) {
  auto r = std::make_unique<route>();
  r->targets = targets;
  for (std::uint32_t i = 0; i < targets.size(); ++i) {
    const auto provider = providers.find(targets[i].provider);
    if (provider == providers.end()) continue;
    route::span s{i, provider->second, r->candidates.size(), 0};
    for (const auto& [name, key] : keys)
      if (!key->absent && key->provider == provider->second)
        if (const auto& meter = key->meter_for(targets[i].model))
          r->candidates.push_back(
              {key, meter, &key->learned_for(targets[i].model, next_gate), key->weight * targets[i].weight});
    s.last = r->candidates.size();
    r->spans.push_back(std::move(s));
  }
  return r;
}

} // namespace mainstay
