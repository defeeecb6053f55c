// Answers to questions in nearly the same words, found without a model: core/jaccard_index says which are near,
// core/question whether one's answer may be the other's. Not thread-safe; a look-up among 100,000 takes less than two
// milliseconds.
#pragma once

#include "core/jaccard_index.hpp"
#include "core/question_book.hpp"

namespace mainstay {

/// An answer to a question that is not the one that was asked.
struct similar_answer {
  std::shared_ptr<const std::string> answer; // null: none
  double score = 0;
};

class lexical_answers {
public:
  explicit lexical_answers(question_book::settings s);
  lexical_answers(const lexical_answers&) = delete;
  lexical_answers& operator=(const lexical_answers&) = delete;

  void reconfigure(question_book::settings s) { book_.reconfigure(s); }
  /// `partition`: everything besides the question that the answer depends on. False: no answer of this question is any
  /// good for another.
  bool put(std::string_view partition, std::string text, std::shared_ptr<const std::string> answer, instant now);
  similar_answer find(std::string_view partition, std::string_view text, double threshold, instant now);
  void clear();

  std::size_t size() const noexcept { return book_.size(); }
  std::size_t bytes() const noexcept { return book_.bytes(); }
  std::uint64_t evictions() const noexcept { return book_.evictions(); }
  /// Look-ups that reached the bound on their work.
  std::uint64_t cut_short() const noexcept { return cut_short_; }

private:
  jaccard_index index_;
  question_book book_;
  std::uint64_t cut_short_ = 0;
};

/// Questions may only answer each other in one of these.
std::string group_of(std::string_view partition, const question&);

} // namespace mainstay
