#include "core/lexical_answers.hpp"

namespace mainstay {

namespace {

constexpr std::size_t most_judged = 16;     // of those that are near enough, best first
constexpr std::size_t bytes_a_feature = 24; // in the index, with a share of what is there once for all

std::uint64_t number_of(const std::string& group) { return std::hash<std::string>{}(group); }

} // namespace

std::string group_of(std::string_view partition, const question& q) {
  std::string out(partition);
  out += '\n';
  return out += q.exact;
}

lexical_answers::lexical_answers(question_book::settings s)
  : book_(s, [this](question_book::slot gone) { index_.remove(gone); }) {}

bool lexical_answers::put(std::string_view partition, std::string text, std::shared_ptr<const std::string> answer,
                          instant now) {
  const auto asked = read_question(text);
  if (!asked || !answer) return false;
  book_.expire(now);
  auto group = group_of(partition, *asked);
  const auto number = number_of(group);
  const auto slot =
      book_.put({std::move(group), std::move(text), std::move(answer), now, asked->features.size() * bytes_a_feature});
  if (slot) index_.add(*slot, number, asked->features);
  return slot.has_value();
}

similar_answer lexical_answers::find(std::string_view partition, std::string_view text, double threshold, instant now) {
  const auto asked = read_question(text);
  if (!asked) return {};
  book_.expire(now);
  const auto group = group_of(partition, *asked);
  const auto near = index_.find(number_of(group), asked->features, threshold, most_judged);
  cut_short_ += index_.cut_short();
  for (const auto& m : near) {
    const auto& e = book_.at(m.id);
    const auto other = e.group == group ? read_question(e.text) : std::nullopt;
    if (other && may_share_an_answer(*asked, *other)) return {e.answer, m.score};
  }
  return {};
}

void lexical_answers::clear() { book_.clear(); }

} // namespace mainstay
