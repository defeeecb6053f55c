#include "actors/batches.hpp"

#include "core/token_estimate.hpp"
#include "net/batch_prompt.hpp"
#include "net/sha256.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::uint64_t without_window = 100'000; // tokens of a call, where the model's window is not known
constexpr std::uint64_t longest_answer = 16'000;  // tokens of all caps together: few models say more at once

std::optional<chat_request> read(const journal_request& r) {
  auto parsed = parse_chat_request(r.body);
  auto* asked = std::get_if<chat_request>(&parsed);
  return asked ? std::optional(std::move(*asked)) : std::nullopt;
}

/// The shortest that the deadline or a provider of the first choice allows.
duration time_for(const config::model_settings& model, const config::settings& s) {
  auto limit = s.deadline;
  for (auto& t : model.ladder.empty() ? config::target_group{} : model.ladder.front())
    if (auto* p = s.provider(t.provider)) limit = std::min(limit, p->timeouts.total);
  return limit;
}

/// The call's labels, and what this one's own are.
header_list labels_of(const header_list& of_call, const batch_part& part, const batch_call& call) {
  header_list out = of_call;
  std::erase_if(out, [](auto& h) { return h.first == "x-request-id"; });
  out.emplace_back("x-request-id", part.name);
  out.emplace_back("x-mainstay-batch", std::to_string(call.parts.size()));
  out.emplace_back("x-mainstay-batch-call", call.name);
  return out;
}

} // namespace

bool batch_call::call_off(std::int64_t number) {
  std::replace(numbers.begin(), numbers.end(), number, std::int64_t{0});
  return std::all_of(numbers.begin(), numbers.end(), [](auto n) { return n == 0; });
}

std::optional<batch_composer> batch_composer::begin(const journal_request& first, const config::settings& s) {
  auto asked = read(first);
  const auto* model = asked ? s.model(asked->model) : nullptr;
  if (!model) return std::nullopt;
  return batch_composer(*model, time_for(*model, s), first, std::move(*asked));
}

batch_composer::batch_composer(const config::model_settings& model, duration limit, const journal_request& first,
                               chat_request asked)
  : first_(std::move(asked)), window_(model.context_window) {
  call_.model = model.name;
  call_.limit = limit;
  call_.shape = first.shape;
  take(first, first_);
  call_.shared_tokens = first_.prompt_tokens - std::min(first_.prompt_tokens, taken_.front().part.tokens);
}

bool batch_composer::add(const journal_request& r) {
  const auto asked = read(r);
  return asked && take(r, *asked);
}

bool batch_composer::take(const journal_request& r, const chat_request& asked) {
  auto text = part_text(asked);
  text_profile weight;
  weight.add(text);
  const auto own = weight.tokens(), answer = asked.answer_cap > 0 ? asked.answer_cap : usual_answer_tokens;
  const bool first = taken_.empty();
  const auto asked_then = asked_ + (first ? asked.prompt_tokens : own), answers_then = answers_ + answer;
  if (!first && (asked_then + answers_then > window_.value_or(without_window) || answers_then > longest_answer))
    return false;
  asked_ = asked_then;
  answers_ = answers_then;
  taken_.push_back({r.number,
                    {r.name, own, asked.answer_cap},
                    asked.prompt_tokens,
                    std::move(text),
                    r.upstream_key.empty() ? r.name : r.upstream_key});
  return true;
}

batch_composer::composed batch_composer::finish() && {
  std::sort(taken_.begin(), taken_.end(), [](auto& a, auto& b) { return a.number < b.number; });
  std::vector<std::string> texts;
  std::string keys;
  for (auto& t : taken_) {
    call_.numbers.push_back(t.number);
    call_.parts.push_back(std::move(t.part));
    call_.prompt_tokens.push_back(t.prompt_tokens);
    texts.push_back(std::move(t.text));
    keys += t.key + '\n';
  }
  composed out{merged_body(first_, texts), "batch_" + hex(sha256(keys)), std::move(call_)};
  const auto parsed = parse_chat_request(out.body);
  if (const auto* merged = std::get_if<chat_request>(&parsed)) out.call.merged_tokens = merged->prompt_tokens;
  return out;
}

batch_outcome take_apart(const batch_call& call, const kept_answer& a, utc_time now) {
  auto split = split_batch(*a.body, call.parts, call.shared_tokens, now);
  batch_outcome out{{}, split.usage, split.cut_short};
  for (std::size_t i = 0; i < call.parts.size(); ++i) {
    auto& body = split.completions[i];
    out.answers.push_back(body ? std::make_shared<const kept_answer>(
                                     kept_answer{a.status, labels_of(a.headers, call.parts[i], call), std::move(body)})
                               : nullptr);
  }
  return out;
}

std::size_t batch_outcome::answered() const {
  return static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), [](auto& a) { return a != nullptr; }));
}

std::optional<failure_class> refusal_of(const kept_answer& a, utc_time now) {
  if (!settles(a)) return std::nullopt;
  if (a.status >= 300) return classify(read_error(a.status, a.headers, a.body ? *a.body : std::string(), now));
  const auto* reason = find_header(a.headers, "x-mainstay-reason");
  const auto form = failure_class::unsupported_feature;
  return reason && *reason == to_string(form) ? std::optional(form) : std::nullopt;
}

batch_report batch_book::of_model::count(const batch_call& call, const batch_outcome& outcome) {
  const auto got = outcome.answered();
  std::uint64_t alone_tokens = 0;
  for (std::size_t i = 0; i < outcome.answers.size(); ++i)
    if (outcome.answers[i]) alone_tokens += call.prompt_tokens[i];
  ++calls;
  parts += outcome.answers.size();
  answered += got;
  alone += outcome.answers.size() - got;
  batch_report told{call.model, call.client, got, outcome.answers.size() - got, static_cast<std::int64_t>(got) - 1, 0};
  // As the provider counts: by what it made of our estimate for the call.
  const auto asked = static_cast<double>(outcome.usage ? outcome.usage->input : call.merged_tokens);
  const auto ratio = call.merged_tokens > 0 ? asked / static_cast<double>(call.merged_tokens) : 1;
  told.tokens_saved = static_cast<std::int64_t>(ratio * static_cast<double>(alone_tokens) - asked);
  calls_saved += told.calls_saved;
  tokens_saved += told.tokens_saved;
  return told;
}

} // namespace mainstay
