#include "core/answer_cache.hpp"

#include <functional>

namespace mainstay {

namespace {

constexpr std::size_t entry_overhead = 200; // list node, index node, string heads
// As the paper has them: the small queue gets a tenth; more than one use there leads to the main queue; a use counts at
// most three rounds there.
constexpr std::size_t small_share = 10;
constexpr std::uint8_t uses_to_stay = 2, most_uses = 3;

std::size_t footprint(std::size_t key, std::size_t value) { return key + value + entry_overhead; }

std::uint64_t fingerprint(std::string_view key) { return std::hash<std::string_view>{}(key); }

} // namespace

answer_cache::answer_cache(settings s) : settings_(s) {}

void answer_cache::reconfigure(settings s) {
  settings_ = s;
  shrink();
}

const answer_cache::item* answer_cache::find(const std::string& key, instant now) {
  auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  auto& e = *it->second;
  if (now - e.what.born >= settings_.kept) {
    drop(it->second);
    return nullptr;
  }
  if (e.uses < most_uses) ++e.uses;
  return &e.what;
}

void answer_cache::put(const std::string& key, item what) {
  auto it = index_.find(key);
  if (it != index_.end() && it->second->what.born > what.born) return;
  const bool fits = what.value && footprint(key.size(), what.value->size()) <= settings_.bytes / 16;
  if (!fits) {
    if (it != index_.end()) drop(it->second); // what it was to replace is out of date
    return;
  }
  if (it != index_.end()) { // keeps its place
    count(*it->second, false);
    it->second->what = std::move(what);
    count(*it->second, true);
  } else {
    const bool known = ghosts_.forget(fingerprint(key));
    auto& to = known ? main_ : small_;
    to.entries.push_front({key, std::move(what), known ? home::main : home::small, 0});
    const auto p = to.entries.begin();
    index_.emplace(p->key, p);
    count(*p, true);
    if (known && dear(*p)) p->uses = 1;
  }
  shrink();
}

void answer_cache::clear() {
  index_.clear();
  small_ = {};
  main_ = {};
  ghosts_.clear();
  cost_ = 0;
}

void answer_cache::count(const entry& e, bool comes) noexcept {
  const auto bytes = footprint(e.key.size(), e.what.value->size());
  auto& sum = queue_of(e).bytes;
  sum = comes ? sum + bytes : sum - bytes;
  cost_ = comes ? cost_ + e.what.cost : cost_ - e.what.cost;
}

void answer_cache::drop(place p) {
  count(*p, false);
  index_.erase(p->key);
  queue_of(*p).entries.erase(p);
}

void answer_cache::evict(place p) {
  ++evictions_;
  drop(p);
}

bool answer_cache::dear(const entry& e) const noexcept {
  const auto own = footprint(e.key.size(), e.what.value->size());
  return static_cast<double>(e.what.cost) * static_cast<double>(bytes()) >
         static_cast<double>(cost_) * static_cast<double>(own);
}

void answer_cache::promote(place p) {
  const auto bytes = footprint(p->key.size(), p->what.value->size());
  small_.bytes -= bytes;
  main_.bytes += bytes;
  main_.entries.splice(main_.entries.begin(), small_.entries, p);
  p->where = home::main;
  p->uses = dear(*p) ? 1 : 0;
}

bool answer_cache::too_much() const noexcept { return size() > settings_.entries || bytes() > settings_.bytes; }

bool answer_cache::small_has_its_share() const noexcept {
  return small_.entries.size() * small_share >= settings_.entries || small_.bytes >= settings_.bytes / small_share;
}

void answer_cache::shrink() {
  while (too_much())
    if (!small_.entries.empty() && (main_.entries.empty() || small_has_its_share()))
      make_room_in_small();
    else
      make_room_in_main();
}

void answer_cache::make_room_in_small() {
  const auto last = std::prev(small_.entries.end());
  if (last->uses >= uses_to_stay) return promote(last);
  ghosts_.add(fingerprint(last->key), size());
  evict(last);
}

void answer_cache::make_room_in_main() {
  const auto last = std::prev(main_.entries.end());
  if (last->uses == 0) return evict(last);
  --last->uses;
  main_.entries.splice(main_.entries.begin(), main_.entries, last);
}

// One that is forgotten leaves its turn in the queue behind, which counts for nobody any more.
void answer_cache::ghosts::add(std::uint64_t who, std::size_t most) {
  turns_[who] = next_;
  order_.push_back({who, next_++});
  while (order_.size() > most) {
    const auto first = order_.front();
    order_.pop_front();
    if (auto it = turns_.find(first.who); it != turns_.end() && it->second == first.turn) turns_.erase(it);
  }
}

bool answer_cache::ghosts::forget(std::uint64_t who) { return turns_.erase(who) > 0; }

void answer_cache::ghosts::clear() {
  order_.clear();
  turns_.clear();
}

} // namespace mainstay
