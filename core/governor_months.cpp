// The governor's months: what the date is, what an earlier process counted, and what the next one must be told.
#include "core/governor_body.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

void governor::set_date(const calendar& date) {
  auto& all = body_->all;
  all.today = date;
  for (auto& [name, key] : all.keys) key->account->month.look_again();
}

void governor::restore(std::vector<month_count> counts) {
  auto& all = body_->all;
  for (auto& c : counts) {
    const auto found = all.keys.find(c.key);
    if (found != all.keys.end() && found->second->provider->name == c.provider)
      found->second->account->month.restore(c.month, c.used);
    else
      all.earlier.insert_or_assign({c.provider, c.key}, std::move(c));
  }
}

std::vector<month_count> governor::month_counts(instant now) {
  std::vector<month_count> out;
  for (auto& [name, key] : body_->all.keys) {
    auto& month = key->account->month;
    if (!month.limit()) continue;
    const auto used = month.used(body_->all.today, now);
    out.push_back({key->provider->name, name, month.month(), used});
  }
  return out;
}

bool governor::notes_due() const noexcept { return body_->notes_due; }

std::vector<month_count> governor::month_notes(note_time when, instant now) {
  std::vector<month_count> out;
  body_->notes_due = false;
  const auto& today = body_->all.today;
  for (auto& [name, key] : body_->all.keys) {
    auto& month = key->account->month;
    const auto note =
        when == note_time::at_once ? month.note_at_once(today, now) : month.note_after_a_moment(today, now);
    if (note) out.push_back({key->provider->name, name, month.month(), *note});
  }
  return out;
}

bool governor::notes_are_ahead() const noexcept {
  return std::any_of(body_->all.keys.begin(), body_->all.keys.end(),
                     [](auto& k) { return k.second->account->month.note_is_ahead(); });
}

void governor::note_again() noexcept {
  for (auto& [name, key] : body_->all.keys) key->account->month.note_again();
}

} // namespace mainstay
