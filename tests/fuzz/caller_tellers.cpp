// What callers of other dialects are told of a chat completion: JSON whatever the provider said, and streams whose
// events stand in the order that their clients insist on.
#include "net/chat_answer.hpp"
#include "net/dialects/caller_dialect.hpp"
#include "net/json_tree.hpp"
#include "net/sse.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

using events = std::vector<answer_teller::event>;

std::unique_ptr<answer_teller> teller(caller_request_or read) {
  MUST(std::holds_alternative<caller_request>(read));
  return std::move(std::get<caller_request>(read).teller);
}

/// Anthropic's: blocks one after the other, each begun and ended once, within one message.
void check_blocks(const events& told, bool complete) {
  std::size_t begun = 0, ended = 0;
  bool last = false;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto& type = told[i].type;
    MUST(!last && (i == 0) == (type == "message_start"));
    const auto tree = json::parse(told[i].data);
    MUST(tree->find("type")->text == type);
    const auto* index = tree->find("index");
    if (type == "content_block_start") MUST(begun == ended && index->whole() == begun++);
    if (type == "content_block_delta") MUST(begun == ended + 1 && index->whole() == ended);
    if (type == "content_block_stop") MUST(begun == ended + 1 && index->whole() == ended++);
    if (type == "message_delta") MUST(begun == ended);
    last = type == "message_stop";
  }
  if (complete) MUST(last);
}

/// The Responses API's: numbered without a gap.
void check_numbers(const events& told) {
  std::uint64_t next = 0;
  for (const auto& event : told) {
    const auto tree = json::parse(event.data);
    MUST(tree->find("type")->text == event.type);
    MUST(tree->find("sequence_number")->whole() == next++);
  }
}

void check_json(const events& told) {
  for (const auto& event : told) {
    MUST(event.type.find_first_of("\r\n") == std::string::npos);
    MUST(json::parse(event.data));
  }
}

/// All events of a stream of chunks, ended well or broken off.
events tell(answer_teller& teller, const std::vector<std::string>& chunks, bool complete) {
  events out;
  const auto add = [&out](events&& more) {
    check_json(more);
    out.insert(out.end(), more.begin(), more.end());
  };
  for (const auto& chunk : chunks) add(teller.chunk(chunk));
  if (complete)
    add(teller.end(R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})"));
  else
    add(teller.broken(502, error_body("broken \"off\"", "server_error", "truncated")));
  return out;
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const auto messages =
      make_bytes(R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"a"}]})");
  const auto completions = make_bytes(R"({"model":"m","prompt":"a","stream":true})");
  const auto responses = make_bytes(R"({"model":"m","input":"a","stream":true})");

  std::vector<std::string> chunks;
  sse_parser parser;
  parser.feed(input, [&](std::string_view, std::string_view data) {
    if (read_chunk(data).valid && !read_chunk(data).error) chunks.emplace_back(data); // as the relay lets through
  });
  if (!chunks.empty()) { // else no stream begins
    const bool complete = draw.coin(), own = input.find("native") == input.npos;
    const auto blocks = tell(*teller(read_messages(messages)), chunks, complete);
    if (own) check_blocks(blocks, complete);
    check_numbers(tell(*teller(read_responses(responses)), chunks, complete));
    tell(*teller(read_completions(completions)), chunks, complete);
  }

  for (auto* make : {&read_messages, &read_completions, &read_responses}) {
    const auto body = make == &read_messages ? messages : make == &read_completions ? completions : responses;
    const auto whole = teller(make(body));
    const auto said = whole->whole(input);
    if (!said.empty()) MUST(json::parse(said));
    if (read_completion(input).valid && json::parse(input)) MUST(!said.empty());
    const auto error = read_error(500, {}, input, utc_time{});
    MUST(json::parse(whole->error(500, error_body(error.message, error.type, error.code, error.param))));
  }
}
