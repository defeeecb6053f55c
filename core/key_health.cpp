// What each outcome does to a key's standing, and when that is worth telling.
#include "core/key_health.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {
namespace {

constexpr double alpha = 0.1;                // weight of the newest outcome in the health
constexpr double worth_telling = 0.02;       // of health alone
constexpr int failures_that_disable = 5;     // in a row, the key's own
constexpr duration quota_rest = 1h;          // at least, when a quota is spent
constexpr duration first_429_rest = 1s;      // doubling, where the provider said nothing
constexpr int patience_with_retry_after = 2; // so often in a row what it said is taken at its word
constexpr duration longest_429_rest = 5min;
constexpr duration longest_wait = 24h; // of what a provider may ask for: one absurd number must not cost a key

duration sane(duration wait) noexcept { return std::clamp<duration>(wait, duration::zero(), longest_wait); }

duration doubled(duration rest, int times) noexcept {
  return std::max(rest, std::min<duration>(rest * (1 << std::clamp(times, 0, 9)), longest_429_rest));
}

duration rest_after_429(std::optional<duration> said, int in_a_row) noexcept {
  if (!said || *said <= duration::zero()) return doubled(first_429_rest, in_a_row - 1);
  return doubled(sane(*said), in_a_row - patience_with_retry_after);
}

bool equal_but_health(const key_standing& a, const key_standing& b) noexcept {
  return a.disabled == b.disabled && a.not_before == b.not_before && a.rest_until == b.rest_until &&
         a.last_failure == b.last_failure;
}

bool counts_against_key(const failure_rules& rules) noexcept {
  return rules.whose == blame::key || rules.model_circuit || rules.endpoint_circuit;
}

} // namespace

void key_book::reconfigure(const std::vector<entry_settings>& keys) {
  std::map<std::string, entry> next;
  for (const entry_settings& settings : keys) {
    const auto known = keys_.find(settings.key);
    const bool same = known != keys_.end() && known->second.settings.secret_hash == settings.secret_hash;
    entry& kept = next[settings.key];
    kept = same ? known->second : entry{};
    kept.settings = settings;
    kept.standing.key = settings.key;
  }
  keys_ = std::move(next);
}

std::optional<key_standing> key_book::on_outcome(const std::string& key, std::optional<failure_class> what,
                                                 std::optional<duration> retry_after, instant now) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  entry& it = found->second;
  const key_standing before = it.effective();
  if (!what)
    it.succeed(now);
  else if (counts_against_key(rules_of(*what)))
    it.fail(*what, retry_after, now);
  else
    return std::nullopt;
  if (equal_but_health(before, it.effective()) && std::abs(it.standing.health - it.told_health) < worth_telling)
    return std::nullopt;
  return it.tell();
}

void key_book::entry::succeed(instant now) {
  ++successes;
  consecutive_failures = consecutive_429 = 0;
  standing.health += alpha * (1 - standing.health);
  standing.rest_until = {};
  last_success = now;
  if (advice.dead) advice = {};
  advice.untried = false; // also where a rest has taken the place of such a word
  refute();
  if (!standing.disabled && standing.not_before <= now) why.clear();
}

void key_book::entry::refute() {
  for (auto& [peer, refuted] : accusers) refuted = true;
}

void key_book::entry::fail(failure_class what, std::optional<duration> retry_after, instant now) {
  ++failures;
  advice.untried = false;
  standing.health -= alpha * standing.health;
  standing.last_failure = std::max(standing.last_failure, now);
  // What comes back while the key must wait belongs to calls sent before: the same trouble, not one more of it.
  const bool fresh = now >= standing.not_before;
  switch (what) {
  case failure_class::auth:
    ++consecutive_failures;
    if (!standing.disabled) why = to_string(what);
    standing.disabled = true;
    return;
  case failure_class::quota_spent:
    consecutive_failures += fresh;
    hold(now + std::max(quota_rest, sane(retry_after.value_or(duration::zero()))));
    break;
  case failure_class::rate_limited:
    // No step towards disabling: the key works, it was only used too fast, by us or by someone else.
    consecutive_429 += fresh;
    hold(now + rest_after_429(retry_after, consecutive_429));
    break;
  default: // the target's or the network's fault; perhaps another key has more luck
    standing.rest_until = std::max(standing.rest_until, now + std::max(settings.rest, duration::zero()));
    break;
  }
  if (standing.disabled) return;
  // A spent quota stays the reason while it lasts, whatever else goes wrong meanwhile.
  if (fresh || what == failure_class::quota_spent) why = to_string(what);
  standing.disabled = consecutive_failures >= failures_that_disable;
}

void key_book::entry::hold(instant until) noexcept { standing.not_before = std::max(standing.not_before, until); }

key_standing key_book::entry::effective() const {
  key_standing all = standing;
  all.not_before = std::max(all.not_before, advice.until);
  return all;
}

key_standing key_book::entry::tell() {
  told_health = standing.health;
  return effective();
}

std::optional<key_standing> key_book::advise(const key_word& word, instant now) {
  const auto found = keys_.find(word.key);
  if (found == keys_.end()) return std::nullopt;
  entry& it = found->second;
  auto& advice = it.advice;
  const instant before = it.effective().not_before;
  if (!word.disabled)
    it.accusers.erase(word.from);
  else if (it.accusers.try_emplace(word.from, false).first->second)
    return std::nullopt;
  if (!word.stands(now)) {
    if (advice.from != word.from) return std::nullopt;
    advice = {};
  } else if (word.disabled) {
    const bool works = it.last_success && now - *it.last_success < fresh_success;
    if (works || advice.untried || it.standing.disabled) return std::nullopt;
    advice = {word.from, word.why, std::max(advice.until, now + longest_advice), true, true};
  } else {
    const instant until = std::min(word.until, now + longest_advice);
    if (until <= advice.until) return std::nullopt;
    advice.from = word.from;
    advice.why = word.why;
    advice.until = until;
    advice.dead = false;
  }
  if (it.effective().not_before == before) return std::nullopt;
  return it.tell();
}

std::optional<key_word> key_book::own_word(const std::string& key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  const entry& it = found->second;
  const bool dead = it.standing.disabled && it.why != by_operator;
  return key_word{key, dead, it.standing.not_before, it.why, it.settings.secret_hash, {}};
}

std::optional<key_standing> key_book::disable(const std::string& key, std::string why, instant) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  found->second.standing.disabled = true;
  found->second.why = std::move(why);
  return found->second.tell();
}

std::optional<key_standing> key_book::enable(const std::string& key, instant) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  entry& it = found->second;
  it.standing = key_standing{.key = key};
  it.why.clear();
  it.advice = {};
  it.refute();
  it.consecutive_failures = it.consecutive_429 = 0;
  return it.tell();
}

std::vector<key_book::view> key_book::views(instant now) const {
  std::vector<view> all;
  for (const auto& [name, it] : keys_) {
    const bool told = !it.standing.disabled && it.standing.not_before <= now && it.advice.until > now;
    all.push_back({it.effective(), told ? it.advice.why : it.why, it.successes, it.failures, it.consecutive_failures,
                   told ? it.advice.from : ""});
  }
  return all;
}

std::vector<key_standing> key_book::standings() const {
  std::vector<key_standing> all;
  for (const auto& [name, it] : keys_) all.push_back(it.effective());
  return all;
}

} // namespace mainstay
