#include "core/request_story.hpp"

#include <algorithm>
#include <array>

namespace mainstay {

namespace {

constexpr std::array<std::string_view, 24> names{
    "admitted", "kept",   "cache asked", "cache hit",   "cache missed", "similar asked", "similar", "old one asked",
    "shared",   "asked",  "granted",     "no capacity", "no permit",    "sent",          "head",    "first token",
    "over",     "paused", "shortened",   "left out",    "canned",       "recovered",     "moved",   "came home"};

/// What a mark begins; empty: nothing that takes time.
std::string_view begins(story_mark m) noexcept {
  switch (m) {
  case story_mark::cache_asked: return "cache";
  case story_mark::similar_asked: return "similar";
  case story_mark::stale_asked: return "stale";
  case story_mark::shared: return "flight";
  case story_mark::capacity_asked: return "queue";
  case story_mark::paused: return "pause";
  default: return {};
  }
}

/// Marks of an attempt that goes on beside what the request as a whole does.
bool beside(story_mark m) noexcept {
  return m == story_mark::head || m == story_mark::first_token || m == story_mark::attempt_over;
}

} // namespace

std::string_view to_string(story_mark m) noexcept { return names[static_cast<std::size_t>(m)]; }

void request_story::add(story_mark what, duration at, std::uint8_t attempt) {
  using std::chrono::microseconds;
  const auto us = std::max<std::int64_t>(0, std::chrono::duration_cast<microseconds>(at).count());
  if (marks_.capacity() == 0) marks_.reserve(10); // what an ordinary request comes to
  if (marks_.size() == first_kept + last_kept) {
    marks_.erase(marks_.begin() + first_kept);
    ++left_out_;
  }
  marks_.push_back({static_cast<std::uint64_t>(us), static_cast<std::uint64_t>(what), attempt});
}

std::vector<request_story::entry> request_story::all() const {
  std::vector<entry> out;
  out.reserve(marks_.size());
  for (const auto& m : marks_)
    out.push_back(
        {std::chrono::microseconds(m.us), static_cast<story_mark>(m.what), static_cast<std::uint8_t>(m.attempt)});
  return out;
}

std::vector<request_story::span> request_story::spans(duration took) const {
  std::vector<span> out;
  span open;
  const auto close = [&](duration at) {
    if (!open.what.empty()) out.push_back({open.what, open.begin, std::max(open.begin, at)});
    open = {};
  };
  for (const auto& e : all()) {
    if (open.what == "queue" && beside(e.what)) continue; // a second call is to go beside a first one
    close(e.at);
    open = {begins(e.what), e.at, e.at};
  }
  close(took);
  return out;
}

duration request_story::queued(duration took) const noexcept {
  duration sum{};
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (static_cast<story_mark>(marks_[i].what) != story_mark::capacity_asked) continue;
    auto next = i + 1;
    while (next < marks_.size() && beside(static_cast<story_mark>(marks_[next].what))) ++next;
    const duration begin = std::chrono::microseconds(marks_[i].us);
    sum += (next < marks_.size() ? std::chrono::microseconds(marks_[next].us) : took) - begin;
  }
  return std::max(sum, duration{});
}

bool request_story::asked_for_capacity() const noexcept {
  return std::any_of(marks_.begin(), marks_.end(),
                     [](auto& m) { return static_cast<story_mark>(m.what) == story_mark::capacity_asked; });
}

} // namespace mainstay
