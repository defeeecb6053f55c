// Errors are rare and small: read through a tree, field by field, preferring what OpenAI would have said.
#include "net/provider_error_body.hpp"

#include "core/retry_after.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {
namespace {

constexpr std::size_t message_limit = 2000, word_limit = 200;

// One line of valid UTF-8: runs of white space and control characters become one space, broken bytes vanish.
std::string cleaned(std::string_view text, std::size_t limit) {
  std::string out;
  for (auto at = text.data(), end = at + text.size(); at != end && out.size() <= limit;) {
    auto length = json::sequence_length(at, end);
    auto lead = static_cast<unsigned char>(*at);
    bool control = length == 1 ? lead <= 0x20 || lead == 0x7f
                               : length == 2 && lead == 0xc2 && static_cast<unsigned char>(at[1]) < 0xa0;
    if (control) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else
      out.append(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  out.resize(json::cut_before(out, limit));
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

class error_reader {
public:
  error_words found;

  void root(const json::value& v) {
    if (v.is(json::kind::array)) { // Gemini's list form
      if (!v.items.empty()) object(v.items.front());
    } else if (v.is(json::kind::string))
      message(v.text);
    else
      object(v);
  }

private:
  void object(const json::value& v) {
    auto error = v.find("error");
    if (error && error->is(json::kind::object)) return fields(*error);
    if (auto list = v.find("errors"); list && list->is(json::kind::array) && !list->items.empty())
      text_of(list->items.front());
    fields(v);
    if (error && error->is(json::kind::string)) {
      // {"error":"Unauthorized","message":"..."}: the longer story is the message, the word its type.
      if (found.said.message.empty())
        message(error->text);
      else
        word(found.said.type, error->text);
    }
  }

  void fields(const json::value& v) {
    for (auto name : {"message", "Message", "detail", "error_description", "msg", "title"})
      if (auto m = v.find(name)) text_of(*m);
    word(found.said.type, text(v, "type"));
    word(found.said.type, text(v, "status")); // Gemini: "RESOURCE_EXHAUSTED"
    word(found.said.param, text(v, "param"));
    if (auto code = v.find("code"); code && (code->is(json::kind::string) || code->is(json::kind::number))) {
      word(found.said.code, code->text);
      if (auto status = json::whole_number(code->text); status && *status >= 400 && *status <= 599)
        found.status = static_cast<int>(*status);
    }
    if (auto details = v.find("details"); details && details->is(json::kind::array)) google(details->items);
  }

  // google.rpc's details: how long to wait, which quota it was, or why in one word (API_KEY_INVALID). The quota of a
  // day outweighs the others: the wait that is named is a minute's all the same.
  void google(const std::vector<json::value>& details) {
    std::string_view quota_id, reason;
    for (auto& d : details) {
      wait(text(d, "retryDelay"));
      if (reason.empty()) reason = text(d, "reason");
      auto violations = d.find("violations");
      if (!violations || !violations->is(json::kind::array)) continue;
      for (auto& violation : violations->items)
        if (auto id = text(violation, "quotaId"); quota_id.empty() || id.find("PerDay") != id.npos) quota_id = id;
    }
    instead_of_status(quota_id);
    instead_of_status(reason);
  }

  // A message may be a string, an object that has one, or a list of such (FastAPI's {"detail":[{"msg":...}]}).
  void text_of(const json::value& v) {
    if (v.is(json::kind::string)) return message(v.text);
    if (v.is(json::kind::array) && !v.items.empty()) return text_of(v.items.front());
    for (auto name : {"message", "msg", "detail"})
      if (auto inner = v.find(name)) text_of(*inner);
  }

  static std::string_view text(const json::value& v, std::string_view name) {
    auto member = v.find(name);
    return member ? member->string_or_empty() : std::string_view();
  }
  void message(std::string_view text) {
    if (found.said.message.empty()) found.said.message = cleaned(text, message_limit);
  }
  static void word(std::string& into, std::string_view text) {
    if (into.empty()) into = cleaned(text, word_limit);
  }
  void instead_of_status(std::string_view said) { // where the code is only the status again
    auto& code = found.said.code;
    if (!said.empty() && (code.empty() || json::whole_number(code))) code = cleaned(said, word_limit);
  }
  void wait(std::string_view span) { // Gemini's google.rpc.RetryInfo: "36s"
    if (auto delay = span.empty() ? std::nullopt : parse_reset_span(span))
      found.said.retry_after = std::max(found.said.retry_after.value_or(duration::zero()), *delay);
  }
};

} // namespace

error_words read_error_words(std::string_view body) {
  error_reader reader;
  if (auto tree = json::parse(body))
    reader.root(*tree);
  else if (auto first = body.find_first_not_of(" \t\r\n");
           first != body.npos && std::string_view("<{[\"").find(body[first]) == std::string_view::npos)
    reader.found.said.message = cleaned(body, message_limit); // plain words, as proxies write them
  else if (first != body.npos && body[first] == '<')
    reader.found.said.type =
        "html_page"; // from something on the way, not from the provider's API: core/failure_classifier knows
  return std::move(reader.found);
}

} // namespace mainstay
