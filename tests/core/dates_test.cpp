// Dates as they are written.
#include "core/dates.hpp"
#include "core/retry_after.hpp"

#include <boost/test/unit_test.hpp>

namespace dates_test {

using namespace mainstay;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(dates_are_written_to_the_millisecond_and_can_be_read_again) {
  const utc_time leap = std::chrono::sys_days(std::chrono::year(2028) / 2 / 29) + 23h + 59min + 58s + 7ms + 900us;
  BOOST_TEST(date_text(leap) == "2028-02-29T23:59:58.007Z");
  BOOST_TEST(date_text(utc_time{}) == "1970-01-01T00:00:00.000Z");
  const auto read = parse_date(date_text(leap));
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST((*read >= leap && *read - leap < 1s)); // who reads is never too early
}

} // namespace dates_test
