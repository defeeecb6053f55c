// There and back: what Anthropic's callers write reaches a provider of Anthropic's through the chat form as it was, and
// what such a provider says comes back as it was. Seeded.
#include "net/dialects/messages.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_text.hpp"
#include "tests/net/telling.hpp"

#include <algorithm>
#include <random>

namespace messages_round_trip_test {

using namespace mainstay;

namespace {

using json::kind;
using json::value;

std::string quoted(std::string_view text) { return json::to_text(value::make_string(std::string(text))); }

class sayer {
public:
  explicit sayer(unsigned seed) : random_(seed) {}

  unsigned draw(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool one_in(unsigned n) { return draw(n) == 0; }

  std::string text() {
    constexpr std::string_view words[] = {"say",        "日本語", "😀",     "caf\xc3\xa9", "\"quoted\"", "back\\slash",
                                          "two\nlines", "{}",     "tab\t", "\x01",        "Ω",          "</tag>"};
    std::string out = "w";
    for (auto n = 1 + draw(6); n > 0; --n) out += " " + std::string(words[draw(std::size(words))]);
    return quoted(out);
  }
  std::string hint() { return one_in(4) ? R"(,"cache_control":{"type":"ephemeral"})" : ""; }
  std::string text_block(bool hints = true) {
    return R"({"type":"text","text":)" + text() + (hints ? hint() : "") + "}";
  }
  std::string image() {
    return R"({"type":"image","source":)" +
           std::string(one_in(2) ? R"({"type":"url","url":"https://example.org/a.png"})"
                                 : R"({"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="})") +
           hint() + "}";
  }
  std::string document() {
    const auto source = one_in(2) ? std::string(R"({"type":"base64","media_type":"application/pdf","data":"JVBERi0="})")
                                  : R"({"type":"text","media_type":"text/plain","data":)" + text() + "}";
    return R"({"type":"document","source":)" + source + (one_in(2) ? R"(,"title":"a title")" : "") + hint() + "}";
  }
  std::string list_of(const std::vector<std::string>& items) {
    std::string out = "[";
    for (auto& i : items) out += (out.size() > 1 ? "," : "") + i;
    return out + "]";
  }
  std::string user_content() {
    if (one_in(3)) return text();
    std::vector<std::string> blocks{text_block()};
    while (one_in(2)) blocks.push_back(one_in(3) ? image() : one_in(3) ? document() : text_block());
    return list_of(blocks);
  }
  std::string thought() {
    return one_in(3) ? R"({"type":"redacted_thinking","data":"ZGF0YQ=="})"
                     : R"({"type":"thinking","thinking":)" + text() + R"(,"signature":"c2ln"})";
  }
  std::string call(unsigned number) {
    return R"({"type":"tool_use","id":"toolu_)" + std::to_string(number) + R"(","name":")" + (one_in(2) ? "f" : "g") +
           R"(","input":{"a":)" + text() + R"(,"n":[1.50,{"deep":null}]})" + hint() + "}";
  }
  std::string result(unsigned number) {
    std::string out = R"({"type":"tool_result","tool_use_id":"toolu_)" + std::to_string(number) + "\"";
    if (!one_in(4)) out += R"(,"content":)" + (one_in(2) ? text() : list_of({text_block(), image()}));
    if (one_in(3)) out += R"(,"is_error":true)";
    return out + hint() + "}";
  }

  std::string request() {
    const bool thinks = one_in(3);
    std::string messages;
    const auto say = [&](const char* who, const std::string& content) {
      messages += std::string(messages.empty() ? "" : ",") + R"({"role":")" + who + R"(","content":)" + content + "}";
    };
    say("user", user_content());
    for (auto turns = draw(4); turns > 0; --turns) {
      std::vector<std::string> said;
      if (thinks || one_in(3)) said.push_back(thought());
      if (one_in(2)) said.push_back(text_block(false));
      std::vector<unsigned> calls;
      while (one_in(2)) calls.push_back(next_++);
      for (auto n : calls) said.push_back(call(n));
      if (said.empty()) said.push_back(text_block(false));
      say("assistant", said.size() == 1 && calls.empty() && one_in(2) ? list_of({text_block(false)}) : list_of(said));
      std::vector<std::string> answer;
      for (auto n : calls) answer.push_back(result(n));
      if (calls.empty() || one_in(2)) answer.push_back(text_block());
      say("user", list_of(answer));
    }
    std::string out = R"({"model":"theirs","max_tokens":4096,"messages":[)" + messages + "]";
    if (one_in(2)) out += R"(,"system":)" + (one_in(2) ? text() : list_of({text_block(), text_block()}));
    if (one_in(2)) out += R"(,"stream":true)";
    if (one_in(3)) out += R"(,"stop_sequences":["END",)" + text() + "]";
    if (one_in(3)) out += R"(,"metadata":{"user_id":"user-7"})";
    if (one_in(3)) out += R"(,"service_tier":"standard_only")";
    if (one_in(4)) out += R"(,"cache_control":{"type":"ephemeral"})";
    if (thinks)
      out += R"(,"thinking":{"type":"enabled","budget_tokens":2048})";
    else if (one_in(2))
      out += R"(,"temperature":0.25,"top_k":40)";
    // Whoever calls tools declares them.
    out +=
        R"(,"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}}})" +
        hint() + R"(},{"type":"custom","name":"g","input_schema":{"type":"object"}}])";
    constexpr std::string_view choices[] = {R"({"type":"auto"})", R"({"type":"none"})",
                                            R"({"type":"auto","disable_parallel_tool_use":true})", R"({"type":"any"})",
                                            R"({"type":"tool","name":"f","disable_parallel_tool_use":true})"};
    if (one_in(2)) out += R"(,"tool_choice":)" + std::string(choices[draw(thinks ? 3 : 5)]);
    if (one_in(4))
      out +=
          R"(,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}})";
    return out + "}";
  }

  std::string answer() {
    std::vector<std::string> content;
    while (one_in(3)) content.push_back(thought());
    if (one_in(2)) content.push_back(text_block(false));
    unsigned calls = 0;
    while (one_in(2))
      content.push_back(R"({"type":"tool_use","id":"toolu_)" + std::to_string(calls++) +
                        R"(","name":"f","input":{"a":)" + text() + "}}");
    if (content.empty()) content.push_back(text_block(false));
    const auto why =
        calls ? std::string(R"("tool_use","stop_sequence":null)")
              : std::vector<std::string>{R"("end_turn","stop_sequence":null)", R"("max_tokens","stop_sequence":null)",
                                         R"("stop_sequence","stop_sequence":"END")",
                                         R"("refusal","stop_sequence":null)"}[draw(4)];
    return R"({"id":"msg_01","type":"message","role":"assistant","model":"theirs","content":)" + list_of(content) +
           R"(,"stop_reason":)" + why +
           R"(,"usage":{"input_tokens":7,"cache_creation_input_tokens":2,"cache_read_input_tokens":5,"output_tokens":9}})";
  }

