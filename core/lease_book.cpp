// One hash look-up per operation: what a request holds is a few entries side by side under its number.
#include "core/lease_book.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

namespace mainstay {

namespace {

template <class List>
auto find_in(List& list, lease_id id) {
  return std::find_if(list.begin(), list.end(), [&](const auto& entry) {
    if constexpr (requires { entry->id; })
      return entry->id == id;
    else
      return entry.id == id;
  });
}

template <class Owners, class Member>
auto* find_entry(Owners& owners, lease_id id, Member member) {
  const auto found = owners.find(id.request);
  using entry = std::remove_reference_t<decltype(*(found->second.*member).begin())>;
  if (found == owners.end()) return static_cast<entry*>(nullptr);
  auto& list = found->second.*member;
  const auto place = find_in(list, id);
  return place == list.end() ? static_cast<entry*>(nullptr) : &*place;
}

bool is_empty(const lease_book::owner& o) noexcept {
  return o.leases.empty() && o.admissions.empty() && o.waiting.empty();
}

} // namespace

key_lease* lease_book::find_lease(lease_id id) { return find_entry(owners_, id, &owner::leases); }

client_lease* lease_book::find_admission(lease_id id) { return find_entry(owners_, id, &owner::admissions); }

waiter* lease_book::find_waiter(lease_id id) {
  auto* found = find_entry(owners_, id, &owner::waiting);
  return found ? found->get() : nullptr;
}

key_lease& lease_book::add(key_lease l) {
  watch(l.expires, l.id);
  ++leases_;
  return owners_[l.id.request].leases.emplace_back(std::move(l));
}

client_lease& lease_book::add(client_lease l) {
  watch(l.expires, l.id);
  ++leases_;
  return owners_[l.id.request].admissions.emplace_back(std::move(l));
}

waiter& lease_book::add(std::unique_ptr<waiter> w) {
  return *owners_[w->id.request].waiting.emplace_back(std::move(w));
}

template <class T>
std::optional<T> lease_book::take(lease_id id, std::vector<T> owner::*member) {
  const auto found = owners_.find(id.request);
  if (found == owners_.end()) return {};
  auto& list = found->second.*member;
  const auto place = find_in(list, id);
  if (place == list.end()) return {};
  std::optional<T> taken(std::move(*place));
  list.erase(place);
  if (is_empty(found->second)) owners_.erase(found);
  return taken;
}

void lease_book::keep(lease_id id, instant expires) {
  auto* l = find_lease(id);
  if (!l || expires <= l->expires) return;
  l->expires = expires;
  watch(expires, id);
}

std::optional<key_lease> lease_book::take_lease(lease_id id) {
  auto taken = take(id, &owner::leases);
  if (taken) --leases_;
  return taken;
}

std::optional<client_lease> lease_book::take_admission(lease_id id) {
  auto taken = take(id, &owner::admissions);
  if (taken) --leases_;
  return taken;
}

std::unique_ptr<waiter> lease_book::take_waiter(lease_id id) {
  auto taken = take(id, &owner::waiting);
  return taken ? std::move(*taken) : nullptr;
}

lease_book::owner lease_book::take_owner(request_id request, serial_range which) {
  const auto found = owners_.find(request);
  if (found == owners_.end()) return {};
  owner taken;
  const auto move_out = [&](auto& from, auto& to) {
    const auto stays = [&](const auto& entry) {
      if constexpr (requires { entry->id; })
        return !which.holds(entry->id.serial);
      else
        return !which.holds(entry.id.serial);
    };
    const auto gone = std::stable_partition(from.begin(), from.end(), stays);
    std::move(gone, from.end(), std::back_inserter(to));
    from.erase(gone, from.end());
  };
  move_out(found->second.leases, taken.leases);
  move_out(found->second.admissions, taken.admissions);
  move_out(found->second.waiting, taken.waiting);
  if (is_empty(found->second)) owners_.erase(found);
  leases_ -= taken.leases.size() + taken.admissions.size();
  return taken;
}

void lease_book::watch(instant at, lease_id id) {
  if (expiries_.size() > 2 * leases_ + 1024) {
    std::erase_if(expiries_, [&](const expiry& e) { return !is_current(e); });
    std::make_heap(expiries_.begin(), expiries_.end(), std::greater<>{});
  }
  expiries_.push_back({at, id});
  std::push_heap(expiries_.begin(), expiries_.end(), std::greater<>{});
}

bool lease_book::is_current(const expiry& e) {
  if (const auto* l = find_lease(e.id); l && l->expires == e.at) return true;
  const auto* a = find_admission(e.id);
  return a && a->expires == e.at;
}

instant lease_book::next_expiry() {
  while (!expiries_.empty() && !is_current(expiries_.front())) {
    std::pop_heap(expiries_.begin(), expiries_.end(), std::greater<>{});
    expiries_.pop_back();
  }
  return expiries_.empty() ? instant::max() : expiries_.front().at;
}

std::optional<lease_id> lease_book::expired(instant now) {
  return next_expiry() <= now ? std::optional(expiries_.front().id) : std::nullopt;
}

std::vector<waiter*> lease_book::waiters() const {
  std::vector<waiter*> all;
  for (const auto& [request, o] : owners_)
    for (const auto& w : o.waiting) all.push_back(w.get());
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->order < b->order; });
  return all;
}

} // namespace mainstay
