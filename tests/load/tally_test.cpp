// Counting, and the report made of it.
#include "tools/load/report.hpp"
#include "tools/load/tally.hpp"

#include <boost/test/unit_test.hpp>
#include <rapidjson/document.h>

namespace tally_test {

using namespace mainstay;
using namespace mainstay::load;

namespace {

const instant t0 = instant(1000s);

flight begun(tally& t, duration at, door_kind door = door_kind::http, duration late = 0s) {
  flight f;
  f.door = door;
  f.intended = t0 + at;
  f.sent = f.intended + late;
  t.started(f);
  return f;
}

void answered(tally& t, flight& f, duration at, int status = 200, std::string_view source = "primary") {
  f.got.begin(false, false);
  f.got.take_status(status, source);
  f.got.take_body("because");
  t.finished(f, f.got.judge(nullptr), t0 + at);
}

tally sample() {
  tally t;
  t.begin(t0);
  auto a = begun(t, 100ms);
  auto b = begun(t, 200ms, door_kind::zmq);
  auto c = begun(t, 900ms);
  answered(t, a, 110ms);
  answered(t, b, 1400ms, 503, "");
  answered(t, c, 1900ms, 200, "backup");
  t.end(t0 + 2s);
  return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tallies)

BOOST_AUTO_TEST_CASE(requests_are_counted_by_outcome_door_status_and_source) {
  auto t = sample();
  BOOST_TEST(t.all().requests == 3u);
  BOOST_TEST(t.all().ok == 2u);
  BOOST_TEST(t.all().errors() == 1u);
  BOOST_TEST(t.of(door_kind::zmq).faults[static_cast<std::size_t>(fault::status)] == 1u);
  BOOST_TEST(t.of(door_kind::http).ok == 2u);
  BOOST_TEST(t.statuses().at(200) == 2u);
  BOOST_TEST(t.statuses().at(503) == 1u);
  BOOST_TEST(t.sources().size() == 2u);
  BOOST_TEST(t.complaints().at(0).text == "because");
  BOOST_TEST((t.elapsed() == 1900ms));
}

BOOST_AUTO_TEST_CASE(latency_counts_from_the_intended_start_of_good_answers_only) {
  auto t = sample();
  BOOST_TEST(t.latency().count() == 2u);
  BOOST_TEST((t.latency().min() == 10ms));
  BOOST_TEST((t.latency().max() == 1s));
  BOOST_TEST(t.latency(door_kind::zmq).count() == 0u);
}

BOOST_AUTO_TEST_CASE(the_timeline_has_starts_where_they_were_due_and_ends_where_they_came) {
  auto t = sample();
  BOOST_REQUIRE(t.timeline().size() == 2u);
  auto &first = t.timeline()[0], &second = t.timeline()[1];
  BOOST_TEST(first.started == 3u);
  BOOST_TEST(first.ok == 1u);
  BOOST_TEST((first.p99 == 10ms));
  BOOST_TEST(second.started == 0u);
  BOOST_TEST(second.ok == 1u);
  BOOST_TEST(second.errors == 1u);
  BOOST_TEST((second.p50 == 1s));
}

BOOST_AUTO_TEST_CASE(a_silent_second_leaves_an_empty_row) {
  tally t;
  t.begin(t0);
  auto a = begun(t, 0s);
  answered(t, a, 3500ms);
  t.end(t0 + 4s);
  BOOST_REQUIRE(t.timeline().size() == 4u);
  BOOST_TEST((t.timeline()[1].p99 == 0s));
  BOOST_TEST((t.timeline()[3].p99 == 3500ms));
}

BOOST_AUTO_TEST_CASE(tokens_that_came_together_lie_no_time_apart) {
  tally t;
  t.begin(t0);
  auto f = begun(t, 100ms);
  t.tokens_came(f, 3, t0 + 150ms);
  t.tokens_came(f, 2, t0 + 170ms);
  BOOST_TEST((t.first_token().max() == 50ms));
  BOOST_TEST(t.first_token().count() == 1u);
  BOOST_TEST(t.gap().count() == 4u);
  BOOST_TEST((t.gap().mean() == 5ms));
}

BOOST_AUTO_TEST_CASE(the_json_report_says_it_all) {
  options o;
  o.http = "127.0.0.1:1";
  o.zmq = "tcp://127.0.0.1:2";
  rapidjson::Document json;
  json.Parse(report_json(o, {sample(), 3ms, 4}).c_str());
  BOOST_REQUIRE(!json.HasParseError());
  BOOST_TEST(json["requests"].GetInt() == 3);
  BOOST_TEST(json["ok"].GetInt() == 2);
  BOOST_TEST(json["errors"]["status"].GetInt() == 1);
  BOOST_TEST(json["errors"].MemberCount() == 1u);
  BOOST_TEST(json["statuses"]["503"].GetInt() == 1);
  BOOST_TEST(json["sources"]["backup"].GetInt() == 1);
  BOOST_TEST(json["doors"]["zmq"]["requests"].GetInt() == 1);
  BOOST_TEST(json["unfinished"].GetInt() == 4);
  BOOST_TEST(json["surplus"].GetInt() == 0);
  BOOST_TEST(json["seconds"].GetDouble() == 1.9);
  BOOST_TEST(json["cpu_us_per_request"].GetDouble() == 1000.0);
  BOOST_TEST(json["latency_us"]["min"].GetDouble() == 10000.0);
  BOOST_TEST(json["latency_us"]["max"].GetDouble() == 1000000.0);
  BOOST_TEST(json["histogram"].Size() == 2u);
  BOOST_TEST(json["histogram"][0][1].GetInt() == 1);
  BOOST_TEST(json["timeline"][1]["errors"].GetInt() == 1);
  BOOST_TEST(json["timeline"][1]["p50_us"].GetDouble() == 1000000.0);
}

BOOST_AUTO_TEST_CASE(the_text_report_survives_a_run_without_requests) {
  tally t;
  t.begin(t0);
  t.end(t0 + 1s);
  options o;
  o.http = "127.0.0.1:1";
  BOOST_TEST(report_text(o, {t, 1ms, 0}).find("requests  0 in") != std::string::npos);
  BOOST_TEST(report_text(o, {sample(), 1ms, 0}).find("status 503: because") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(durations_are_written_with_three_digits) {
  for (auto [d, text] : {std::pair<duration, const char*>{0ns, "0 us"},
                         {873us, "873 us"},
                         {1250us, "1.25 ms"},
                         {12'345us, "12.3 ms"},
                         {999'400us, "999 ms"},
                         {999'600us, "1.00 s"},
                         {75s, "75.0 s"}})
    BOOST_TEST(short_text(d) == text);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace tally_test
