// What a teller says to chunks and ends, as text that can be compared; and requests read or refused.
#pragma once

#include "net/chat_request.hpp"
#include "net/dialects/caller_dialect.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

namespace mainstay {

inline std::string chunk_of(const std::string& delta, const std::string& finish = "null",
                            const std::string& more = "") {
  return R"({"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{)" +
         delta + R"(},"finish_reason":)" + finish + more + "}]}";
}
inline std::string completion_of(const std::string& message, const std::string& finish = R"("stop")",
                                 const std::string& more = "") {
  return R"({"id":"chatcmpl-7","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant",)" +
         message + R"(},"finish_reason":)" + finish + more +
         R"(}],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":3}}})";
}

using told = std::vector<std::string>; // "type data"

inline void add_told(told& out, std::vector<answer_teller::event> events) {
  for (auto& e : events) out.push_back(e.type.empty() ? e.data : std::string(e.type) + " " + e.data);
}

inline told tell_all(answer_teller& teller, const std::vector<std::string>& chunks, const std::string& usage = "null") {
  told out;
  for (auto& c : chunks) add_told(out, teller.chunk(c));
  add_told(out, teller.end(usage));
  return out;
}

inline json::value tree_of(std::string_view text) {
  auto tree = json::parse(text);
  BOOST_REQUIRE_MESSAGE(tree, "no JSON: " << text);
  return std::move(*tree);
}

/// What the chat request is, where the body is taken; also by the reader of chat requests.
inline std::string chat_of(const caller_request_or& r) {
  if (auto* no = std::get_if<request_problem>(&r)) return "refused: " + no->param + ": " + no->message;
  const auto& chat = std::get<caller_request>(r).chat;
  const auto parsed = parse_chat_request(chat);
  if (auto* no = std::get_if<request_problem>(&parsed)) return "no chat request: " + no->message + " in " + *chat;
  return *chat;
}
/// "param code" of what is refused.
inline std::string refusal_of(const caller_request_or& r) {
  auto* no = std::get_if<request_problem>(&r);
  return no ? no->param + " " + no->code : "taken: " + *std::get<caller_request>(r).chat;
}

} // namespace mainstay
