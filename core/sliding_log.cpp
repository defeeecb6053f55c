// Entries live in slots; a ticket is a slot's number and generation. The stamped ones form a list in the order of their
// times, so that the oldest is at hand when it ages out and any of them can leave from the middle.
#include "core/sliding_log.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::uint64_t largest_amount = std::uint64_t{1} << 48;

std::uint64_t ticket_of(std::uint32_t index, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | (std::uint64_t{index} + 1);
}

std::uint32_t index_of(std::uint64_t ticket) noexcept { return static_cast<std::uint32_t>(ticket) - 1; }

} // namespace

std::uint64_t sliding_log::reserve(std::uint64_t amount) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const auto index = free_.back();
  free_.pop_back();
  auto& s = slots_[index];
  s.amount = std::min(amount, largest_amount);
  s.state = slot_state::reserved;
  sum_ += s.amount;
  unstamped_ += s.amount;
  return ticket_of(index, s.generation);
}

void sliding_log::stamp(std::uint64_t ticket, instant at) {
  auto* s = find(ticket);
  if (!s || s->state == slot_state::stamped) return;
  s->state = slot_state::stamped;
  unstamped_ -= s->amount;
  s->at = at;
  link(index_of(ticket));
}

void sliding_log::correct(std::uint64_t ticket, std::uint64_t amount) {
  auto* s = find(ticket);
  if (!s) return;
  amount = std::min(amount, largest_amount);
  sum_ = sum_ - s->amount + amount;
  if (s->state == slot_state::reserved) unstamped_ = unstamped_ - s->amount + amount;
  s->amount = amount;
}

void sliding_log::withdraw(std::uint64_t ticket) {
  if (find(ticket)) release(index_of(ticket));
}

std::uint64_t sliding_log::used(instant now) {
  forget(now);
  return sum_;
}

instant sliding_log::fits_at(std::uint64_t amount, std::uint64_t limit, instant now) {
  forget(now);
  if (limit == 0 && amount > 0) return instant::max();
  const auto allowed = amount > limit ? 0 : limit - amount; // what may still be in use beside it
  if (sum_ <= allowed) return now;
  auto rest = sum_;
  for (auto i = oldest_; i != none; i = slots_[i].newer) {
    rest -= slots_[i].amount;
    if (rest <= allowed) return slots_[i].at + window_;
  }
  return instant::max();
}

instant sliding_log::empty_at(instant now) {
  forget(now);
  return newest_ == none ? now : slots_[newest_].at + window_;
}

sliding_log::slot* sliding_log::find(std::uint64_t ticket) noexcept {
  const auto index = index_of(ticket);
  if (ticket == 0 || index >= slots_.size()) return nullptr;
  auto& s = slots_[index];
  return s.state != slot_state::free && s.generation == ticket >> 32 ? &s : nullptr;
}

void sliding_log::link(std::uint32_t index) noexcept {
  auto& s = slots_[index];
  auto before = newest_; // stamps come nearly in order, so the place is nearly always the end
  while (before != none && slots_[before].at > s.at) before = slots_[before].older;
  s.older = before;
  s.newer = before == none ? oldest_ : slots_[before].newer;
  (s.older == none ? oldest_ : slots_[s.older].newer) = index;
  (s.newer == none ? newest_ : slots_[s.newer].older) = index;
}

void sliding_log::unlink(std::uint32_t index) noexcept {
  auto& s = slots_[index];
  (s.older == none ? oldest_ : slots_[s.older].newer) = s.newer;
  (s.newer == none ? newest_ : slots_[s.newer].older) = s.older;
}

void sliding_log::release(std::uint32_t index) {
  auto& s = slots_[index];
  if (s.state == slot_state::stamped)
    unlink(index);
  else
    unstamped_ -= s.amount;
  sum_ -= s.amount;
  s = slot{.generation = s.generation + 1};
  free_.push_back(index);
}

void sliding_log::forget(instant now) {
  while (oldest_ != none && slots_[oldest_].at + window_ <= now) release(oldest_);
}

} // namespace mainstay
