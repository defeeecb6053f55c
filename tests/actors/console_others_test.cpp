// Which words are for other nodes, how several answers become one, and the heads in which nodes ask each other.
#include "actors/console_others.hpp"
#include "actors/peer_heads.hpp"
#include "net/json_tree.hpp"

#include <boost/test/unit_test.hpp>

namespace console_others_test {

using namespace mainstay;

namespace {

using words_list = std::vector<std::string>;

std::string number_in(const json::value& v, const char* name) { return v.find(name)->text; }

} // namespace

BOOST_AUTO_TEST_SUITE(console_others_suite)

BOOST_AUTO_TEST_CASE(only_these_words_leave_the_node) {
  using way = others_order::way;
  const auto there = for_others({"on", "n1", "keys", "k", "disable"});
  BOOST_TEST_REQUIRE(!!there);
  BOOST_TEST((there->what == way::there && there->node == "n1" && there->words == words_list{"keys", "k", "disable"}));
  BOOST_TEST((for_others({"status", "--all"})->what == way::everywhere));
  BOOST_TEST((for_others({"trace", "id"})->what == way::wherever));
  BOOST_TEST(for_others({"on"})->words.empty());
  for (const auto& here : {words_list{}, words_list{"status"}, words_list{"trace"}, words_list{"drain"}})
    BOOST_TEST(!for_others(here));
}

BOOST_AUTO_TEST_CASE(what_hands_out_a_key_is_known) {
  BOOST_TEST(hands_out_a_key({"clients", "create", "shop"}));
  BOOST_TEST(hands_out_a_key({"clients", "rotate", "shop", "--keep", "1h"}));
  BOOST_TEST(!hands_out_a_key({"clients", "revoke", "shop"}));
  BOOST_TEST(!hands_out_a_key({"clients"}));
}

BOOST_AUTO_TEST_CASE(figures_are_summed_and_who_is_silent_has_a_row_that_says_why) {
  const auto all = json::parse(
      all_nodes({{"a", "1", "", R"({"node":"a","state":"ready","in_flight":2,"ok":5,"requests_per_second":0.5})"},
                 {"b", "2", "", R"({"node":"b","state":"draining","in_flight":1,"ok":"five","requests_per_second":1})"},
                 {"c", "3", "its link broke", ""}}));
  BOOST_TEST_REQUIRE(!!all);
  BOOST_TEST(all->find("answered")->text == "2 of 3 nodes");
  BOOST_TEST(number_in(*all, "in_flight") == "3");
  BOOST_TEST(number_in(*all, "ok") == "5");
  BOOST_TEST(number_in(*all, "requests_per_second") == "1.5");
  const auto& rows = all->find("nodes")->items;
  BOOST_TEST(rows.size() == 3u);
  BOOST_TEST(rows[1].find("state")->text == "draining");
  BOOST_TEST(rows[2].find("state")->text == "no answer");
  BOOST_TEST(rows[2].find("why")->text == "its link broke");
  BOOST_TEST(!rows[2].find("in_flight"));
}

BOOST_AUTO_TEST_CASE(an_answer_says_which_node_it_is_of) {
  BOOST_TEST(with_member(R"({"id":"x"})", "at_node", "n\"1") == R"({"at_node":"n\"1","id":"x"})");
  BOOST_TEST(with_member("{}", "at_node", "n1") == R"({"at_node":"n1"})");
  BOOST_TEST(with_member("no object", "at_node", "n1") == "no object");
}

BOOST_AUTO_TEST_CASE(what_nodes_say_is_read_as_it_was_written) {
  const auto q =
      words::console_question_in(words::head(words::console_question{7, {"keys", "a \"b\"", ""}, "console"}));
  BOOST_TEST_REQUIRE(!!q);
  BOOST_TEST((q->n == 7 && q->who == "console" && q->words == words_list{"keys", "a \"b\"", ""}));
  const auto a = words::journal_news_in(
      words::head(words::journal_news{9, words::journal_news::way::answered, 200, {{"x-request-id", "r1"}}}));
  BOOST_TEST_REQUIRE(!!a);
  BOOST_TEST((a->n == 9 && a->status == 200 && a->headers == header_list{{"x-request-id", "r1"}}));
  const auto h = words::journal_head_in(words::head(words::journal_head{3, "shop", 1500}));
  BOOST_TEST((h && h->n == 3 && h->client == "shop" && h->wait_ms == 1500));
}

BOOST_AUTO_TEST_CASE(what_is_no_such_head_is_none) {
  for (const char* wrong : {"", "[]", "{}", R"({"n":0,"words":["status"]})", R"({"n":1})", R"({"n":1,"words":[]})",
                            R"({"n":1,"words":[1]})", R"({"n":1,"words":"status"})", R"({"n":-1,"words":["status"]})",
                            R"({"n":1,"words":["status"],"who":"a\nb"})"})
    BOOST_TEST(!words::console_question_in(wrong), wrong);
  const std::string big(5u << 20, 'x');
  BOOST_TEST(!words::console_question_in(R"({"n":1,"words":[")" + big + "\"]}"));
  BOOST_TEST(!words::console_question_in(R"({"n":1,"words":["s"],"who":")" + std::string(101, 'x') + "\"}"));
  for (const char* wrong :
       {"", "3", R"({"n":1,"state":"eaten"})", R"({"n":1,"state":"answered","status":99})",
        R"({"n":1,"state":"answered","status":1e30})", R"({"n":1,"state":"answered","status":200,"headers":[["a"]]})",
        R"({"n":1,"state":"answered","status":200,"headers":[["a","b\r\nc"]]})"})
    BOOST_TEST(!words::journal_news_in(wrong), wrong);
  BOOST_TEST(!!words::journal_news_in(R"({"n":1,"state":"unknown","later":{"versions":["say","more"]}})"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace console_others_test
