// The way back of redacted requests: streams cut anywhere, whole answers, and what may not go out.
#include "net/chat_answer.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"
#include "net/redaction/redactor.hpp"
#include "net/redaction/screened_channel.hpp"

#include <boost/test/unit_test.hpp>
#include <re2/re2.h>

#include <random>

namespace screened_channel_test {

using namespace mainstay;

namespace {

class recorder : public reply_channel {
public:
  void reply(int s, header_list h, bytes_ptr b) override { status = s, headers = std::move(h), body = *b; }
  void stream_head(header_list) override { ++heads; }
  void stream_event(bytes_ptr json) override { events.push_back(std::move(json)); }
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr usage, header_list) override { end = *usage; }
  void stream_error(int s, bytes_ptr json, header_list) override { status = s, end = *json; }
  void observe_progress(std::size_t, std::function<void(std::size_t)> w) override { written = std::move(w); }

  /// The text of that place in all events.
  std::string text(std::uint64_t choice, const std::vector<text_place::step>& steps) const {
    std::string out;
    for (auto& e : events)
      for (auto& t : read_delta(*e).texts)
        if (t.place == text_place{choice, steps}) out += t.text;
    return out;
  }
  std::string content(std::uint64_t choice = 0) const { return text(choice, {{"content"}}); }

  int status = 0, heads = 0;
  header_list headers;
  std::string body, end;
  std::vector<bytes_ptr> events;
  std::function<void(std::size_t)> written;
};

const std::vector<text_place::step> arguments_of(std::uint64_t call) {
  return {{"tool_calls"}, {"", call}, {"function"}, {"arguments"}};
}

std::string quoted(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

std::string piece(std::string_view text, int choice = 0, const char* member = "content") {
  return R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":)" + std::to_string(choice) +
         R"(,"delta":{")" + member + "\":" + quoted(text) + R"(},"finish_reason":null}]})";
}
std::string call_piece(std::string_view text, int call) {
  return R"({"id":"c","choices":[{"delta":{"tool_calls":[{"function":{"arguments":)" + quoted(text) + R"(},"index":)" +
         std::to_string(call) + R"(}]},"index":0}]})";
}
std::string finish(int choice = 0) {
  return R"({"id":"c","choices":[{"index":)" + std::to_string(choice) + R"(,"delta":{},"finish_reason":"stop"}]})";
}

placeholders_ptr table() {
  privacy_rules rules;
  rules.kinds.add(personal_kind::email);
  rules.custom.push_back({"quote", std::make_shared<const re2::RE2>("\"[a-z]*\"")});
  return screen_request(rules, make_bytes(R"({"content":"bob@x.com ann@x.com \"odd\""})")).table;
}

privacy_rules_ptr denying(std::initializer_list<const char*> patterns) {
  auto out = std::make_shared<privacy_rules>();
  for (auto* p : patterns) out->deny_out.push_back({p, std::make_shared<const re2::RE2>(p)});
  return out;
}

struct way {
  explicit way(placeholders_ptr t = table(), privacy_rules_ptr rules = nullptr)
    : channel(std::make_shared<screened_channel>(caller, std::move(rules), std::move(t),
                                                 [this](const std::string& rule) { denied += rule + ";"; })) {}
  void event(std::string json) { channel->stream_event(make_bytes(std::move(json))); }
  void end() { channel->stream_end(make_bytes("null"), {}); }

  std::shared_ptr<recorder> caller = std::make_shared<recorder>();
  std::string denied;
  std::shared_ptr<screened_channel> channel;
};

} // namespace

BOOST_AUTO_TEST_SUITE(the_way_back)

BOOST_AUTO_TEST_CASE(a_placeholder_in_pieces_is_restored_and_nothing_else_waits) {
  way w;
  w.event(piece("to [EMA"));
  BOOST_TEST(w.caller->content() == "to ");
  w.event(piece("IL_1], [EMAIL_9] and ["));
  BOOST_TEST(w.caller->content() == "to bob@x.com, [EMAIL_9] and ");
  w.event(piece("x]"));
  BOOST_TEST(w.caller->content() == "to bob@x.com, [EMAIL_9] and [x]");
  w.event(piece(" [EMAIL_"));
  w.event(finish());
  BOOST_TEST(w.caller->content() == "to bob@x.com, [EMAIL_9] and [x] [EMAIL_");
  w.end();
  BOOST_TEST(w.caller->end == "null");
  BOOST_TEST(*w.caller->events.back() == finish());
}

BOOST_AUTO_TEST_CASE(a_chunk_that_does_not_change_is_not_copied) {
  way w;
  for (auto& json : {piece("plain"), finish(), std::string(R"({"choices":[],"usage":{"prompt_tokens":1}})"),
                     std::string(R"({"error":{"message":"x"}})"), std::string("no json")}) {
    const auto given = make_bytes(json);
    w.channel->stream_event(given);
    BOOST_TEST(w.caller->events.back() == given);
  }
}

