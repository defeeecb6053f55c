// Which requests become one call, and what is known of it afterwards.
#include "actors/batches.hpp"
#include "net/batch_prompt.hpp"

#include <boost/test/unit_test.hpp>

namespace batches_test {

using namespace mainstay;

namespace {

struct fixture {
  config::settings settings;
  std::int64_t last = 0;

  fixture() {
    config::model_settings m;
    m.name = "smart";
    settings.models.push_back(m);
  }

  journal_request request(const std::string& text, const std::string& more = "", const std::string& model = "smart") {
    journal_request r;
    r.number = ++last;
    r.name = "req_" + std::to_string(last);
    r.shape = "shape";
    r.body = make_bytes(R"({"model":")" + model + R"(","messages":[{"role":"user","content":")" + text + R"("}])" +
                        more + "}");
    return r;
  }
  batch_composer begin(const journal_request& first) { return batch_composer::begin(first, settings).value(); }
  /// How many go together.
  std::size_t taken(const std::string& text, const std::string& more = "", std::size_t most = 100) {
    auto c = begin(request(text, more));
    while (c.size() < most && c.add(request(text, more))) {}
    return c.size();
  }
};

std::string answering(std::size_t parts) {
  std::string content;
  for (std::size_t i = 1; i <= parts; ++i)
    content += (i > 1 ? "," : "") + std::string(R"({\"part\":)") + std::to_string(i) + R"(,\"answer\":\"a)" +
               std::to_string(i) + R"(\"})";
  return R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"{\"parts\":[)" + content +
         R"(]}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":20}})";
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_books, fixture)

BOOST_AUTO_TEST_CASE(what_does_not_fit_into_the_models_window_waits_for_the_next_call) {
  BOOST_TEST(taken("short") == 62u); // 256 for each answer, 16,000 together
  BOOST_TEST(taken("short", R"(,"max_tokens":10)") == 100u);
  BOOST_TEST(taken("short", R"(,"max_tokens":4000)") == 4u);
  BOOST_TEST(taken(std::string(80'000, 'x'), R"(,"max_tokens":10)") == 4u); // 20,000 tokens each, 100,000 together
  settings.models[0].context_window = 1000;
  BOOST_TEST(taken("short", R"(,"max_tokens":100)") == 9u);
  BOOST_TEST(taken(std::string(8000, 'x')) == 1u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_or_has_no_model_begins_nothing) {
  auto broken = request("x");
  broken.body = make_bytes("{");
  BOOST_TEST(!batch_composer::begin(broken, settings));
  BOOST_TEST(!batch_composer::begin(request("x", "", "unknown"), settings));
  auto c = begin(request("x"));
  BOOST_TEST(!c.add(broken));
}

BOOST_AUTO_TEST_CASE(the_same_requests_have_the_same_body_and_key_in_whatever_order_they_came) {
  const auto one = request("one"), two = request("two"), three = request("three");
  auto forth = begin(one), back = begin(three), other = begin(one);
  BOOST_TEST((forth.add(two) && forth.add(three) && back.add(one) && back.add(two) && other.add(two)));
  const auto a = std::move(forth).finish(), b = std::move(back).finish(), c = std::move(other).finish();
  BOOST_TEST(*a.body == *b.body);
  BOOST_TEST(a.upstream_key == b.upstream_key);
  BOOST_TEST(a.upstream_key != c.upstream_key);
  BOOST_TEST((a.call.numbers == std::vector<std::int64_t>{1, 2, 3}));
  BOOST_TEST(a.call.merged_tokens > 0u);
}

BOOST_AUTO_TEST_CASE(every_part_has_its_own_name_and_says_with_how_many_it_was_asked) {
  auto c = begin(request("one"));
  c.add(request("two"));
  auto call = std::move(c).finish().call;
  call.name = "req_call";
  const kept_answer whole{
      200, {{"x-request-id", "req_call"}, {"x-mainstay-source", "primary"}}, make_bytes(answering(2))};
  const auto outcome = take_apart(call, whole, std::chrono::system_clock::now());
  BOOST_TEST(outcome.answered() == 2u);
  const auto& second = *outcome.answers[1];
  using header = std::pair<std::string, std::string>;
  for (auto& h : {header{"x-request-id", "req_2"}, header{"x-mainstay-source", "primary"},
                  header{"x-mainstay-batch", "2"}, header{"x-mainstay-batch-call", "req_call"}})
    BOOST_TEST(std::count(second.headers.begin(), second.headers.end(), h) == 1, h.first);
  BOOST_TEST(second.headers.size() == 4u);

  batch_book::of_model counts;
  counts.count(call, outcome);
  BOOST_TEST((counts.calls == 1 && counts.parts == 2 && counts.answered == 2 && counts.alone == 0));
  BOOST_TEST(counts.calls_saved == 1);
  BOOST_TEST(counts.tokens_saved < 0); // two short questions are not worth the instructions
}

BOOST_AUTO_TEST_CASE(a_call_that_answers_nobody_costs_one) {
  auto c = begin(request("one"));
  c.add(request("two"));
  const auto call = std::move(c).finish().call;
  batch_book::of_model counts;
  counts.count(call, take_apart(call, {200, {}, make_bytes("{}")}, {}));
  BOOST_TEST(counts.calls_saved == -1);
  BOOST_TEST(counts.alone == 2u);
}

BOOST_AUTO_TEST_CASE(a_call_is_wanted_until_the_last_was_called_off) {
  batch_call call;
  call.numbers = {1, 2, 3};
  BOOST_TEST(!call.call_off(2));
  BOOST_TEST(!call.call_off(1));
  BOOST_TEST(!call.call_off(2));
  BOOST_TEST(call.call_off(3));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace batches_test
