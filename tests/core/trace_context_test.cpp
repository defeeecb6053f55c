// W3C trace context: what is read, what is passed on, and who is in the sample.
#include "core/trace_context.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace trace_context_test {

using namespace mainstay;

namespace {
const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
}

BOOST_AUTO_TEST_SUITE(trace_contexts)

BOOST_AUTO_TEST_CASE(a_valid_one_is_read) {
  const auto t = read_traceparent(valid);
  BOOST_REQUIRE(t.has_value());
  BOOST_TEST(t->trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736");
  BOOST_TEST((hex(t->parent) == "00f067aa0ba902b7" && t->sampled));
  BOOST_TEST(traceparent(*t, t->parent) == valid);
  BOOST_TEST(!read_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")->sampled);
}

BOOST_AUTO_TEST_CASE(what_is_not_valid_is_none) {
  for (const auto* wrong : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"})
    BOOST_TEST(!read_traceparent(wrong), wrong);
  BOOST_TEST(read_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").has_value());
}

BOOST_AUTO_TEST_CASE(a_state_is_printable) {
  BOOST_TEST((is_tracestate("vendor=1,other=2 3") && !is_tracestate("")));
  BOOST_TEST((!is_tracestate("a=\xff") && !is_tracestate("a=1\r\nb: c")));
}

BOOST_AUTO_TEST_CASE(spans_of_a_request_differ) {
  std::set<span_id> seen;
  for (unsigned n = 0; n < 300; ++n) {
    seen.insert(span_of_attempt(77, n));
    seen.insert(span_of_part(77, n));
  }
  BOOST_TEST((seen.size() == 600u && !seen.count(77) && !seen.count(0)));
  BOOST_TEST(span_of_attempt(77, 3) == span_of_attempt(77, 3));
}

BOOST_AUTO_TEST_CASE(the_sample_is_as_large_as_asked_for) {
  std::mt19937_64 random(1);
  int in = 0;
  for (int i = 0; i < 100'000; ++i) {
    trace_context t;
    t.id_low = random();
    in += in_sample(t, 0.01);
    BOOST_REQUIRE((in_sample(t, 1) && !in_sample(t, 0)));
    if (in_sample(t, 0.01)) BOOST_REQUIRE(in_sample(t, 0.5)); // a larger sample holds the smaller one
  }
  BOOST_TEST((in > 850 && in < 1150));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace trace_context_test