private:
  std::mt19937 random_;
  unsigned next_ = 0;
};

/// One spelling of what may be spelled in several ways: strings for lists of one text, members in any order, what says
/// nothing, messages of one role that follow one another.
void normalise(value& v) {
  if (auto* content = v.find("content"); content && content->is(kind::string)) {
    auto block = value::make_object();
    block.set("type", value::make_string("text"));
    block.set("text", value::make_string(content->text));
    auto list = value::make_array();
    list.items.push_back(std::move(block));
    v.set("content", std::move(list));
  }
  if (auto* messages = v.find("messages"))
    for (std::size_t i = 1; i < messages->items.size();) {
      auto &before = messages->items[i - 1], &now = messages->items[i];
      normalise(before), normalise(now);
      if (before.find("role")->text != now.find("role")->text) {
        ++i;
        continue;
      }
      for (auto& block : now.find("content")->items) before.find("content")->items.push_back(std::move(block));
      messages->items.erase(messages->items.begin() + static_cast<std::ptrdiff_t>(i));
    }
  for (auto& item : v.items) normalise(item);
  std::ranges::sort(v.items, {}, [&](const value& i) { return v.is(kind::object) ? i.name : std::string(); });
}

std::string normal(std::string_view text) {
  auto tree = tree_of(text);
  if (auto* system = tree.find("system"); system && system->is(kind::string)) {
    auto list = tree_of(R"([{"type":"text","text":)" + quoted(system->text) + "}]");
    tree.set("system", std::move(list));
  }
  if (auto* tools = tree.find("tools"))
    for (auto& tool : tools->items) tool.erase("type");
  if (auto* choice = tree.find("tool_choice"); choice && json::to_text(*choice) == R"({"type":"auto"})")
    tree.erase("tool_choice");
  normalise(tree);
  return json::to_text(tree);
}

