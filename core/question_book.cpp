#include "core/question_book.hpp"

namespace mainstay {

namespace {

constexpr std::size_t overhead = 320; // nodes, heads of strings

std::string name_of(const question_book::entry& e) { return e.group + '\n' + e.text; }

/// The name is kept twice.
std::size_t footprint(const question_book::entry& e) {
  return 2 * (e.group.size() + e.text.size()) + e.answer->size() + e.index_bytes + overhead;
}

} // namespace

question_book::question_book(settings s, std::function<void(slot)> on_gone)
  : settings_(s), on_gone_(std::move(on_gone)) {}

void question_book::reconfigure(settings s) {
  settings_ = s;
  shrink();
}

std::optional<question_book::slot> question_book::put(entry e) {
  const auto bytes = footprint(e);
  auto name = name_of(e);
  if (auto known = by_question_.find(name); known != by_question_.end()) drop(known->second);
  if (bytes > settings_.bytes / 16) return std::nullopt;
  if (free_.empty()) {
    free_.push_back(static_cast<slot>(entries_.size()));
    entries_.emplace_back();
  }
  const auto s = free_.back();
  free_.pop_back();
  order_.push_back(s);
  entries_[s] = {std::move(e), std::prev(order_.end())};
  by_question_.emplace(std::move(name), s);
  bytes_ += bytes;
  shrink();
  return s;
}

void question_book::expire(instant now) {
  while (!order_.empty() && now - at(order_.front()).born >= settings_.kept) drop(order_.front());
}

void question_book::clear() {
  while (!order_.empty()) drop(order_.front());
}

void question_book::drop(slot s) {
  auto& p = entries_[s];
  on_gone_(s);
  bytes_ -= footprint(p.what);
  by_question_.erase(name_of(p.what));
  order_.erase(p.turn);
  p = {};
  free_.push_back(s);
}

void question_book::shrink() {
  while (size() > 1 && (size() > settings_.entries || bytes_ > settings_.bytes)) {
    ++evictions_;
    drop(order_.front());
  }
}

} // namespace mainstay
