// A caller's body: what is let through gives bodies for providers that say the same, and keys that depend on nothing
// but what is asked.
#include "net/chat_request.hpp"
#include "net/batch_prompt.hpp"
#include "net/chat_messages.hpp"
#include "net/json_tree.hpp"
#include "net/leave_out.hpp"
#include "net/truncation.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

chat_request must_parse(bytes_ptr body) {
  auto read = parse_chat_request(std::move(body));
  MUST(std::holds_alternative<chat_request>(read));
  return std::get<chat_request>(std::move(read));
}

void check_upstream(const chat_request& request) {
  const auto other = must_parse(upstream_body(request, "another \"model\"\\"));
  MUST(other.model == "another \"model\"\\");
  MUST(other.stream == request.stream && other.wants_usage == (request.stream || request.wants_usage));
  MUST(other.prompt_tokens == request.prompt_tokens && other.choices == request.choices);
  MUST(other.answer_cap == request.answer_cap && other.plain_text == request.plain_text);
  MUST(other.assistant_last == request.assistant_last);
  if (!request.stream || request.wants_usage) MUST(upstream_body(request, request.model) == request.bytes);
  if (request.assistant_last) return;
  const prefill begun{"so \"far\"\n", 5};
  const auto going_on = must_parse(upstream_body(request, "m", &begun));
  MUST(going_on.assistant_last && going_on.model == "m");
  MUST(going_on.answer_cap <= request.answer_cap && (going_on.answer_cap > 0) == (request.answer_cap > 0));
  MUST(json::parse(*going_on.bytes)->find("messages")->items.back().find("content")->text == begun.text);
}

/// Members in another order, all through. False: some name stands twice, where the order has a meaning.
bool shuffle(json::value& v, mainstay::fuzz::draws& draw) {
  for (auto& item : v.items)
    if (!shuffle(item, draw)) return false;
  if (!v.is(json::kind::object)) return true;
  for (std::size_t i = v.items.size(); i > 1; --i) std::swap(v.items[i - 1], v.items[draw.below(i)]);
  std::vector<std::string_view> names;
  for (const auto& item : v.items) names.push_back(item.name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

void check_key(const chat_request& request, mainstay::fuzz::draws& draw) {
  const auto key = cache_key(request, "scope");
  MUST(key.size() == 64 && key != cache_key(request, "other"));
  auto tree = json::parse(*request.bytes);
  MUST(tree);
  if (shuffle(*tree, draw)) MUST(cache_key(must_parse(make_bytes(json::to_text(*tree))), "scope") == key);
  MUST(cache_key(must_parse(upstream_body(request, request.model)), "scope") == key);
}

void check_messages(const chat_request& request) {
  const std::string_view text = *request.bytes;
  const auto messages = read_messages(request);
  MUST(text[messages.list.begin] == '[' && messages.list.end == request.messages_end + 1);
  MUST((messages.all.back().role == chat_role::assistant) == request.assistant_last);
  std::uint64_t tokens = messages.other_tokens;
  for (const auto& m : messages.all) {
    const auto tree = json::parse(text.substr(m.where.begin, m.where.end - m.where.begin));
    MUST(tree && tree->is(json::kind::object));
    if (m.text) MUST(json::parse(text.substr(m.text->begin, m.text->end - m.text->begin))->is(json::kind::string));
    tokens += m.tokens;
  }
  MUST(tokens >= request.prompt_tokens); // each part is rounded up
  MUST(last_user_text(request, 20).size() <= 20);
}

void check_shorter(const chat_request& request, mainstay::fuzz::draws& draw) {
  const auto budget = draw.below(static_cast<std::size_t>(request.prompt_tokens) + 2);
  const auto shorter = leave_out_oldest(request, budget);
  if (!shorter) return;
  const auto left = must_parse(shorter);
  MUST(left.prompt_tokens <= budget && budget < request.prompt_tokens);
  MUST(left.model == request.model && left.stream == request.stream && left.plain_text == request.plain_text);
  MUST(left.answer_cap == request.answer_cap && left.assistant_last == request.assistant_last);
}

void check_without(const chat_request& request) {
  const auto needless = dispensable_features(request);
  if (needless.none()) return;
  const auto left = must_parse(leave_out(request, needless));
  MUST(dispensable_features(left).none());
  MUST(left.model == request.model && left.stream == request.stream && left.answer_cap == request.answer_cap);
  MUST(left.assistant_last == request.assistant_last && left.prompt_tokens <= request.prompt_tokens);
}

void check_batch(const chat_request& request) {
  const auto shape = batch_shape(request, "scope");
  if (shape.empty()) return;
  MUST(request.plain_text && !request.stream);
  const auto merged = must_parse(merged_body(request, {part_text(request), "and \"this\""}));
  MUST(merged.model == request.model && !merged.stream);
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const auto body = make_bytes(std::string(input));
  for (auto kind : {request_kind::chat, request_kind::embeddings}) {
    const auto read = parse_request(kind, body);
    if (const auto* problem = std::get_if<request_problem>(&read)) {
      MUST(!problem->message.empty());
      continue;
    }
    const auto& request = std::get<chat_request>(read);
    MUST(!request.model.empty() && request.model.size() <= 256);
    const auto& at = request.model_value;
    MUST(json::parse(input.substr(at.begin, at.end - at.begin))->text == request.model);
    if (kind == request_kind::embeddings) {
      const auto asked = upstream_body(request, "another");
      const auto other = parse_embeddings_request(asked);
      MUST(std::holds_alternative<chat_request>(other) && std::get<chat_request>(other).model == "another");
      continue;
    }
    check_upstream(request);
    check_key(request, draw);
    check_messages(request);
    check_shorter(request, draw);
    check_without(request);
    check_batch(request);
  }
}
