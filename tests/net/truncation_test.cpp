// Leaving out the oldest turns: what stays, what goes, and what holds of every conversation.
#include "net/chat_messages.hpp"
#include "net/json_tree.hpp"
#include "net/truncation.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace truncation_test {

using namespace mainstay;

namespace {

chat_request parsed(const bytes_ptr& body) {
  auto result = parse_chat_request(body);
  if (auto* problem = std::get_if<request_problem>(&result)) BOOST_FAIL(problem->message);
  return std::get<chat_request>(std::move(result));
}
chat_request parsed(const std::string& body) { return parsed(make_bytes(body)); }

std::string message(const std::string& role, const std::string& text) {
  return R"({"role":")" + role + R"(","content":")" + text + R"("})";
}

/// About so many tokens.
std::string text_of(std::size_t tokens, char c = 'x') { return std::string(tokens * 4, c); }

std::string conversation(const std::vector<std::string>& messages, const std::string& behind = "") {
  std::string out = R"({ "model":"m","messages":[)";
  for (std::size_t i = 0; i < messages.size(); ++i) out += (i ? " , " : "") + messages[i];
  return out + "] " + behind + "}";
}

std::vector<std::string> messages_in(const chat_request& r) {
  std::vector<std::string> out;
  for (auto& m : read_messages(r).all) out.push_back(r.bytes->substr(m.where.begin, m.where.end - m.where.begin));
  return out;
}

bool is_marker(const std::string& message) {
  return message.find("Earlier turns of this conversation") != message.npos;
}

/// The messages that were kept, "*" for the marker.
std::vector<std::string> shortened(const std::vector<std::string>& messages, std::uint64_t budget) {
  auto result = leave_out_oldest(parsed(conversation(messages)), budget);
  if (!result) return {};
  auto kept = messages_in(parsed(result));
  for (auto& m : kept)
    if (is_marker(m)) m = "*";
  return kept;
}

using list = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(leaving_out_the_oldest)

BOOST_AUTO_TEST_CASE(the_oldest_turns_go_and_a_marker_stands_where_they_were) {
  const list m = {message("system", "be kind"),
                  message("user", text_of(500, 'a')),
                  message("assistant", text_of(500, 'b')),
                  message("user", text_of(500, 'c')),
                  message("assistant", text_of(500, 'd')),
                  message("user", "and now?")};
  BOOST_TEST((shortened(m, 1100) == list{m[0], "*", m[3], m[4], m[5]}));
  BOOST_TEST((shortened(m, 900) == list{m[0], "*", m[5]})); // a turn goes as a whole
  BOOST_TEST(shortened(m, 20).empty());                     // what must stay is too long by itself
  BOOST_TEST(shortened(m, 5000).empty());                   // nothing has to go
}

BOOST_AUTO_TEST_CASE(a_conversation_that_just_fits_stays_whole_though_its_parts_are_rounded_up) {
  const list m = {message("user", text_of(40, 'a') + "x"), message("assistant", "b"), message("user", "c")};
  const auto request = parsed(conversation(m));
  BOOST_TEST(!leave_out_oldest(request, request.prompt_tokens));
  BOOST_TEST(leave_out_oldest(request, request.prompt_tokens - 1));
}

BOOST_AUTO_TEST_CASE(nothing_but_the_list_is_touched) {
  const auto body = conversation({message("user", text_of(900)), message("assistant", "a"), message("user", "b")},
                                 R"(, "temperature" : 0.50, "x":{"messages":[1, 2]})");
  auto result = leave_out_oldest(parsed(body), 100);
  BOOST_REQUIRE(result);
  BOOST_TEST(result->starts_with(R"({ "model":"m","messages":[{"role":"system")"));
  BOOST_TEST(result->ends_with(message("user", "b") + R"(] , "temperature" : 0.50, "x":{"messages":[1, 2]}})"));
}

BOOST_AUTO_TEST_CASE(calls_stay_with_their_results_and_the_last_user_turn_with_its_last_round) {
  const auto call = [](const std::string& id, const std::string& more) {
    return R"({"role":"assistant","content":null,"tool_calls":[{"id":")" + id +
           R"(","type":"function","function":{"name":"f","arguments":")" + more + R"("}}]})";
  };
  const auto result = [](const std::string& id, const std::string& text) {
    return R"({"role":"tool","tool_call_id":")" + id + R"(","content":")" + text + R"("})";
  };
  const list m = {message("user", "old"),    message("assistant", text_of(50)),
                  message("user", "do it"),  call("1", "a"),
                  result("1", text_of(400)), call("2", "b"),
                  result("2", text_of(400)), call("3", "c"),
                  result("3", text_of(400))};
  BOOST_TEST((shortened(m, 1000) == list{"*", m[2], m[5], m[6], m[7], m[8]}));
  BOOST_TEST((shortened(m, 500) == list{"*", m[2], m[7], m[8]}));
  BOOST_TEST(shortened(m, 400).empty());
  const auto nearly_all = parsed(conversation(m)).prompt_tokens - 1;
  BOOST_TEST((shortened(m, nearly_all) == list{"*", m[2], m[3], m[4], m[5], m[6], m[7], m[8]}));
}

