#define BOOST_TEST_MODULE mainstay
#include <boost/test/included/unit_test.hpp>