BOOST_AUTO_TEST_CASE(what_is_held_leaves_before_its_choice_goes_on_with_something_else) {
  way w;
  w.event(piece("see [", 0, "reasoning_content"));
  w.event(piece("[EMAIL_2]"));
  BOOST_TEST(w.caller->text(0, {{"reasoning_content"}}) == "see [");
  BOOST_TEST(w.caller->content() == "ann@x.com");
  BOOST_TEST(read_delta(*w.caller->events[1]).texts.at(0).place.steps.at(0).member == "reasoning_content");
}

BOOST_AUTO_TEST_CASE(without_a_finish_the_end_gives_the_rest_and_so_does_an_error) {
  for (bool good : {true, false}) {
    way w;
    w.event(piece("a ["));
    if (good)
      w.end();
    else
      w.channel->stream_error(502, make_bytes(R"({"error":{"message":"about [EMAIL_1]"}})"), {});
    BOOST_TEST(w.caller->content() == "a [");
    BOOST_TEST(w.caller->end == (good ? "null" : R"({"error":{"message":"about bob@x.com"}})"));
  }
}

BOOST_AUTO_TEST_CASE(arguments_are_json_in_a_string_by_call) {
  way w;
  w.event(call_piece(R"({"a":"[QUO)", 0));
  w.event(call_piece(R"({"a":"[EMAIL)", 1));
  w.event(call_piece(R"(TE_1]"})", 0));
  w.event(call_piece(R"(_1]"})", 1));
  w.event(finish());
  BOOST_TEST(w.caller->text(0, arguments_of(0)) == R"({"a":"\"odd\""})");
  BOOST_TEST(w.caller->text(0, arguments_of(1)) == R"({"a":"bob@x.com"})");
}

BOOST_AUTO_TEST_CASE(a_whole_answer_is_restored_in_every_text) {
  way w;
  w.channel->reply(200, {{"x-request-id", "r"}},
                   make_bytes(R"({"choices":[{"message":{"content":"[EMAIL_1] [QUOTE_1]","tool_calls":)"
                              R"([{"function":{"arguments":"{\"a\":\"[QUOTE_1]\"}"}}]}}],"n":1.0})"));
  BOOST_TEST(w.caller->status == 200);
  BOOST_TEST(w.caller->body == R"({"choices":[{"message":{"content":"bob@x.com \"odd\"","tool_calls":)"
                               R"([{"function":{"arguments":"{\"a\":\"\\\"odd\\\"\"}"}}]}}],"n":1.0})");
}

