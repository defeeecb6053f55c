// Waits that providers ask for, in every form the field uses, and the garbage beside them.
#include "core/retry_after.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

namespace retry_after_test {

using namespace mainstay;

namespace {

// Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110.
const utc_time that_sunday = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s;
const utc_time now_2024 = std::chrono::sys_days(std::chrono::year(2024) / 5 / 1) + 10h;

} // namespace

BOOST_AUTO_TEST_SUITE(retry_after)

BOOST_AUTO_TEST_CASE(seconds_may_have_a_fraction_and_spaces_around) {
  BOOST_TEST((parse_retry_after("2", now_2024) == 2s));
  BOOST_TEST((parse_retry_after("0", now_2024) == 0s));
  BOOST_TEST((parse_retry_after("0.5", now_2024) == 500ms));
  BOOST_TEST((parse_retry_after(" \t30 ", now_2024) == 30s));
  BOOST_TEST((parse_retry_after("86400", now_2024) == 24h));
}

BOOST_AUTO_TEST_CASE(all_three_forms_of_an_http_date_mean_the_same_moment) {
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
    BOOST_TEST_CONTEXT(date) BOOST_TEST((parse_retry_after(date, that_sunday - 90s) == 90s));
  BOOST_TEST((parse_retry_after("Wed May 15 10:00:00 2024", now_2024 + 14 * 24h - 1min) == 1min));
}

BOOST_AUTO_TEST_CASE(a_date_in_the_past_is_zero_and_one_far_ahead_is_none) {
  BOOST_TEST((parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", that_sunday) == 0s));
  BOOST_TEST((parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now_2024) == 0s));
  BOOST_TEST((parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", that_sunday - 24h) == 24h));
  BOOST_TEST(!parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", that_sunday - 24h - 1s));
}

BOOST_AUTO_TEST_CASE(a_year_of_two_digits_is_at_most_fifty_years_ahead) {
  const utc_time last_minute = std::chrono::sys_days(std::chrono::year(2074) / 12 / 31) + 23h + 59min;
  BOOST_TEST((parse_retry_after("Monday, 31-Dec-74 23:59:30 GMT", last_minute) == 30s));
  BOOST_TEST((parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", now_2024) == 0s)); // 1994, not 2094
}

BOOST_AUTO_TEST_CASE(garbage_and_negative_and_absurd_values_are_none) {
  for (const char* value : {"",
                            " ",
                            "-1",
                            "+1",
                            "1e3",
                            "0x10",
                            "nan",
                            "inf",
                            ".",
                            ".5",
                            "5.",
                            "1.2.3",
                            "1 2",
                            "12abc",
                            "soon",
                            "86401",
                            "99999999999999999999999999",
                            "Sun, 06 Nov 1994 08:49:37",
                            "Sun, 6 Nov 1994 08:49:37 GMT",
                            "Sun, 31 Feb 2024 08:49:37 GMT",
                            "Sun, 06 Nov 1994 24:00:00 GMT",
                            "Sun, 06 Nov 1994 08:60:00 GMT",
                            "Xyz, 06 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 9999 08:49:37 GMT",
                            "Sunday, 06-Nov-94 08:49:37 GMT trailing",
                            "Sun Nov 06 08:49:37 94"})
    BOOST_TEST_CONTEXT(value) BOOST_TEST(!parse_retry_after(value, that_sunday));
  BOOST_TEST(!parse_retry_after(std::string(1 << 20, '1'), now_2024));
  BOOST_TEST(!parse_retry_after(std::string("5\0", 2), now_2024));
}

BOOST_AUTO_TEST_CASE(milliseconds_are_milliseconds) {
  BOOST_TEST((parse_retry_after_ms("1500") == 1500ms));
  BOOST_TEST((parse_retry_after_ms("0.5") == 500us));
  for (const char* value : {"", "-5", "1s", "86400001"})
    BOOST_TEST_CONTEXT(value) BOOST_TEST(!parse_retry_after_ms(value));
}

BOOST_AUTO_TEST_CASE(a_reset_is_a_span_with_units_or_plain_seconds) {
  const std::vector<std::pair<const char*, duration>> spans = {{"1s", 1s},
                                                               {"6m0s", 6min},
                                                               {"250ms", 250ms},
                                                               {"1h2m3.5s", 1h + 2min + 3500ms},
                                                               {"12", 12s},
                                                               {"2m59.56s", 179560ms},
                                                               {"8.64s", 8640ms},
                                                               {"0s", 0s},
                                                               {"1m30s500ms", 90500ms},
                                                               {"1d", 24h},
                                                               {"100\xC2\xB5s", 100us},
                                                               {" 7.66s ", 7660ms}};
  for (const auto& [text, span] : spans) BOOST_TEST_CONTEXT(text) BOOST_TEST((parse_reset_span(text) == span));
}

BOOST_AUTO_TEST_CASE(a_span_with_unknown_or_repeated_or_disordered_units_is_none) {
  for (const char* text : {"", "s", "1x", "1s1s", "1s1m", "5m s", "m5", "-1s", "1h-2m", "25h", "1741305600000", "1,5s"})
    BOOST_TEST_CONTEXT(text) BOOST_TEST(!parse_reset_span(text));
}

BOOST_AUTO_TEST_CASE(a_reset_may_be_an_rfc_3339_date) {
  BOOST_TEST((parse_reset_date("2024-05-01T10:00:05Z", now_2024) == 5s));
  BOOST_TEST((parse_reset_date("2024-05-01T10:00:04.25Z", now_2024) == 5s)); // rounded up
  BOOST_TEST((parse_reset_date("2024-05-01T12:01:00+02:00", now_2024) == 1min));
  BOOST_TEST((parse_reset_date("2024-05-01T05:31:00-04:30", now_2024) == 1min));
  BOOST_TEST((parse_reset_date("2024-05-01T09:00:00Z", now_2024) == 0s));
  for (const char* text : {"", "2024-05-01", "2024-05-01T10:00:05", "2024-05-01T10:00:05+25:00", "2024-05-03T10:00:00Z",
                           "2024-13-01T10:00:00Z", "2024-05-01T10:00:05.Z", "2024-05-01T10:00:05Zz"})
    BOOST_TEST_CONTEXT(text) BOOST_TEST(!parse_reset_date(text, now_2024));
}

BOOST_AUTO_TEST_CASE(whatever_the_bytes_a_wait_is_none_or_between_zero_and_a_day) {
  std::mt19937 random(17);
  const std::string letters = "0123456789.:,-+ TZdhmsunGMTSunNov\xC2\xB5\x00";
  std::size_t understood = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = letters[random() % letters.size()];
    for (const auto& wait : {parse_retry_after(text, now_2024), parse_retry_after_ms(text), parse_reset_span(text),
                             parse_reset_date(text, now_2024)})
      if (wait) {
        ++understood;
        BOOST_REQUIRE((*wait >= 0s && *wait <= 24h));
      }
  }
  BOOST_TEST(understood > 1000u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace retry_after_test
