#include "net/batch_answer.hpp"

#include "core/token_estimate.hpp"
#include "net/canned_completion.hpp"
#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <optional>

namespace mainstay {
namespace {

constexpr std::uint64_t form_tokens = 8; // of an entry's number, names and brackets, for the shares alone

// {"parts":[{"part":1,"answer":"..."},...]}: depth 1 in the object, 2 in the list, 3 in an entry. What ends in the
// middle leaves the entries that were whole.
struct entry_reader : json::handler {
  struct entry {
    std::uint64_t part = 0;
    std::string answer;
  };
  std::vector<entry> found;
  bool foreign = false; // something else than what was asked for
  int depth = 0;
  enum class member : std::uint8_t { none, part, answer } inner{};
  std::optional<std::uint64_t> part;
  std::optional<std::string> answer;
  bool spoiled = false; // the entry

  bool stop() { return foreign = true, false; }
  bool key(std::string_view name) {
    if (depth == 1) return name == "parts" || stop();
    inner = name == "part" ? member::part : name == "answer" ? member::answer : member::none;
    if (inner == member::none || (inner == member::part ? part.has_value() : answer.has_value())) spoiled = true;
    return true;
  }
  bool string(std::string_view text) {
    if (depth < 3) return stop();
    if (inner == member::answer)
      answer = text;
    else
      spoiled = true;
    if (at->lone_surrogate()) spoiled = true;
    return true;
  }
  bool number(std::string_view spelled) {
    if (depth < 3) return stop();
    if (inner == member::part)
      part = json::whole_number(spelled);
    else
      spoiled = true;
    return true;
  }
  bool other() { return depth < 3 ? stop() : (spoiled = true); }
  bool boolean(bool) { return other(); }
  bool null() { return other(); }
  bool begin_object() {
    if (depth == 1 || depth >= 3) return stop(); // not below an entry: nothing there is ours
    ++depth;
    part.reset();
    answer.reset();
    spoiled = false;
    return true;
  }
  bool end_object() {
    if (depth-- == 3) {
      if (!part) return stop(); // nobody knows whose it is
      found.push_back({*part, spoiled || !answer ? std::string() : std::move(*answer)});
    }
    return true;
  }
  bool begin_array() {
    if (depth != 1) return stop();
    return ++depth, true;
  }
  bool end_array() { return --depth, true; }
};

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

/// The text of each part that has one; none at all if the whole cannot be trusted.
std::vector<std::optional<std::string>> texts_in(std::string_view content, std::size_t parts, bool cut_short) {
  std::vector<std::optional<std::string>> out(parts);
  entry_reader reader;
  const auto read = json::read(content, reader);
  if (reader.foreign || (!read && !(cut_short && read.what == json::outcome::cut_off))) return out;
  std::vector<int> times(parts, 0);
  bool last = false;
  for (auto& e : reader.found) {
    if (e.part == 0 || e.part > parts) return std::vector<std::optional<std::string>>(parts);
    auto& text = out[e.part - 1];
    last |= e.part == parts;
    if (++times[e.part - 1] > 1 || blank(e.answer))
      text.reset();
    else
      text = std::move(e.answer);
  }
  if (!last && !cut_short) return std::vector<std::optional<std::string>>(parts);
  for (std::size_t i = 0; i < parts; ++i)
    if (times[i] > 1) out[i].reset();
  return out;
}

/// Shares of a whole that add up to it: each is what all up to it have, less what those before it have.
std::vector<std::uint64_t> shares(std::uint64_t whole, const std::vector<std::uint64_t>& weights) {
  double all = 0, upto = 0;
  for (auto w : weights) all += static_cast<double>(w);
  std::vector<std::uint64_t> out(weights.size());
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    upto += static_cast<double>(weights[i]);
    const bool is_last = i + 1 == weights.size();
    const auto exact = static_cast<double>(whole) * (all > 0 ? upto / all : 1);
    const auto reached = is_last || exact >= static_cast<double>(whole) ? whole : static_cast<std::uint64_t>(exact);
    out[i] = std::max(reached, given) - given;
    given += out[i];
  }
  return out;
}

std::uint64_t weight_of(const std::optional<std::string>& text) {
  if (!text) return 0;
  text_profile p;
  p.add(*text);
  return p.tokens() + form_tokens;
}

/// An answer that may be longer than its cap would have been cut there: that is for its provider to do. A fifth is for
/// the shares being estimates.
void drop_too_long(std::vector<std::optional<std::string>>& texts, const std::vector<batch_part>& parts,
                   const std::optional<token_usage>& usage) {
  std::vector<std::uint64_t> weights;
  for (auto& t : texts) weights.push_back(weight_of(t));
  const auto said = usage ? shares(usage->output - std::min(usage->output, usage->reasoning), weights) : weights;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].cap > 0 && said[i] > parts[i].cap - parts[i].cap / 5) texts[i].reset();
}

} // namespace

split_answer split_batch(std::string_view completion, const std::vector<batch_part>& parts, std::uint64_t shared_tokens,
                         utc_time now) {
  split_answer out;
  out.completions.resize(parts.size());
  const auto facts = read_completion(completion);
  out.usage = facts.usage;
  out.cut_short = facts.finish_reason == "length";
  const auto tree = json::parse(completion);
  const auto* choices = tree ? tree->find("choices") : nullptr;
  if (!facts.valid || !choices || choices->items.size() != 1 || (facts.finish_reason != "stop" && !out.cut_short))
    return out;
  const auto* message = choices->items.front().find("message");
  const auto* content = message ? message->find("content") : nullptr;
  if (!content) return out;
  auto texts = texts_in(content->string_or_empty(), parts.size(), out.cut_short);
  drop_too_long(texts, parts, out.usage);

  std::vector<std::size_t> answered;
  std::vector<std::uint64_t> asked_weights, said_weights;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!texts[i]) continue;
    answered.push_back(i);
    said_weights.push_back(weight_of(texts[i]));
  }
  for (auto i : answered) asked_weights.push_back(shared_tokens + parts[i].tokens * answered.size());
  const auto whole = out.usage.value_or(token_usage{});
  const auto input = shares(whole.input, asked_weights), cached = shares(whole.cached, asked_weights),
             writes = shares(whole.cache_writes, asked_weights);
  const auto output = shares(whole.output, said_weights), reasoning = shares(whole.reasoning, said_weights);
  for (std::size_t k = 0; k < answered.size(); ++k) {
    const auto i = answered[k];
    std::optional<token_usage> usage;
    if (out.usage) usage = token_usage{input[k], output[k], cached[k], reasoning[k], writes[k]};
    out.completions[i] = make_bytes(own_completion(*texts[i], facts.model, parts[i].name, now, usage));
  }
  return out;
}

} // namespace mainstay
