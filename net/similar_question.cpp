#include "net/similar_question.hpp"

#include "net/chat_messages.hpp"
#include "net/chat_request.hpp"
#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {

namespace {

/// The text of a message's content: a string, or parts that are nothing but text.
std::optional<std::string> text_of(const json::value& content) {
  if (content.is(json::kind::string)) return content.text;
  if (!content.is(json::kind::array) || content.items.empty()) return std::nullopt;
  std::string out;
  for (const auto& part : content.items) {
    const auto *type = part.find("type"), *text = part.find("text");
    if (part.items.size() != 2 || !type || type->string_or_empty() != "text" || !text || !text->is(json::kind::string))
      return std::nullopt;
    if (!out.empty()) out += '\n';
    out += text->text;
  }
  return out;
}

bool is_nothing(const json::value* v) {
  return !v || v->is(json::kind::null) || (v->is(json::kind::array) && v->items.empty());
}

} // namespace

std::optional<similar_question> read_similar_question(const bytes_ptr& request, std::string_view scope) {
  auto parsed = parse_chat_request(request);
  auto* asked = std::get_if<chat_request>(&parsed);
  if (!asked || !asked->plain_text) return std::nullopt;
  const auto messages = read_messages(*asked);
  const auto& last = messages.all.back();
  if (last.role != chat_role::user) return std::nullopt;
  auto message = json::parse(std::string_view(*request).substr(last.where.begin, last.where.end - last.where.begin));
  auto* content = message ? message->find("content") : nullptr;
  auto text = content ? text_of(*content) : std::nullopt;
  if (!text) return std::nullopt;
  message->set("content", json::value::make_string(""));
  auto rest = request->substr(0, last.where.begin);
  json::append(rest, *message);
  rest.append(*request, last.where.end);
  asked->bytes = make_bytes(std::move(rest));
  return similar_question{cache_key(*asked, scope), std::move(*text)};
}

bool may_answer_similar(std::string_view completion) {
  const auto tree = json::parse(completion, 10'000);
  const auto* choices = tree ? tree->find("choices") : nullptr;
  if (!choices || !choices->is(json::kind::array) || choices->items.size() != 1) return false;
  const auto& choice = choices->items.front();
  const auto *message = choice.find("message"), *finish = choice.find("finish_reason");
  if (!message || !finish || finish->string_or_empty() != "stop") return false;
  const auto* text = message->find("content");
  return text && !text->string_or_empty().empty() && is_nothing(message->find("tool_calls")) &&
         is_nothing(message->find("function_call")) && is_nothing(message->find("refusal")) &&
         is_nothing(message->find("audio"));
}

} // namespace mainstay
