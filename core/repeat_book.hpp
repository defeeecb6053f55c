// Requests that carry an idempotency key: who is the first under a key, who waits for it, and which answers are given
// again. Keeps answers in bounded memory, the oldest goes first; a shell may have more of them elsewhere and is then
// asked to look there before the first one runs. Promises: of those who ask under one key and body, one at a time is
// told to go on; whoever waits is told in the end what to do, in the order of asking; another body under a key that is
// in use or has its answer is told so; a key is free again when its answer's life is over, or its request ended without
// an answer that may be repeated. No clock of its own.
#pragma once

#include "core/clock.hpp"
#include "core/kept_answer.hpp"

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace mainstay {

class repeat_book {
public:
  struct bounds {
    std::size_t entries = 10000, bytes = 64u << 20; // of answers
    duration life = 24h;
  };
  explicit repeat_book(const bounds& b) : bounds_(b) {}
  /// For answers to come.
  void set_bounds(const bounds& b) { bounds_ = b; }

  struct asker {
    std::uint64_t who = 0;   // never used twice
    std::string fingerprint; // of the body
    instant until{};         // it is gone by then
  };
  enum class verdict : std::uint8_t { first, repeated, other_body, wait };
  struct told {
    std::uint64_t who = 0;
    verdict what = verdict::wait;
    kept_answer_ptr answer; // of `repeated`
  };

  /// Asking again, under the same `who`, gets the same again.
  told ask(const std::string& key, asker, instant now);

  /// The first under a key was looked for elsewhere and found: it, and whoever waits, is told what that means for them.
  /// It is not kept here too: only where it was found is known for how long.
  std::vector<told> found(const std::string& key, const std::string& fingerprint, kept_answer_ptr);

  /// That request is over. With an answer that may be repeated it is kept and whoever waits gets it; without (null),
  /// the next who waits is told to go on. Of who is not the first, only its waiting ends.
  std::vector<told> over(const std::string& key, std::uint64_t who, kept_answer_ptr, instant now);

  /// Who was told to go on under this key; null: nobody is under way.
  const asker* first(const std::string& key) const;

  /// The firsts that should be gone, and never said so, are over.
  std::vector<std::pair<std::string, told>> sweep(instant now);

  std::size_t answers() const noexcept { return answers_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t under_way() const noexcept { return flights_.size(); }
  std::size_t waiting() const noexcept { return waiting_; }

private:
  struct kept {
    std::string key, fingerprint;
    kept_answer_ptr answer;
    instant until{};
    std::size_t cost = 0;
  };
  struct flight {
    asker first;
    std::deque<asker> waiters;
  };
  const kept* look(const std::string& key, instant now);
  void keep(const std::string& key, const std::string& fingerprint, kept_answer_ptr, instant now);
  void drop(std::list<kept>::iterator);
  std::vector<told> pass_on(const std::string& key, instant now);
  std::vector<told> settle(const std::string& key, const std::string& fingerprint, const kept_answer_ptr&,
                           bool with_first);

  bounds bounds_;
  std::list<kept> by_age_; // the oldest in front
  std::unordered_map<std::string, std::list<kept>::iterator> answers_;
  std::map<std::string, flight> flights_;
  std::size_t bytes_ = 0, waiting_ = 0;
};

} // namespace mainstay
