// What happened to a request and when: bounded, and told as spans.
#include "core/request_story.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace request_story_test {

using namespace mainstay;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(request_stories)

BOOST_AUTO_TEST_CASE(marks_come_back_as_they_were_set) {
  request_story s;
  s.add(story_mark::capacity_asked, 15us);
  s.add(story_mark::granted, 1h + 2us);
  s.add(story_mark::sent, 25h, 255);
  const auto all = s.all();
  BOOST_REQUIRE(all.size() == 3u);
  BOOST_TEST((all[0].what == story_mark::capacity_asked && all[0].at == 15us && all[0].attempt == 0));
  BOOST_TEST((all[1].what == story_mark::granted && all[1].at == 1h + 2us));
  BOOST_TEST((all[2].what == story_mark::sent && all[2].at == 25h && all[2].attempt == 255));
}

BOOST_AUTO_TEST_CASE(every_mark_has_a_name_of_its_own) {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(story_mark::recovered); ++i)
    names.push_back(to_string(static_cast<story_mark>(i)));
  std::sort(names.begin(), names.end());
  BOOST_TEST((std::adjacent_find(names.begin(), names.end()) == names.end()));
  BOOST_TEST(!names.front().empty());
}

BOOST_AUTO_TEST_CASE(of_a_long_story_the_middle_is_left_out) {
  request_story s;
  for (int i = 0; i < 1000; ++i) s.add(story_mark::paused, std::chrono::seconds(i));
  const auto all = s.all();
  BOOST_TEST(all.size() == request_story::first_kept + request_story::last_kept);
  BOOST_TEST(s.left_out() == 1000 - all.size());
  BOOST_TEST((all[request_story::first_kept - 1].at == 47s && all[request_story::first_kept].at == 984s));
  BOOST_TEST((all.back().at == 999s));
}

BOOST_AUTO_TEST_CASE(spans_end_with_the_next_mark_or_with_the_request) {
  request_story s;
  s.add(story_mark::cache_asked, 1ms);
  s.add(story_mark::cache_missed, 2ms);
  s.add(story_mark::capacity_asked, 3ms);
  s.add(story_mark::granted, 10ms);
  s.add(story_mark::sent, 11ms, 1);
  s.add(story_mark::head, 20ms, 1);
  s.add(story_mark::attempt_over, 30ms, 1);
  s.add(story_mark::paused, 31ms);
  const auto spans = s.spans(50ms);
  BOOST_REQUIRE(spans.size() == 3u);
  BOOST_TEST((spans[0].what == "cache" && spans[0].begin == 1ms && spans[0].end == 2ms));
  BOOST_TEST((spans[1].what == "queue" && spans[1].begin == 3ms && spans[1].end == 10ms));
  BOOST_TEST((spans[2].what == "pause" && spans[2].begin == 31ms && spans[2].end == 50ms));
  BOOST_TEST((s.queued(50ms) == 7ms));
}

BOOST_AUTO_TEST_CASE(the_wait_for_a_second_call_goes_on_beside_the_first) {
  request_story s;
  s.add(story_mark::sent, 1ms, 1);
  s.add(story_mark::capacity_asked, 5ms);
  s.add(story_mark::head, 6ms, 1);
  s.add(story_mark::granted, 9ms);
  s.add(story_mark::capacity_asked, 20ms);
  const auto spans = s.spans(25ms);
  BOOST_REQUIRE(spans.size() == 2u);
  BOOST_TEST((spans[0].begin == 5ms && spans[0].end == 9ms));
  BOOST_TEST((spans[1].begin == 20ms && spans[1].end == 25ms));
  BOOST_TEST((s.queued(25ms) == 9ms));
  BOOST_TEST((request_story().queued(1s) == 0s && !request_story().asked_for_capacity()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace request_story_test
