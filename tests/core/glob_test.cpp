#include "core/glob.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace glob_test {

BOOST_AUTO_TEST_SUITE(glob_suite)

BOOST_AUTO_TEST_CASE(a_star_is_any_run_and_a_question_mark_is_one) {
  using mainstay::glob_match;
  BOOST_TEST(glob_match("o1-*", "o1-mini"));
  BOOST_TEST(glob_match("o1-*", "o1-"));
  BOOST_TEST(!glob_match("o1-*", "o1"));
  BOOST_TEST(!glob_match("o1-*", "xo1-mini"));
  BOOST_TEST(glob_match("*", ""));
  BOOST_TEST(glob_match("gpt-?o*", "gpt-4o-mini"));
  BOOST_TEST(!glob_match("gpt-?", "gpt-"));
  BOOST_TEST(glob_match("*-*-b", "a-b-a-b"));
  BOOST_TEST(!glob_match("", "a"));
  BOOST_TEST(glob_match("", ""));
  BOOST_TEST(glob_match("a.b", "a.b"));
  BOOST_TEST(!glob_match("a.b", "axb"));
}

BOOST_AUTO_TEST_CASE(a_pattern_full_of_stars_does_not_hang) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  BOOST_TEST(!mainstay::glob_match(pattern, std::string(5000, 'a') + "b"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace glob_test
