// What callers of other dialects send: understood as a chat request, or a fault that has a name; for a provider of the
// same dialect nothing changes but the model's name.
#include "net/dialects/caller_dialect.hpp"
#include "net/json_tree.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

void check_native(const native_request& native, const chat_request& chat) {
  const std::string_view text = *native.body;
  const auto [begin, end] = native.model_value;
  MUST(json::parse(text.substr(begin, end - begin))->text == chat.model);
  const auto call = native_call(native, "another \"model\"");
  auto sent = json::parse(*call.body), own = json::parse(text);
  MUST(sent && own && sent->find("model")->text == "another \"model\"");
  sent->erase("model"), own->erase("model");
  MUST(json::to_text(*sent) == json::to_text(*own));
}

/// For a provider of OpenAI's: a request that is one there.
void check_openai(const chat_request& chat) {
  for (bool leave_out : {false, true}) {
    const auto made = openai_request(chat, {.model = "another", .leave_out = leave_out}, true);
    const auto sent = parse_chat_request(made.body);
    MUST(std::holds_alternative<chat_request>(sent) && std::get<chat_request>(sent).model == "another");
  }
}

void check(const caller_request_or& read) {
  if (const auto* problem = std::get_if<request_problem>(&read)) return MUST(!problem->message.empty());
  const auto& request = std::get<caller_request>(read);
  MUST(request.teller && json::parse(*request.chat));
  const auto chat = parse_chat_request(request.chat);
  if (const auto* problem = std::get_if<request_problem>(&chat)) return MUST(problem->code != "invalid_json");
  check_openai(std::get<chat_request>(chat));
  if (request.native) check_native(*request.native, std::get<chat_request>(chat));
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  const auto body = make_bytes(std::string(input));
  check(read_messages(body));
  check(read_completions(body));
  check(read_responses(body));
}
