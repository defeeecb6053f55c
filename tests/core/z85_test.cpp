// Keys as text, against the specification's example.
#include "core/z85.hpp"

#include <boost/test/unit_test.hpp>

namespace z85_test {

using namespace mainstay;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(z85)

BOOST_AUTO_TEST_CASE(the_specifications_example_goes_there_and_back) {
  const auto bytes = "\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B"s;
  BOOST_TEST(z85_encode(bytes) == "HelloWorld");
  BOOST_TEST((z85_decode("HelloWorld") == bytes));
  BOOST_TEST((z85_decode("") == ""s));
}

BOOST_AUTO_TEST_CASE(every_byte_comes_back) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  BOOST_TEST((z85_decode(z85_encode(all)) == all));
}

BOOST_AUTO_TEST_CASE(what_is_no_z85_is_none) {
  for (auto* wrong : {"Hell", "HelloW", "Hell ", "Hell\"", "Hell,", "#####", "Hell~"})
    BOOST_TEST(!z85_decode(wrong), wrong);
  BOOST_TEST((z85_decode("%nSc0") == "\xff\xff\xff\xff"s)); // the largest
  BOOST_TEST(!z85_decode("%nSc1"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace z85_test