BOOST_AUTO_TEST_CASE(of_a_turn_that_is_cut_a_thousand_tokens_are_kept_or_nothing) {
  const list m = {message("user", text_of(9000, 'a') + "the end \\u00e9"), message("assistant", "yes"),
                  message("user", "so?")};
  auto kept = shortened(m, 2000);
  BOOST_REQUIRE(kept.size() == 4u);
  BOOST_TEST(kept[0] == "*");
  BOOST_TEST(kept[1].ends_with("aaathe end é\"}"));
  BOOST_TEST(kept[1].size() > 7500u);
  BOOST_TEST(kept[1].size() < 8100u);
  BOOST_TEST((list{kept[2], kept[3]} == list{m[1], m[2]}));
  BOOST_TEST((shortened(m, 1020) == list{"*", m[2]}));
}

BOOST_AUTO_TEST_CASE(without_a_user_nobody_knows_what_must_stay) {
  BOOST_TEST(shortened({message("assistant", text_of(500)), message("assistant", text_of(500))}, 600).empty());
}

BOOST_AUTO_TEST_CASE(whatever_the_conversation_the_rest_fits_and_is_in_order) {
  std::mt19937_64 random(20);
  auto below = [&](std::uint64_t n) { return random() % n; };
  unsigned shortened_ones = 0, cut_ones = 0;
  for (unsigned round = 0; round < test::rounds(3000); ++round) {
    list m;
    std::set<std::string> calls;
    auto text = [&] {
      std::string out;
      const char* letters[] = {"word ", "ж", "漢字", "\\n", "\\ud83d\\ude00", "ü", "\\\""};
      for (auto i = below(10) == 0 ? below(3000) : below(60); i-- > 0;) out += letters[below(7)];
      return out + std::to_string(m.size());
    };
    if (below(2)) m.push_back(message(below(2) ? "system" : "developer", text()));
    for (auto turns = 1 + below(8); turns-- > 0;) {
      m.push_back(message("user", text()));
      for (auto rounds = below(3); rounds-- > 0;) {
        const auto id = "call" + std::to_string(m.size());
        m.push_back(R"({"role":"assistant","content":null,"tool_calls":[{"id":")" + id +
                    R"(","function":{"name":"f"}}]})");
        m.push_back(R"({"role":"tool","tool_call_id":")" + id + R"(","content":")" + text() + R"("})");
      }
      if (below(10) == 0) m.push_back(message("system", text()));
      if (turns > 0 || below(2)) m.push_back(message("assistant", text()));
    }
    const auto request = parsed(conversation(
        m, below(2) ? R"(,"tools":[{"type":"function","function":{"name":"f","description":"a tool"}}])" : ""));
    const auto budget = request.prompt_tokens * (20 + below(80)) / 100;
    auto result = leave_out_oldest(request, budget);
    if (!result) continue;
    ++shortened_ones;
    const auto shorter = parsed(result);
    BOOST_TEST_REQUIRE(shorter.prompt_tokens <= budget);
    BOOST_TEST_REQUIRE(json::parse(*result).has_value());
    const auto kept = messages_in(shorter);
    BOOST_TEST_REQUIRE(std::count_if(kept.begin(), kept.end(), is_marker) == 1);
    // In order, each as it was, but for one user message of which the end is left.
    std::size_t at = 0, cut = 0;
    for (auto& one : kept) {
      if (is_marker(one)) continue;
      const auto ending = one.substr(one.size() - 3);
      while (at < m.size() && m[at] != one &&
             !(m[at].ends_with(ending) && one.size() > 2900 && one.starts_with(R"({"role":"user")")))
        ++at;
      BOOST_TEST_REQUIRE(at < m.size());
      cut += m[at] != one;
      ++at;
    }
    cut_ones += static_cast<int>(cut);
    BOOST_TEST_REQUIRE(cut <= 1u);
    // Systems, the last user message and what is last of all are there; no call without its result.
    auto is_there = [&](const std::string& one) { return std::find(kept.begin(), kept.end(), one) != kept.end(); };
    for (auto& one : m)
      if (one.starts_with(R"({"role":"system")") || one.starts_with(R"({"role":"developer")"))
        BOOST_TEST_REQUIRE(is_there(one));
    BOOST_TEST_REQUIRE(
        is_there(*std::find_if(m.rbegin(), m.rend(), [](auto& one) { return one.starts_with(R"({"role":"user")"); })));
    BOOST_TEST_REQUIRE(is_there(m.back()));
    // Speakers follow each other as they did, and a call's result follows its call.
    auto speakers = [](const list& of) {
      std::vector<std::pair<chat_role, std::string>> out;
      for (auto& one : of) {
        const auto role = read_messages(parsed(conversation({one}))).all[0].role;
        if (role != chat_role::system) out.emplace_back(role, one);
      }
      return out;
    };
    std::set<std::pair<chat_role, chat_role>> seen;
    const auto before = speakers(m), after = speakers(kept);
    for (std::size_t i = 1; i < before.size(); ++i) seen.emplace(before[i - 1].first, before[i].first);
    BOOST_TEST_REQUIRE((after[0].first == before[0].first));
    for (std::size_t i = 1; i < after.size(); ++i) {
      BOOST_TEST_REQUIRE(seen.count({after[i - 1].first, after[i].first}) == 1u);
      if (after[i].first == chat_role::tool)
        BOOST_TEST_REQUIRE(after[i - 1].second.find("tool_calls") != std::string::npos);
    }
  }
  BOOST_TEST(shortened_ones > test::rounds(1000));
  BOOST_TEST(cut_ones > test::rounds(20));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace truncation_test
