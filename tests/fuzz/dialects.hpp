// What holds for every provider's dialect: requests are translated or their fault has a name, answers and streams come
// out as chat completions or are none.
#pragma once

#include "net/dialects/provider_dialect.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"
#include "net/sse.hpp"
#include "net/stream_relay.hpp"

#include "tests/fuzz/fuzz.hpp"

namespace mainstay::fuzz {

inline void check_named(const request_problem& problem) {
  MUST(!problem.message.empty() && !problem.code.empty());
  std::string written;
  json::append_string(written, problem.message + problem.param); // what of it is the caller's must be sayable
  MUST(json::parse(written));
}

template <class Translate>
void check_request(std::string_view input, Translate&& translate, draws& draw) {
  const auto read = parse_chat_request(make_bytes(std::string(input)));
  const auto* request = std::get_if<chat_request>(&read);
  if (!request) return;
  const prefill begun{"so \"far\"\n", 5};
  const bool goes_on = draw.coin() && !request->assistant_last;
  for (bool leave_out : {false, true}) {
    const provider_terms terms{"models/m \"x\"?#", goes_on ? &begun : nullptr, leave_out};
    const auto made = translate(*request, terms);
    if (const auto* problem = std::get_if<request_problem>(&made)) {
      check_named(*problem);
      // Nothing is left out of the conversation itself, and who asks for several answers is not given one.
      MUST(!leave_out || problem->code != "unsupported_parameter" || problem->param.starts_with("messages") ||
           problem->param == "n");
      continue;
    }
    const auto& call = std::get<provider_request>(made);
    MUST(call.path.starts_with("/"));
    for (unsigned char c : call.path) MUST(c > 0x20 && c < 0x7f && c != '"' && c != '#');
    MUST(leave_out || call.left_out.empty());
    const auto body = json::parse(*call.body);
    MUST(body && body->is(json::kind::object));
  }
}

/// One SSE stream's chunks.
template <class Translator>
std::vector<std::string> chunks_in(const std::vector<std::string>& pieces, Translator&& make) {
  std::vector<std::string> out;
  const auto translator = make();
  const auto hear = [&](std::string_view type, std::string_view data) {
    translator->event(type, data, [&](std::string_view chunk) {
      MUST(chunk == "[DONE]" || chunk == data || read_chunk(chunk).valid);
      out.emplace_back(chunk);
    });
  };
  sse_parser parser;
  for (const auto& piece : pieces)
    if (!parser.feed(piece, hear)) return out;
  parser.finish(hear);
  translator->end([&](std::string_view chunk) {
    MUST(chunk == "[DONE]" || read_chunk(chunk).valid);
    out.emplace_back(chunk);
  });
  return out;
}

template <class Translator>
void check_stream(std::string_view input, Translator&& make, draws& draw) {
  MUST(chunks_in(cut(input, draw), make) == chunks_in({std::string(input)}, make));
  stream_memory memory;
  stream_relay relay(memory, {}, make());
  const stream_relay::sink to{[] {}, [](bytes_ptr event, bool) { MUST(read_chunk(*event).valid); }};
  for (const auto& piece : cut(input, draw)) relay.feed(make_bytes(piece), to);
  const auto ended = relay.finish(to);
  MUST(ended == stream_relay::state::complete || ended == stream_relay::state::failed);
}

inline void check_answer(const bytes_ptr& completion) {
  if (!completion) return;
  MUST(json::parse(*completion));
  const auto facts = read_completion(*completion);
  MUST(facts.valid || facts.error);
  for (const auto& chunk : chunks_of(*completion, true)) MUST(read_chunk(chunk).valid);
}

} // namespace mainstay::fuzz
