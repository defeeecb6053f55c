#include "core/quota_book.hpp"

#include <algorithm>

namespace mainstay {

quota_book::quota_book(quota_cluster cluster, std::optional<quota_past> past, instant start, find_terms find)
  : cluster_(std::move(cluster)), past_(std::move(past)), fresh_(cluster_.size() < 2), start_(start), swept_(start),
    find_(std::move(find)) {
  for (node_index n = 0; n < cluster_.size(); ++n)
    if (n != cluster_.self()) silent_.push_back(n);
}

std::shared_ptr<quota_share> quota_book::share(const std::string& name, const quota_terms& terms) {
  auto& s = shares_[name];
  if (!s) {
    s = std::make_shared<quota_share>(cluster_, name, terms, beginning_of(name), start_);
    due_.add(*s);
  }
  if (s->terms() != terms) s->change(terms);
  return s;
}

quota_start quota_book::beginning_of(std::string_view name) const {
  if (fresh_) return {};
  if (!past_) return {start_, {}};
  if (!past_->ended) return {past_->last, {}};
  const auto known = past_->counted.find(name);
  return {past_->last, known == past_->counted.end() ? 0 : known->second};
}

std::map<std::string, std::uint64_t, std::less<>> quota_book::legacy(instant now) const {
  std::map<std::string, std::uint64_t, std::less<>> out;
  for (const auto& [name, share] : shares_)
    if (const auto amount = share->legacy(now); amount > 0) out.emplace(name, amount);
  return out;
}

std::vector<quota_book::message> quota_book::tick(instant now) {
  std::vector<message> out;
  addressed_asks asks;
  for (auto* one : due_.due(now)) {
    auto& share = static_cast<quota_share&>(*one);
    asks.clear();
    share.tick(now, asks);
    for (const auto& [to, ask] : asks) out.push_back({to, share.name(), ask});
  }
  std::stable_sort(out.begin(), out.end(), [](const message& a, const message& b) { return a.to < b.to; });
  if (now >= swept_ + 10s) {
    swept_ = now;
    std::erase_if(shares_, [&](const auto& s) { return s.second.use_count() == 1 && s.second->idle(now); });
  }
  return out;
}

instant quota_book::next_wake() const noexcept {
  return shares_.empty() ? instant::max() : std::min(swept_ + 10s, due_.next());
}

std::optional<quota_grant> quota_book::on_ask(node_index from, const std::string& name, const quota_ask& ask,
                                              instant now) {
  const auto known = shares_.find(name);
  if (known != shares_.end()) return known->second->on_ask(from, ask, now);
  const auto terms = find_(name);
  if (!terms) return {};
  return share(name, *terms)->on_ask(from, ask, now);
}

void quota_book::on_grant(node_index from, const std::string& name, const quota_grant& grant, instant now) {
  if (const auto s = shares_.find(name); s != shares_.end()) s->second->on_grant(from, grant, now);
}

void quota_book::on_word(node_index from, bool knew_another) {
  const auto place = std::find(silent_.begin(), silent_.end(), from);
  if (past_ || fresh_ || place == silent_.end()) return;
  silent_.erase(place);
  preceded_ = preceded_ || knew_another;
  if (preceded_ || !silent_.empty()) return;
  fresh_ = true;
  for (auto& [name, share] : shares_) share->begin_afresh();
}

void quota_book::on_peer(node_index peer, bool up, std::uint64_t incarnation, instant now) {
  const auto before = cluster_.incarnation_of(peer);
  const auto changed = cluster_.up(peer) != up || (up && before != incarnation);
  cluster_.set_peer(peer, up, incarnation);
  if (!changed) return;
  for (auto& [name, share] : shares_) share->on_peer(peer, before, now);
}

} // namespace mainstay