/// A message's stream, as Anthropic sends it; texts and inputs in two pieces.
std::vector<std::string> stream_of(const value& message) {
  std::vector<std::string> out;
  auto begun = message;
  begun.set("content", value::make_array());
  begun.set("stop_reason", value());
  begun.set("stop_sequence", value());
  out.push_back(R"({"type":"message_start","message":)" + json::to_text(begun) + "}");
  std::size_t index = 0;
  for (const auto& block : message.find("content")->items) {
    const auto at = std::to_string(index++);
    auto empty = block;
    const auto type = block.find("type")->text;
    const std::string member = type == "thinking" ? "thinking" : type == "text" ? "text" : "input";
    if (type == "tool_use") empty.set("input", value::make_object());
    if (type == "thinking") empty.set("signature", value::make_string(""));
    if (type == "text" || type == "thinking") empty.set(member, value::make_string(""));
    out.push_back(R"({"type":"content_block_start","index":)" + at + R"(,"content_block":)" + json::to_text(empty) +
                  "}");
    const auto delta = [&](const std::string& kind_of, const std::string& name, const std::string& text) {
      out.push_back(R"({"type":"content_block_delta","index":)" + at + R"(,"delta":{"type":")" + kind_of + R"(",")" +
                    name + "\":" + quoted(text) + "}}");
    };
    if (type != "redacted_thinking") {
      const auto all = type == "tool_use" ? json::to_text(*block.find("input")) : block.find(member)->text;
      const auto half = json::cut_before(all, all.size() / 2);
      const std::string kind_of = type == "tool_use" ? "input_json_delta" : member + "_delta";
      const std::string name = type == "tool_use" ? "partial_json" : member;
      delta(kind_of, name, all.substr(0, half));
      delta(kind_of, name, all.substr(half));
    }
    if (type == "thinking") delta("signature_delta", "signature", block.find("signature")->text);
    out.push_back(R"({"type":"content_block_stop","index":)" + at + "}");
  }
  out.push_back(R"({"type":"message_delta","delta":{"stop_reason":)" + json::to_text(*message.find("stop_reason")) +
                R"(,"stop_sequence":)" + json::to_text(*message.find("stop_sequence")) +
                R"(},"usage":{"output_tokens":9}})");
  out.push_back(R"({"type":"message_stop"})");
  return out;
}

/// The message that a stream's events stand for.
std::string put_together(const told& events) {
  value message;
  std::vector<std::string> inputs;
  for (auto& e : events) {
    auto data = tree_of(std::string_view(e).substr(e.find(' ')));
    const auto type = data.find("type")->text;
    if (type == "message_start") message = *data.find("message");
    auto* content = message.find("content");
    if (type == "content_block_start") {
      content->items.push_back(*data.find("content_block"));
      content->items.back().name.clear();
      inputs.emplace_back();
    } else if (type == "content_block_delta") {
      const auto at = data.find("index")->whole().value();
      for (auto& member : data.find("delta")->items) {
        if (member.name == "partial_json") inputs[at] += member.text;
        if (member.name == "text" || member.name == "thinking" || member.name == "signature")
          content->items[at].find(member.name)->text += member.text;
      }
    } else if (type == "content_block_stop") {
      const auto at = data.find("index")->whole().value();
      if (!inputs[at].empty()) content->items[at].set("input", tree_of(inputs[at]));
    } else if (type == "message_delta") {
      for (auto* member : {"stop_reason", "stop_sequence"}) message.set(member, *data.find("delta")->find(member));
      for (auto& count : data.find("usage")->items) message.find("usage")->set(count.name, count);
    }
  }
  return json::to_text(message);
}

} // namespace

BOOST_AUTO_TEST_SUITE(messages_round_trip)

BOOST_AUTO_TEST_CASE(a_request_comes_out_at_the_other_end_as_it_went_in) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    const auto asked = sayer(seed).request();
    const auto read = read_messages(make_bytes(asked));
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<caller_request>(read), refusal_of(read) << " of " << asked);
    const auto& understood = std::get<caller_request>(read);
    BOOST_TEST(understood.native->only_native.empty());
    const auto chat = parse_chat_request(understood.chat);
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<chat_request>(chat), *understood.chat);
    const auto made = anthropic_request(std::get<chat_request>(chat), {.model = "theirs"});
    const auto* no = std::get_if<request_problem>(&made);
    BOOST_REQUIRE_MESSAGE(!no, (no ? no->message : std::string()) << " in " << asked);
    BOOST_TEST_REQUIRE(normal(*std::get<provider_request>(made).body) == normal(asked), "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(an_answer_comes_out_at_the_other_end_as_it_went_in) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    const auto said = sayer(seed).answer();
    const auto completion = anthropic_completion(said, {"chatcmpl-1", "m", 1}, false);
    BOOST_REQUIRE(completion);
    BOOST_TEST_REQUIRE(normal(messages_teller()->whole(*completion)) == normal(said), "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_comes_out_at_the_other_end_as_it_went_in) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    const auto said = sayer(seed).answer();
    for (const bool native : {false, true}) {
      auto translator = anthropic_stream({"chatcmpl-1", "m", 1}, native);
      auto teller = messages_teller();
      told heard;
      const auto tell = [&](std::string_view chunk) {
        if (chunk != "[DONE]") add_told(heard, teller->chunk(chunk));
      };
      for (auto& event : stream_of(tree_of(said))) {
        const auto type = tree_of(event).find("type")->text;
        translator->event(type, event, tell);
      }
      translator->end(tell);
      add_told(heard, teller->end("null"));
      BOOST_TEST_REQUIRE(normal(put_together(heard)) == normal(said), "seed " << seed << " native " << native);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace messages_round_trip_test
