#include "core/model_ranking.hpp"

#include <utility>

namespace mainstay {

namespace {

constexpr int enough_good_calls = 3; // in a row, to be what it was

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

} // namespace

void model_ranking::reconfigure(std::optional<model_ranking_settings> s) {
  settings_ = s;
  if (settings_) return;
  for (auto& [model, e] : models_) forgotten_.push_back(model);
  models_.clear();
}

void model_ranking::measure(entry& e) {
  e.share = static_cast<double>(e.successes) / e.calls;
  e.mean_s = e.successes ? e.seconds / e.successes : 0;
  e.score = 0.7 * e.share + 0.3 / (1 + e.mean_s);
  e.changed = any_changed_ = true;
}

void model_ranking::begin_block(entry& e) noexcept {
  e.calls = e.successes = 0;
  e.seconds = 0;
}

void model_ranking::record(const std::string& model, bool success, duration first_word, instant now) {
  if (!settings_) return;
  if (models_.size() >= models_limit && !models_.count(model)) {
    forgotten_.push_back(models_.begin()->first);
    models_.erase(models_.begin());
  }
  auto& e = models_[model];
  ++e.calls;
  ++e.all_calls;
  if (success) {
    ++e.successes;
    e.seconds += seconds(first_word);
  }
  if (e.degraded)
    try_again(e, success && first_word <= settings_->latency, now);
  else
    judge(e, now);
}

void model_ranking::judge(entry& e, instant now) {
  const auto& s = *settings_;
  const auto share = static_cast<double>(e.successes) / e.calls;
  const bool slow = e.successes > 0 && e.seconds / e.successes > seconds(s.latency);
  if (e.calls >= s.min_calls && (share < s.success_rate || slow)) {
    measure(e);
    e.degraded = true;
    e.since = now;
    e.good_in_a_row = 0;
  } else if (e.calls >= s.rebalance_every) {
    measure(e);
  } else {
    return;
  }
  begin_block(e);
}

/// What was under way when it was degraded says nothing new, and comes in crowds.
void model_ranking::try_again(entry& e, bool good, instant now) {
  if (now - e.since < settings_->check_interval) return begin_block(e);
  e.good_in_a_row = good ? e.good_in_a_row + 1 : 0;
  if (e.good_in_a_row < enough_good_calls) return;
  measure(e);
  e.degraded = false;
  begin_block(e);
}

model_ranking::view model_ranking::view_of(const std::string& model, const entry& e) const {
  const auto mean = std::chrono::duration_cast<duration>(std::chrono::duration<double>(e.mean_s));
  return {model, e.score, e.share, mean, e.all_calls, e.degraded, settings_->check_interval};
}

std::vector<model_ranking::view> model_ranking::views() const {
  std::vector<view> out;
  for (auto& [model, e] : models_) out.push_back(view_of(model, e));
  return out;
}

std::vector<model_ranking::view> model_ranking::take_changes() {
  std::vector<view> out;
  for (auto& model : forgotten_) {
    out.emplace_back();
    out.back().model = std::move(model);
  }
  forgotten_.clear();
  if (!std::exchange(any_changed_, false)) return out;
  for (auto& [model, e] : models_)
    if (std::exchange(e.changed, false)) out.push_back(view_of(model, e));
  return out;
}

} // namespace mainstay
