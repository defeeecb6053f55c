// Which of a provider's circuits an outcome belongs to, who holds a permit, and what is news.
#include "core/breaker.hpp"

#include <algorithm>
#include <tuple>

namespace mainstay {
namespace {

constexpr std::size_t models_kept = 1000;

struct verdicts {
  endpoint_choice::outcome endpoint;
  verdict model;
};

verdicts judge(std::optional<failure_class> what, bool slow, std::optional<duration> first_byte) noexcept {
  using enum endpoint_choice::outcome::kind;
  if (!what) return {{answered, first_byte}, slow ? verdict::slow : verdict::success};
  const failure_rules& rules = rules_of(*what);
  const bool late = *what == failure_class::first_byte_timeout || *what == failure_class::idle_timeout ||
                    *what == failure_class::total_timeout;
  if (rules.model_circuit) return {{late ? silent : failing, {}}, verdict::failure}; // the endpoint took the call
  if (rules.endpoint_circuit) return {{unreachable, {}}, verdict::neutral};          // the model was never reached
  const bool ended = *what == failure_class::cancelled || *what == failure_class::deadline;
  return {{ended ? neutral : refused, {}}, verdict::neutral};
}

} // namespace

provider_breaker::provider_breaker(circuit_settings settings) : settings_(settings), endpoint_(settings) {}

void provider_breaker::reconfigure(circuit_settings settings, const std::vector<way_settings>& ways,
                                   std::uint32_t per_host) {
  settings_ = settings;
  endpoint_.reconfigure(settings, ways, per_host);
  for (auto& [name, entry] : models_) entry.state.reconfigure(settings);
}

provider_breaker::answer provider_breaker::ask(lease_id lease, const std::string& model, instant now, double draw,
                                               const wish& how) {
  if (const auto held = permits_.find(lease); held != permits_.end()) {
    const auto& at = held->second.endpoint;
    return {true, now, endpoint_.name_of(at), at.other_way};
  }
  auto at_endpoint = endpoint_.ask(how, now, draw);
  if (!at_endpoint.by) {
    const auto known = models_.find(model);
    const bool open = known != models_.end() && known->second.state.state(now) == circuit_state::open;
    const auto at = open ? std::max(at_endpoint.retry_at, known->second.state.open_until()) : at_endpoint.retry_at;
    return {false, at, {}, false};
  }
  model_entry& entry = entry_of(model, now);
  const circuit::permit at_model = entry.state.ask(now);
  if (!at_model.granted) {
    endpoint_.settle(at_endpoint, {}, now, 0);
    return {false, at_model.retry_at, {}, false};
  }
  ++entry.permits;
  answer yes{true, now, endpoint_.name_of(at_endpoint), at_endpoint.other_way};
  permits_.emplace(lease, held{model, entry.incarnation, std::move(at_endpoint), at_model.generation});
  return yes;
}

void provider_breaker::settle(lease_id lease, std::optional<failure_class> what, instant now, double draw,
                              std::optional<duration> first_word, std::optional<duration> first_byte) {
  const auto found = permits_.find(lease);
  if (found == permits_.end()) return;
  const bool slow = settings_.slow_call > 0s && first_word && *first_word >= settings_.slow_call;
  const verdicts judged = judge(what, slow, first_byte);
  end(found->second, judged.endpoint, judged.model, now, draw);
  permits_.erase(found);
}

void provider_breaker::release_owner(request_id request, instant now, serial_range which) {
  std::erase_if(permits_, [&](const auto& permit) {
    if (permit.first.request != request || !which.holds(permit.first.serial)) return false;
    end(permit.second, {}, verdict::neutral, now, 0);
    return true;
  });
}

void provider_breaker::end(const held& permit, const endpoint_choice::outcome& endpoint, verdict model, instant now,
                           double draw) {
  endpoint_.settle(permit.endpoint, endpoint, now, draw);
  const auto found = models_.find(permit.model);
  if (found == models_.end() || found->second.incarnation != permit.incarnation) return;
  model_entry& entry = found->second;
  --entry.permits;
  entry.state.settle(permit.model_generation, model, now, draw);
  if (entry.state.state(now) != circuit_state::closed)
    watched_.try_emplace(permit.model, told{circuit_state::closed, false, {}, {}});
}

provider_breaker::model_entry& provider_breaker::entry_of(const std::string& model, instant now) {
  auto found = models_.find(model);
  if (found == models_.end()) {
    if (models_.size() >= models_kept) forget_one(now);
    found = models_.emplace(model, model_entry{circuit(settings_), ++incarnations_, now}).first;
  }
  found->second.last_asked = now;
  return found->second;
}

/// The longest unasked of those that are closed and idle; if there is none, of the idle; if there is none, of all.
void provider_breaker::forget_one(instant now) {
  const auto worth = [now](const auto& named) {
    const model_entry& entry = named.second;
    const bool closed = entry.state.state(now) == circuit_state::closed;
    return std::tuple(entry.permits > 0, !closed, entry.last_asked);
  };
  models_.erase(std::min_element(models_.begin(), models_.end(),
                                 [&](const auto& a, const auto& b) { return worth(a) < worth(b); }));
}

void provider_breaker::looked_at(sign what, const std::vector<std::string>& models, instant now, double draw,
                                 const std::string& way) {
  if (what == sign::unreachable) return endpoint_.still_down(way, now, draw);
  if (what == sign::answers) endpoint_.advice_over(way, now);
  endpoint_.let_try(way, now);
  for (const auto& model : models) {
    const auto found = models_.find(model);
    if (found == models_.end()) continue;
    if (what == sign::answers) found->second.state.advice_over(now);
    found->second.state.let_try(now);
  }
}

bool provider_breaker::advise(const circuit_word& word, instant now) {
  const bool open = word.state == circuit_state::open;
  const bool over = word.state == circuit_state::closed;
  const auto until = open ? word.until : now;
  if (word.model.empty()) {
    if (open) return endpoint_.advise(word.way, word.from, until, now);
    if (over) return endpoint_.advice_over(word.way, now);
    return true;
  }
  auto known = models_.find(word.model);
  if (known == models_.end()) {
    if (!open) return true;
    if (models_.size() >= models_kept / 2) return false; // the rest is for what callers ask for here
    entry_of(word.model, now);
    known = models_.find(word.model);
  }
  auto& [name, entry] = *known;
  if (open) {
    entry.state.advise(until, now);
    entry.told_by = word.from;
    watched_.try_emplace(name, told{circuit_state::closed, false, {}, {}});
  } else if (over) {
    entry.state.advice_over(now);
  }
  return true;
}

instant provider_breaker::advice_ends(instant now) const {
  auto first = endpoint_.advice_ends(now);
  for (const auto& [name, last] : watched_)
    if (const auto found = models_.find(name); found != models_.end())
      first = std::min(first, found->second.state.advice_ends(now));
  return first;
}

void provider_breaker::force(order what, instant now) {
  switch (what) {
  case order::open: endpoint_.force(circuit_state::open, now); return;
  case order::close: endpoint_.force(circuit_state::closed, now); return;
  case order::automatic: break;
  }
  endpoint_.automatic(now);
  for (auto& [name, entry] : models_) entry.state.automatic(now);
}

provider_breaker::view provider_breaker::look(const std::string& model, const model_entry& entry, instant now) {
  const circuit& of = entry.state;
  return {model,
          of.state(now),
          of.forced(),
          of.consecutive_failures(),
          of.times_opened(),
          of.open_until(),
          of.advised(now) ? entry.told_by : ""};
}

provider_breaker::view provider_breaker::endpoint_view(instant now) const {
  const auto s = endpoint_.sum(now);
  return {{}, s.state, s.forced, s.consecutive_failures, s.times_opened, s.open_until, s.told_by};
}

std::vector<provider_breaker::view> provider_breaker::views(instant now) const {
  std::vector<view> all{endpoint_view(now)};
  for (const auto& [name, entry] : models_) all.push_back(look(name, entry, now));
  return all;
}

/// Reopening between two looks is news too: the time not to ask before is another one.
bool provider_breaker::news(const view& of, told& last) {
  const bool other_time = of.state == circuit_state::open && of.open_until != last.open_until;
  if (of.state == last.state && of.forced == last.forced && of.told_by == last.told_by && !other_time) return false;
  last = {of.state, of.forced, of.open_until, of.told_by};
  return true;
}

std::vector<provider_breaker::view> provider_breaker::take_changes(instant now) {
  std::vector<view> changes;
  if (auto endpoint = endpoint_view(now); news(endpoint, endpoint_told_)) changes.push_back(std::move(endpoint));
  for (auto watched = watched_.begin(); watched != watched_.end();) {
    auto& [name, last] = *watched;
    if (const auto found = models_.find(name); found == models_.end()) {
      changes.push_back({name, circuit_state::closed, false, 0, 0, now, {}});
      last.state = circuit_state::closed;
    } else if (auto of_model = look(name, found->second, now); news(of_model, last)) {
      changes.push_back(std::move(of_model));
    }
    watched = last.state == circuit_state::closed ? watched_.erase(watched) : std::next(watched);
  }
  return changes;
}

} // namespace mainstay
