// What a node has to tell its peers, one word for each subject (core/peer_word): what changed is due at once, but for
// the same subject no more often than every `pause`; what still stands is said again every `renew`; who comes is told
// all that stands. Bounded: of more than `most` subjects at a time the later ones are not told. Pure: time is passed
// in.
#pragma once

#include "core/clock.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

template <class Word>
class news_board {
public:
  static constexpr duration pause = 300ms;
  static constexpr std::size_t most = 2000;

  /// `renew`: zero: never.
  explicit news_board(duration renew = 0s) : renew_(renew) {}

  /// Found here. What is well and was not known to be otherwise is no news.
  void take(Word word, instant now) {
    const auto known = entries_.find(word.subject());
    if (known != entries_.end()) {
      known->second.latest = std::move(word);
    } else if (!word.over(now) && entries_.size() < most) {
      auto subject = word.subject();
      entries_.emplace(std::move(subject), entry{std::move(word), std::nullopt, now});
    }
  }

  /// To be told to all peers now. What is over and told is forgotten here, and so is what was over before it was told.
  std::vector<Word> due(instant now) {
    std::vector<Word> out;
    for (auto it = entries_.begin(); it != entries_.end();) {
      auto& e = it->second;
      const bool over = e.latest.over(now);
      const bool news = e.told ? !e.latest.same(*e.told) : !over;
      if (now >= next(e, now)) {
        if (over && !news) {
          it = entries_.erase(it);
          continue;
        }
        out.push_back(e.latest);
        e.told = e.latest;
        e.told_at = now;
      }
      ++it;
    }
    return out;
  }

  /// When there is something due, or to be forgotten; none: not before the next word.
  std::optional<instant> next_due(instant now) const {
    auto first = instant::max();
    for (const auto& [subject, e] : entries_) first = std::min(first, next(e, now));
    return first == instant::max() ? std::nullopt : std::optional(first);
  }

  /// For who has just come.
  std::vector<Word> standing(instant now) const {
    std::vector<Word> out;
    for (const auto& [subject, e] : entries_)
      if (e.latest.stands(now)) out.push_back(e.latest);
    return out;
  }

  /// What is said of what is gone: nobody is told that it is over.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(entries_, [&](const auto& known) { return gone(known.second.latest); });
  }

  std::size_t size() const noexcept { return entries_.size(); }

private:
  struct entry {
    Word latest;
    std::optional<Word> told;
    instant told_at;
  };
  instant next(const entry& e, instant now) const {
    if (!e.told) return e.told_at;
    if (!e.latest.same(*e.told) || e.latest.over(now)) return e.told_at + pause;
    return renew_ > 0s ? e.told_at + renew_ : instant::max();
  }

  duration renew_;
  std::map<std::string, entry> entries_; // by subject
};

} // namespace mainstay
