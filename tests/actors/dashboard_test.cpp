#include "actors/dashboard.hpp"
#include "net/http_server.hpp"

#include <boost/test/unit_test.hpp>

namespace dashboard_test {

namespace {

using namespace mainstay;

/// A viewer's end of the stream: holds what was sent until it is read.
struct reader : http::response {
  std::vector<bytes_ptr> unread;
  std::size_t comments = 0;
  std::function<void(std::size_t)> written;
  std::function<void()> left;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (auto& u : unread) sum += u->size();
    return sum;
  }
  void read_all() {
    const auto size = bytes();
    unread.clear();
    written(size);
  }

  void reply(int, header_list, bytes_ptr) override {}
  void stream_head(header_list) override {}
  void stream_event(bytes_ptr json) override { unread.push_back(std::move(json)); }
  void stream_comment(std::string) override { ++comments; }
  void stream_end(bytes_ptr, header_list) override {}
  void stream_error(int, bytes_ptr, header_list) override {}
  void observe_progress(std::size_t, std::function<void(std::size_t)> w) override { written = std::move(w); }
  void reply_as(int, std::string, header_list, bytes_ptr) override {}
  void on_caller_left(std::function<void()> l) override { left = std::move(l); }
  void close_after() override {}
  void stream_typed_event(std::string_view, bytes_ptr) override {}
  void stream_filler(std::string) override {}
  void stream_close() override {}
};

const auto frame = make_bytes(std::string(10000, 'x'));

} // namespace

BOOST_AUTO_TEST_SUITE(actors_dashboard)

BOOST_AUTO_TEST_CASE(whoever_reads_has_the_last_minutes_once_and_then_each_overview) {
  auto there = std::make_shared<reader>();
  dashboard_viewer v(there);
  BOOST_TEST(v.wants_history());
  for (int i = 0; i < 1000; ++i) {
    v.show(frame, {});
    BOOST_TEST_REQUIRE(there->unread.size() == 1u);
    there->read_all();
    BOOST_TEST_REQUIRE(!v.wants_history());
  }
}

BOOST_AUTO_TEST_CASE(whoever_does_not_read_costs_bounded_memory_and_has_the_last_minutes_again_later) {
  auto there = std::make_shared<reader>();
  dashboard_viewer v(there);
  for (int i = 0; i < 1000; ++i) v.show(frame, {});
  BOOST_TEST(there->bytes() > dashboard_viewer::most_unread);
  BOOST_TEST(there->bytes() <= dashboard_viewer::most_unread + frame->size());
  BOOST_TEST(v.wants_history());
  there->read_all();
  v.show(frame, {});
  BOOST_TEST(there->unread.size() == 1u);
  BOOST_TEST(!v.wants_history());
}

BOOST_AUTO_TEST_CASE(a_silence_of_fifteen_seconds_is_broken_by_a_comment) {
  auto there = std::make_shared<reader>();
  dashboard_viewer v(there);
  instant now{1h};
  for (int i = 0; i < 15; ++i, now += 1s) v.keep_alive(now);
  BOOST_TEST(there->comments == 0u);
  v.keep_alive(now);
  BOOST_TEST(there->comments == 1u);
  v.show(frame, now + 10s);
  v.keep_alive(now + 20s);
  BOOST_TEST(there->comments == 1u);
  v.keep_alive(now + 25s);
  BOOST_TEST(there->comments == 2u);
}

BOOST_AUTO_TEST_CASE(whoever_left_is_known_to_be_gone) {
  auto there = std::make_shared<reader>();
  dashboard_viewer v(there);
  BOOST_TEST(!v.gone());
  there->left();
  BOOST_TEST(v.gone());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace dashboard_test
