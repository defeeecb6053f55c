// Durations and sizes: what is one, what is none, what overflows.
#include "config/units.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

namespace units_test {

using namespace mainstay;
using namespace mainstay::config;

BOOST_AUTO_TEST_SUITE(units)

BOOST_AUTO_TEST_CASE(a_duration_is_a_number_and_its_unit) {
  BOOST_TEST((parse_duration("250ms") == duration(250ms)));
  BOOST_TEST((parse_duration("5s") == duration(5s)));
  BOOST_TEST((parse_duration("1.5m") == duration(90s)));
  BOOST_TEST((parse_duration("2h") == duration(2h)));
  BOOST_TEST((parse_duration("1d") == duration(24h)));
  BOOST_TEST((parse_duration("0s") == duration(0s)));
  BOOST_TEST((parse_duration("0.25ms") == duration(250us)));
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused) {
  for (const char* text : {"",    "5",   "s",     "-5s",    "+5s",  "5 s",  " 5s",  "5s ",  "5S",  "5sec", "1h30m",
                           ".5s", "5.s", "1..5s", "1.2.3s", "5e3s", "infs", "nand", "0x5s", "5us", "1,5s"})
    BOOST_TEST(!parse_duration(text), text);
}

BOOST_AUTO_TEST_CASE(a_duration_that_would_overflow_is_refused) {
  BOOST_TEST(!parse_duration("999999999999999999999d"));
  BOOST_TEST(!parse_duration(std::string(400, '9') + "s"));
  BOOST_TEST(!parse_duration("200000d"));
  BOOST_TEST(!!parse_duration("36500d"));
}

BOOST_AUTO_TEST_CASE(a_size_is_a_whole_number_and_its_unit) {
  BOOST_TEST((parse_size("512B") == 512u));
  BOOST_TEST((parse_size("10KiB") == 10240u));
  BOOST_TEST((parse_size("32MiB") == 33554432u));
  BOOST_TEST((parse_size("1GiB") == 1073741824u));
  BOOST_TEST((parse_size("3kB") == 3000u));
  BOOST_TEST((parse_size("3MB") == 3000000u));
  BOOST_TEST((parse_size("3GB") == 3000000000u));
}

BOOST_AUTO_TEST_CASE(what_is_no_size_is_refused) {
  for (const char* text : {"", "5", "MiB", "-5B", "+5B", "5 B", "5b", "5KB", "5kib", "1.5MiB", "5TiB", "0x5B"})
    BOOST_TEST(!parse_size(text), text);
}

BOOST_AUTO_TEST_CASE(a_size_that_would_overflow_is_refused) {
  BOOST_TEST((parse_size("18446744073709551615B") == std::numeric_limits<std::uint64_t>::max()));
  BOOST_TEST(!parse_size("18446744073709551616B"));
  BOOST_TEST(!parse_size("18446744073709551615KiB"));
}

BOOST_AUTO_TEST_CASE(what_is_formatted_can_be_read_again) {
  for (const duration value :
       {duration(0s), duration(1ms), duration(90s), duration(2h), duration(48h), duration(1500ms)})
    BOOST_TEST((parse_duration(format_duration(value)) == value), format_duration(value));
  for (const std::uint64_t value : {std::uint64_t(0), std::uint64_t(1), std::uint64_t(1) << 10, std::uint64_t(3) << 20,
                                    (std::uint64_t(1) << 30) + 1})
    BOOST_TEST((parse_size(format_size(value)) == value), format_size(value));
  BOOST_TEST(format_duration(90s) == "90s");
  BOOST_TEST(format_duration(2h) == "2h");
  BOOST_TEST(format_size(32u << 20) == "32MiB");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace units_test
