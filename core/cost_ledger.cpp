#include "core/cost_ledger.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace mainstay {

namespace {

std::string hour_text(std::chrono::sys_time<std::chrono::hours> hour) {
  const auto day = std::chrono::floor<std::chrono::days>(hour);
  const std::chrono::year_month_day date(day);
  char out[32];
  std::snprintf(out, sizeof out, "%04d-%02u-%02u %02d:00", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>((hour - day).count()));
  return out;
}

} // namespace

cost_ledger::amounts& cost_ledger::amounts::operator+=(const amounts& o) noexcept {
  usd += o.usd, saved_usd += o.saved_usd;
  calls += o.calls, unpriced += o.unpriced, saved += o.saved;
  tokens += o.tokens;
  batch_usd += o.batch_usd, batched += o.batched;
  answered += o.answered, rescued += o.rescued, lost += o.lost;
  return *this;
}

cost_ledger::rows::iterator cost_ledger::put(const place& where, const amounts& what) {
  const auto row = rows_.try_emplace(where).first;
  row->second.what += what;
  if (what.usd > 0) spent_[{std::chrono::floor<std::chrono::days>(where.hour), where.client}] += what.usd;
  return row;
}

void cost_ledger::note(rows::iterator row) {
  if (!std::exchange(row->second.changed, true)) changed_.push_back(row);
}

void cost_ledger::add(const place& where, const amounts& what) {
  note(put(where, what));
  drop_oldest();
}

void cost_ledger::drop_oldest() {
  const auto newest = rows_.empty() ? decltype(place::hour){} : rows_.rbegin()->first.hour;
  while (!rows_.empty() && (rows_.size() > most_rows || rows_.begin()->first.hour + kept_for < newest)) {
    const auto oldest = rows_.begin();
    if (oldest->second.changed) changed_.erase(std::find(changed_.begin(), changed_.end(), oldest));
    rows_.erase(oldest);
  }
  while (!spent_.empty() && spent_.begin()->first.first + kept_for < newest) spent_.erase(spent_.begin());
}

double cost_ledger::spent_today(const std::string& client, utc_time now) const {
  const auto found = spent_.find({std::chrono::floor<std::chrono::days>(now), client});
  return found == spent_.end() ? 0 : found->second;
}

utc_time cost_ledger::end_of_day(utc_time now) noexcept {
  return std::chrono::floor<std::chrono::days>(now) + std::chrono::days(1);
}

std::vector<std::pair<std::string, cost_ledger::amounts>> cost_ledger::sums(by what, utc_time from) const {
  std::map<std::string, amounts> groups;
  const auto name = [&](const place& p) {
    switch (what) {
    case by::model: return p.model;
    case by::client: return p.client;
    case by::provider: return p.provider;
    case by::hour: return hour_text(p.hour);
    }
    return std::string();
  };
  const place first{std::chrono::floor<std::chrono::hours>(from), {}, {}, {}};
  for (auto row = rows_.lower_bound(first); row != rows_.end(); ++row) groups[name(row->first)] += row->second.what;
  std::vector<std::pair<std::string, amounts>> out(groups.begin(), groups.end());
  if (what != by::hour)
    std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.second.usd > b.second.usd; });
  return out;
}

cost_ledger::amounts cost_ledger::total(utc_time from) const {
  amounts all;
  for (const auto& [name, part] : sums(by::model, from)) all += part;
  return all;
}

std::vector<cost_ledger::row> cost_ledger::changes() {
  std::vector<row> out;
  for (const auto row : std::exchange(changed_, {})) {
    row->second.changed = false;
    out.push_back({row->first, row->second.what});
  }
  return out;
}

void cost_ledger::changed_still(const std::vector<row>& rows) {
  for (const auto& r : rows)
    if (const auto found = rows_.find(r.where); found != rows_.end()) note(found);
}

void cost_ledger::restore(const std::vector<row>& rows) {
  for (const auto& r : rows) put(r.where, r.what);
  drop_oldest();
}

} // namespace mainstay
