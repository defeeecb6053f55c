#include "core/repeat_book.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t bookkeeping = 256; // bytes of an answer's place, about

} // namespace

void repeat_book::drop(std::list<kept>::iterator k) {
  bytes_ -= k->cost;
  answers_.erase(k->key);
  by_age_.erase(k);
}

const repeat_book::kept* repeat_book::look(const std::string& key, instant now) {
  while (!by_age_.empty() && by_age_.front().until <= now) drop(by_age_.begin());
  const auto it = answers_.find(key); // one that came under a shorter life is over before those in front of it
  return it == answers_.end() || it->second->until <= now ? nullptr : &*it->second;
}

void repeat_book::keep(const std::string& key, const std::string& fingerprint, kept_answer_ptr answer, instant now) {
  const auto cost = answer->bytes() + 2 * key.size() + fingerprint.size() + bookkeeping;
  if (cost > bounds_.bytes || look(key, now)) return;
  if (const auto over = answers_.find(key); over != answers_.end()) drop(over->second);
  bytes_ += cost;
  by_age_.push_back({key, fingerprint, std::move(answer), now + bounds_.life, cost});
  answers_.emplace(key, std::prev(by_age_.end()));
  while (answers_.size() > bounds_.entries || bytes_ > bounds_.bytes) drop(by_age_.begin());
}

repeat_book::told repeat_book::ask(const std::string& key, asker a, instant now) {
  if (const auto* k = look(key, now)) {
    if (k->fingerprint != a.fingerprint) return {a.who, verdict::other_body, nullptr};
    return {a.who, verdict::repeated, k->answer};
  }
  const auto [it, fresh] = flights_.try_emplace(key);
  auto& f = it->second;
  const auto who = a.who;
  if (fresh || f.first.who == who) {
    f.first = std::move(a);
    return {who, verdict::first, nullptr};
  }
  if (f.first.fingerprint != a.fingerprint) return {who, verdict::other_body, nullptr};
  if (std::none_of(f.waiters.begin(), f.waiters.end(), [&](auto& w) { return w.who == who; })) {
    f.waiters.push_back(std::move(a));
    ++waiting_;
  }
  return {who, verdict::wait, nullptr};
}

/// The flight ends with this answer, for each of its askers.
std::vector<repeat_book::told> repeat_book::settle(const std::string& key, const std::string& fingerprint,
                                                   const kept_answer_ptr& answer, bool with_first) {
  std::vector<told> out;
  auto node = flights_.extract(key);
  if (!node) return out;
  const auto tell = [&](const asker& a) {
    const bool same = a.fingerprint == fingerprint;
    out.push_back({a.who, same ? verdict::repeated : verdict::other_body, same ? answer : nullptr});
  };
  auto& f = node.mapped();
  if (with_first) tell(f.first);
  for (auto& w : f.waiters) tell(w);
  waiting_ -= f.waiters.size();
  return out;
}

std::vector<repeat_book::told> repeat_book::found(const std::string& key, const std::string& fingerprint,
                                                  kept_answer_ptr answer) {
  return settle(key, fingerprint, answer, true);
}

/// The first is over without an answer: the next one that is still there goes on.
std::vector<repeat_book::told> repeat_book::pass_on(const std::string& key, instant now) {
  const auto it = flights_.find(key);
  auto& f = it->second;
  while (!f.waiters.empty()) {
    f.first = std::move(f.waiters.front());
    f.waiters.pop_front();
    --waiting_;
    if (f.first.until > now) return {{f.first.who, verdict::first, nullptr}};
  }
  flights_.erase(it);
  return {};
}

std::vector<repeat_book::told> repeat_book::over(const std::string& key, std::uint64_t who, kept_answer_ptr answer,
                                                 instant now) {
  const auto it = flights_.find(key);
  if (it == flights_.end()) return {};
  auto& f = it->second;
  if (f.first.who != who) {
    waiting_ -= std::erase_if(f.waiters, [&](auto& w) { return w.who == who; });
    return {};
  }
  if (!answer) return pass_on(key, now);
  const auto fingerprint = f.first.fingerprint;
  keep(key, fingerprint, answer, now);
  return settle(key, fingerprint, answer, false);
}

const repeat_book::asker* repeat_book::first(const std::string& key) const {
  const auto it = flights_.find(key);
  return it == flights_.end() ? nullptr : &it->second.first;
}

std::vector<std::pair<std::string, repeat_book::told>> repeat_book::sweep(instant now) {
  std::vector<std::string> late;
  for (auto& [key, f] : flights_)
    if (f.first.until <= now) late.push_back(key);
  std::vector<std::pair<std::string, told>> out;
  for (auto& key : late)
    for (auto& t : pass_on(key, now)) out.emplace_back(key, std::move(t));
  return out;
}

} // namespace mainstay