BOOST_AUTO_TEST_CASE(cut_anywhere_over_choices_and_texts_the_stream_says_what_the_whole_says) {
  const auto values = table();
  std::mt19937 random(11);
  const char* pieces[] = {"[EMAIL_1]", "[EMAIL_2]", "[QUOTE_1]", "[EMAIL_", "[",     "]",
                          "中",        "😀",         "\n",        "\"",      "word ", "EMAIL_1]"};
  for (int round = 0; round < 400; ++round) {
    for (bool denies : {false, true}) {
      way w(values, denies ? denying({"never said"}) : nullptr);
      std::string texts[4]; // two choices, two calls
      for (auto& text : texts)
        for (auto n = random() % 12; n > 0; --n) text += pieces[random() % std::size(pieces)];
      std::size_t at[4] = {};
      for (bool any = true; any;) {
        any = false;
        for (auto i : {random() % 4, random() % 4, random() % 4, random() % 4}) {
          if (i < 2 && at[2] + at[3] > 0 && i == 0) continue; // a choice's content comes before its calls
          if (i >= 2 && at[0] < texts[0].size()) continue;
          const auto size = std::min<std::size_t>(1 + random() % 6, texts[i].size() - at[i]);
          const auto cut = json::cut_before(texts[i], at[i] + size);
          const auto text = texts[i].substr(at[i], std::max(cut, at[i]) - at[i]);
          at[i] += text.size();
          if (i < 2)
            w.event(piece(text, static_cast<int>(i)));
          else
            w.event(call_piece(text, static_cast<int>(i) - 2));
        }
        for (int i = 0; i < 4; ++i) any = any || at[i] < texts[i].size();
      }
      if (round % 2) w.event(finish(0)), w.event(finish(1));
      w.end();
      const auto said = [&](const std::string& text, writing how) {
        std::string out;
        return values->restore(text, how, out) ? out : text;
      };
      for (int i = 0; i < 2; ++i) BOOST_REQUIRE(w.caller->content(i) == said(texts[i], writing::plain));
      for (int i = 0; i < 2; ++i)
        BOOST_REQUIRE(w.caller->text(0, arguments_of(i)) == said(texts[i + 2], writing::json));
      for (auto& e : w.caller->events) BOOST_REQUIRE(json::parse(*e));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_whole_answer_that_says_what_is_denied_becomes_an_error_that_does_not) {
  way w(nullptr, denying({"(?i)apollo"}));
  w.channel->reply(200, {{"x-request-id", "r"}},
                   make_bytes(R"({"model":"apollo","choices":[{"message":{"content":"of Ap\u006fllo"}}]})"));
  BOOST_TEST(w.caller->status == 400);
  BOOST_TEST((find_header(w.caller->headers, "x-request-id") && find_header(w.caller->headers, "x-should-retry")));
  BOOST_TEST(w.caller->body.find("denied_content") != std::string::npos);
  BOOST_TEST(w.caller->body.find("Apollo") == std::string::npos);
  BOOST_TEST(w.denied == "(?i)apollo;");
  way fine(nullptr, denying({"apollo"}));
  fine.channel->reply(200, {}, make_bytes(R"({"model":"apollo","choices":[{"message":{"content":"x"}}]})"));
  BOOST_TEST((fine.caller->status == 200 && fine.denied.empty()));
}

BOOST_AUTO_TEST_CASE(a_stream_ends_before_what_is_denied_leaves_wherever_it_is_cut) {
  const std::string text = "words before it, then the project apollo and words behind it";
  const auto first = text.find("project");
  for (std::size_t size = 1; size < 40; ++size) {
    way w(nullptr, denying({"project apollo"}));
    w.channel->stream_head({});
    for (std::size_t at = 0; at < text.size(); at += size) w.event(piece(text.substr(at, size)));
    w.event(finish());
    w.end();
    BOOST_TEST(w.denied == "project apollo;");
    BOOST_TEST(w.caller->content().size() <= first);
    BOOST_TEST(w.caller->end.find("denied_content") != std::string::npos);
    BOOST_TEST(w.caller->end.find("apollo\\u") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(what_follows_decides_whether_a_word_is_one) {
  const auto denied = [](const char* pattern, std::vector<const char*> pieces) {
    way w(nullptr, denying({pattern}));
    for (auto* p : pieces) w.event(piece(p));
    w.event(finish());
    w.end();
    return !w.denied.empty();
  };
  BOOST_TEST(!denied("\\bfoo\\b", {"a foo", "t"}));
  BOOST_TEST(denied("\\bfoo\\b", {"a fo", "o", " t"}));
  BOOST_TEST(denied("\\bfoo\\b", {"a foo"}));
  BOOST_TEST(!denied("foo$", {"foo", " "}));
  BOOST_TEST(denied("foo$", {"foo"}));
  BOOST_TEST(denied("^foo", {"f", "oo x"}));
  BOOST_TEST(denied(".*secret.*", {"a sec", "ret that goes on"}));
  std::string long_one(3000, 'x');
  BOOST_TEST(!denied("^foo", {long_one.c_str(), "foo"}));
  BOOST_TEST(denied("x foo", {long_one.c_str(), " f", "oo"}));
}

BOOST_AUTO_TEST_CASE(with_rules_for_the_way_out_no_more_than_the_window_waits_and_all_of_it_comes) {
  way w(nullptr, denying({"never"}));
  std::string said;
  for (int i = 0; i < 200; ++i) {
    said += "中文 ";
    w.event(piece("中文 "));
    BOOST_TEST(w.caller->content().size() + screened_channel::window + 3 >= said.size());
  }
  w.event(finish());
  BOOST_TEST(w.caller->content() == said);
  BOOST_TEST(*w.caller->events.back() == finish());
}

BOOST_AUTO_TEST_CASE(progress_is_told_in_the_bytes_that_came) {
  way w;
  std::size_t told = 0, came = 0;
  w.channel->observe_progress(1, [&](std::size_t bytes) { told += bytes; });
  for (auto& json : {piece("to [EMAIL_"), piece("1] and ["), piece("x", 0, "refusal"), finish()}) {
    came += json.size();
    w.event(json);
  }
  std::size_t out = 0;
  for (auto& e : w.caller->events) out += e->size();
  w.caller->written(w.caller->events[0]->size() - 1);
  BOOST_TEST(told == 0u);
  w.caller->written(1);
  BOOST_TEST(told == piece("to [EMAIL_").size());
  w.caller->written(out - w.caller->events[0]->size());
  BOOST_TEST(told == came);
  w.channel->observe_progress(0, nullptr);
  BOOST_TEST(!w.caller->written);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace screened_channel_test
