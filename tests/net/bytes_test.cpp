// Giving memory back.
#include "net/bytes.hpp"

#include <boost/test/unit_test.hpp>

namespace bytes_test {

BOOST_AUTO_TEST_SUITE(bytes)

BOOST_AUTO_TEST_CASE(a_released_string_keeps_no_memory) {
  std::string s(1 << 20, 'x');
  mainstay::release(s);
  BOOST_TEST(s.empty());
  BOOST_TEST(s.capacity() < 100u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace bytes_test
