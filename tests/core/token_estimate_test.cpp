// Estimates of tokens by script, and what is reserved for a request.
#include "core/token_estimate.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

namespace token_estimate_test {

using namespace mainstay;

namespace {

text_profile of(std::string_view text) {
  text_profile profile;
  profile.add(text);
  return profile;
}
void check(std::string_view text, std::uint64_t latin, std::uint64_t ideographs, std::uint64_t other) {
  const text_profile profile = of(text);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST(profile.latin == latin);
    BOOST_TEST(profile.ideographs == ideographs);
    BOOST_TEST(profile.other == other);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(token_estimate)

BOOST_AUTO_TEST_CASE(characters_are_counted_by_script_and_not_by_byte) {
  check("", 0, 0, 0);
  check("hello, world", 12, 0, 0);
  check("Gr\xC3\xBC\xC3\x9F"
        "e",
        5, 0, 0);
  check("\xE4\xBD\xA0\xE5\xA5\xBD", 0, 2, 0);                 // Chinese
  check("\xE3\x81\x93\xE3\x82\xA4\xED\x95\x9C", 0, 3, 0);     // hiragana, katakana, hangul
  check("\xF0\xA0\x80\x80", 0, 1, 0);                         // an ideograph beyond the basic plane
  check("\xD0\xBF\xD1\x80 \xF0\x9F\x99\x82", 1, 0, 3);        // Cyrillic, a space, a smiley
  check("0123456789abcdef\xE4\xBD\xA0 0123456789", 27, 1, 0); // runs longer than a word
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_count_as_other_one_by_one) {
  check("\xFF\xFE", 0, 0, 2);
  check("a\x80z", 2, 0, 1);
  check("\xC0\x80", 0, 0, 2);         // overlong
  check("\xE0\x80\x80", 0, 0, 3);     // overlong
  check("\xED\xA0\x80", 0, 0, 3);     // a surrogate
  check("\xF4\x90\x80\x80", 0, 0, 4); // beyond Unicode
  check("ab\xE4\xBD", 2, 0, 2);       // cut in the middle
  check("\xE4"
        "abc",
        3, 0, 1);
}

BOOST_AUTO_TEST_CASE(four_latin_or_two_other_characters_or_one_ideograph_make_a_token) {
  BOOST_TEST((text_profile{400, 0, 0}.tokens()) == 100u);
  BOOST_TEST((text_profile{0, 100, 0}.tokens()) == 100u);
  BOOST_TEST((text_profile{0, 0, 200}.tokens()) == 100u);
  BOOST_TEST((text_profile{1, 1, 1}.tokens()) == 3u); // rounded up
  BOOST_TEST(text_profile{}.tokens() == 0u);
}

BOOST_AUTO_TEST_CASE(a_reservation_is_the_prompt_as_learned_plus_the_cap_or_the_default) {
  BOOST_TEST(tokens_to_reserve(100, 1.0, 50) == 150u);
  BOOST_TEST(tokens_to_reserve(100, 1.5, 50) == 200u);
  BOOST_TEST(tokens_to_reserve(3, 1.1, 0) == 4u + 256u); // rounded up
  BOOST_TEST(tokens_to_reserve(100, 1.0, 0, 1000) == 1100u);
  for (const double nothing_learned : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    BOOST_TEST(tokens_to_reserve(100, nothing_learned, 1) == 101u);
}

BOOST_AUTO_TEST_CASE(absurd_numbers_saturate) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  BOOST_TEST(tokens_to_reserve(1000, 1.0, most) == most);
  BOOST_TEST(tokens_to_reserve(most, 2.0, 1) == most);
  BOOST_TEST(tokens_to_reserve(1, std::numeric_limits<double>::infinity(), 1) == most);
  BOOST_TEST((text_profile{most, most, most}.tokens()) == most);
}

BOOST_AUTO_TEST_CASE(a_prompt_leaves_room_for_the_answer_it_asks_for) {
  BOOST_TEST(prompt_budget({}, 0) == 100'000u);
  BOOST_TEST(prompt_budget({}, 50'000) == 100'000u);
  BOOST_TEST(prompt_budget(8192, 0) == 8192u - 256u);
  BOOST_TEST(prompt_budget(8192, 1000) == 7192u);
  BOOST_TEST(prompt_budget(8192, 1'000'000) == 4096u); // an answer is not worth the whole conversation
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace token_estimate_test
