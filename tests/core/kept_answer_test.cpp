// Which answers may be kept.
#include "core/kept_answer.hpp"

#include <boost/test/unit_test.hpp>

namespace kept_answer_test {

using namespace mainstay;

namespace {

kept_answer answer(int status, const std::string& source = "primary", const std::string& degraded = "false") {
  return {status,
          {{"x-mainstay-source", source}, {"x-mainstay-degraded", degraded}},
          std::make_shared<const std::string>("{}")};
}

} // namespace

BOOST_AUTO_TEST_SUITE(kept_answers)

BOOST_AUTO_TEST_CASE(answers_and_the_callers_own_faults_settle_a_durable_request_and_nothing_else_does) {
  for (int status : {200, 400, 403, 404, 413, 422}) BOOST_TEST(settles(answer(status)), status);
  for (int status : {0, 408, 425, 429, 499, 500, 502, 503, 504}) BOOST_TEST(!settles(answer(status)), status);
}

BOOST_AUTO_TEST_CASE(what_stands_in_for_an_answer_settles_nothing) {
  for (auto source : {"stale", "similar", "canned"}) BOOST_TEST(!settles(answer(200, source, "true")), source);
  for (auto source : {"primary", "backup", "fallback", "cache"}) BOOST_TEST(settles(answer(200, source)), source);
}

BOOST_AUTO_TEST_CASE(an_answer_in_part_settles_nothing_and_is_not_repeated) {
  auto part = answer(200, "primary", "true");
  BOOST_TEST(settles(part));
  part.headers.emplace_back("x-mainstay-reason", "partial");
  BOOST_TEST(!settles(part));
  BOOST_TEST(!may_be_repeated(part));
}

BOOST_AUTO_TEST_CASE(a_degraded_answer_is_never_repeated) {
  BOOST_TEST(may_be_repeated(answer(200)));
  BOOST_TEST(may_be_repeated(answer(400)));
  BOOST_TEST(!may_be_repeated(answer(200, "fallback", "true")));
  BOOST_TEST(!may_be_repeated(answer(200, "stale", "true")));
  BOOST_TEST(!may_be_repeated(answer(503)));
}

BOOST_AUTO_TEST_CASE(that_a_client_was_revoked_is_an_answer_but_none_to_be_repeated) {
  BOOST_TEST(settles(answer(401)));
  BOOST_TEST(!may_be_repeated(answer(401)));
}

BOOST_AUTO_TEST_CASE(an_answer_occupies_its_body_and_its_headers) {
  auto small = answer(200), large = answer(200);
  large.body = std::make_shared<const std::string>(1000, 'x');
  BOOST_TEST(large.bytes() == small.bytes() + 998);
  small.body = nullptr;
  BOOST_TEST(small.bytes() > 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace kept_answer_test
