// Questions with their answers, for searches by nearness: a bounded number in slots that an index beside it can refer
// to. The oldest goes first, for what is older is nearer to its end anyway; who asks the same again takes its own
// former place. Owns no index: tells it what left.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mainstay {

class question_book {
public:
  struct settings {
    std::size_t entries = 100'000;
    std::size_t bytes = 256u << 20; // of questions, answers and what the index needs for them
    duration kept = 1h;             // from an answer's birth on; then it is gone
  };
  struct entry {
    std::string group, text; // text: the question's
    std::shared_ptr<const std::string> answer;
    instant born{};
    std::size_t index_bytes = 0;
  };
  using slot = std::uint32_t; // small numbers, used again

  question_book(settings, std::function<void(slot)> on_gone);
  /// Smaller bounds evict at once.
  void reconfigure(settings);

  /// None: it is larger than a sixteenth of the byte bound.
  std::optional<slot> put(entry);
  void expire(instant now);
  void clear();

  const entry& at(slot s) const { return entries_[s].what; }
  std::size_t size() const noexcept { return order_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::uint64_t evictions() const noexcept { return evictions_; }

private:
  struct place {
    entry what;
    std::list<slot>::iterator turn{};
  };
  void drop(slot);
  void shrink();

  settings settings_;
  std::function<void(slot)> on_gone_;
  std::vector<place> entries_;
  std::vector<slot> free_;
  std::list<slot> order_;                             // the oldest first
  std::unordered_map<std::string, slot> by_question_; // by group and text
  std::size_t bytes_ = 0;
  std::uint64_t evictions_ = 0;
};

} // namespace mainstay
