// Answers to questions that mean nearly the same, by vectors that a model gave: net/vector_index says which are near,
// core/question refuses where numbers, negations, names and the like differ, for models hardly see that. Not
// thread-safe.
#pragma once

#include "core/lexical_answers.hpp"
#include "net/vector_index.hpp"

namespace mainstay {

class embedded_answers {
public:
  explicit embedded_answers(question_book::settings);
  embedded_answers(const embedded_answers&) = delete;
  embedded_answers& operator=(const embedded_answers&) = delete;

  void reconfigure(question_book::settings s) { book_.reconfigure(s); }
  /// False: no answer of this question is any good for another, or its vector is no direction. A vector of another
  /// length than those here is of another model: those here go.
  bool put(std::string_view partition, std::string text, std::span<const float>, std::shared_ptr<const std::string>,
           instant now);
  similar_answer find(std::string_view partition, std::string_view text, std::span<const float>, double threshold,
                      instant now);

  std::size_t size() const noexcept { return book_.size(); }
  std::size_t bytes() const noexcept { return book_.bytes(); }
  std::uint64_t evictions() const noexcept { return book_.evictions(); }

private:
  std::unique_ptr<vector_index> index_; // null: none yet
  question_book book_;
};

} // namespace mainstay
