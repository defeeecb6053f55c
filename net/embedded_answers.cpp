#include "net/embedded_answers.hpp"

namespace mainstay {

namespace {

constexpr std::size_t most_judged = 16;     // of those that are near enough, best first
constexpr std::size_t bytes_of_links = 250; // of a vector among others

std::uint64_t number_of(const std::string& group) { return std::hash<std::string>{}(group); }

} // namespace

embedded_answers::embedded_answers(question_book::settings s)
  : book_(s, [this](question_book::slot gone) { index_->remove(gone); }) {}

bool embedded_answers::put(std::string_view partition, std::string text, std::span<const float> vector,
                           std::shared_ptr<const std::string> answer, instant now) {
  const auto asked = read_question(text);
  if (!asked || !answer || !is_direction(vector)) return false;
  if (index_ && index_->dimensions() != vector.size()) book_.clear();
  if (!index_ || index_->dimensions() != vector.size()) index_ = std::make_unique<vector_index>(vector.size());
  book_.expire(now);
  auto group = group_of(partition, *asked);
  const auto number = number_of(group);
  const auto slot = book_.put(
      {std::move(group), std::move(text), std::move(answer), now, vector.size() * sizeof(float) + bytes_of_links});
  if (slot) index_->add(*slot, number, vector);
  return slot.has_value();
}

similar_answer embedded_answers::find(std::string_view partition, std::string_view text, std::span<const float> vector,
                                      double threshold, instant now) {
  const auto asked = read_question(text);
  if (!asked || !index_) return {};
  book_.expire(now);
  const auto group = group_of(partition, *asked);
  for (const auto& m : index_->find(number_of(group), vector, threshold, most_judged)) {
    const auto& e = book_.at(m.id);
    const auto other = e.group == group ? read_question(e.text) : std::nullopt;
    if (other && state_the_same(*asked, *other)) return {e.answer, m.score};
  }
  return {};
}

} // namespace mainstay
