// What peers say of circuits and keys: it is believed by who knows nothing better, it ages, and it ends.
#include "core/breaker.hpp"
#include "core/clear_log.hpp"
#include "core/key_health.hpp"
#include "core/news_board.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

namespace advice_test {

using namespace mainstay;
using enum failure_class;

namespace {

const instant start = instant{} + 1000h;
constexpr auto peer = "10.0.0.2:7700";

circuit::permit call(circuit& c, verdict outcome, instant now) {
  const auto permit = c.ask(now);
  if (permit.granted) c.settle(permit.generation, outcome, now, 0.5);
  return permit;
}

circuit_word open_for(std::string model, duration left, instant now = start, std::string way = {}) {
  return {"p", std::move(model), std::move(way), circuit_state::open, now + left, "server_error", peer};
}

circuit_word closed(std::string model, std::string way = {}) {
  return {"p", std::move(model), std::move(way), circuit_state::closed, {}, "", peer};
}

} // namespace

BOOST_AUTO_TEST_SUITE(advice)

BOOST_AUTO_TEST_CASE(who_was_never_there_keeps_off_what_a_peer_found_open_and_then_tries_for_itself) {
  circuit c;
  c.advise(start + 3s, start);
  BOOST_TEST((c.state(start) == circuit_state::open && c.open_until() == start + 3s && c.advised(start)));
  const auto refused = c.ask(start + 1s);
  BOOST_TEST((!refused.granted && refused.retry_at == start + 3s));
  BOOST_TEST((c.state(start + 3s) == circuit_state::half_open));
  BOOST_TEST(call(c, verdict::success, start + 3s).granted);
  BOOST_TEST(call(c, verdict::success, start + 3s).granted);
  BOOST_TEST((c.state(start + 3s) == circuit_state::closed && !c.advised(start + 3s)));
  BOOST_TEST(c.times_opened() == 0u);
}

BOOST_AUTO_TEST_CASE(advice_lasts_no_longer_than_its_age_limit_however_often_it_is_renewed) {
  circuit c;
  for (auto now = start; now < start + 30s; now += 1s) {
    c.advise(now + 1h, now);
    const auto limit = start + circuit::longest_advice;
    BOOST_TEST((c.state(now) == (now < limit                             ? circuit_state::open
                                 : now < limit + circuit::longest_advice ? circuit_state::half_open
                                                                         : circuit_state::closed)));
  }
  BOOST_TEST(call(c, verdict::success, start + 30s).granted);
}

BOOST_AUTO_TEST_CASE(who_is_to_try_for_itself_is_not_put_off_again) {
  circuit c;
  c.advise(start + 2s, start);
  c.advise(start + 9s, start + 3s);
  BOOST_TEST(c.ask(start + 3s).granted);
}

BOOST_AUTO_TEST_CASE(half_open_by_advice_that_nobody_tries_ends_by_time_and_its_first_calls_ramp_up) {
  provider_breaker b;
  BOOST_TEST((b.advice_ends(start) == instant::max()));
  b.advise(open_for("m", 4s), start);
  b.advise(open_for("", 3s), start);
  b.take_changes(start);
  BOOST_TEST((b.advice_ends(start) == start + 13s));
  BOOST_TEST(b.take_changes(start + 12s).size() == 2u);
  auto changes = b.take_changes(start + 13s);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST((changes[0].model.empty() && changes[0].state == circuit_state::closed && changes[0].told_by.empty()));
  BOOST_TEST((b.advice_ends(start + 13s) == start + 14s));
  changes = b.take_changes(start + 14s);
  BOOST_REQUIRE(changes.size() == 1u);
  BOOST_TEST((changes[0].model == "m" && changes[0].state == circuit_state::closed && changes[0].told_by.empty()));
  BOOST_TEST((b.advice_ends(start + 14s) == instant::max()));
  const auto later = start + 1h;
  BOOST_TEST((b.ask({1, 1}, "m", later).granted && b.ask({2, 1}, "m", later).granted));
  BOOST_TEST(!b.ask({3, 1}, "m", later).granted); // not everybody at once
  BOOST_TEST(b.ask({3, 1}, "m", later + 10s).granted);
}

BOOST_AUTO_TEST_CASE(whose_advice_ended_by_time_takes_none_before_it_has_tried_or_somebody_found_it_closed) {
  circuit tried, told;
  for (auto* c : {&tried, &told}) {
    c->advise(start + 4s, start);
    c->advise(start + 5min, start + 4min);
    BOOST_TEST((c->state(start + 4min) == circuit_state::closed && !c->advised(start + 4min)));
  }
  BOOST_TEST(call(tried, verdict::neutral, start + 4min).granted); // no outcome
  tried.advise(start + 5min, start + 4min);
  BOOST_TEST((tried.state(start + 4min) == circuit_state::closed));
  call(tried, verdict::failure, start + 4min); // one of five: as if nothing had been said
  BOOST_TEST((tried.state(start + 4min) == circuit_state::closed));
  told.advice_over(start + 4min);
  for (auto* c : {&tried, &told}) {
    c->advise(start + 5min, start + 4min);
    BOOST_TEST((c->state(start + 4min) == circuit_state::open && c->advised(start + 4min)));
  }
}

BOOST_AUTO_TEST_CASE(a_trial_that_came_to_nothing_leaves_the_advice_to_end_by_time) {
  circuit c;
  c.advise(start + 4s, start);
  BOOST_TEST(call(c, verdict::neutral, start + 5s).granted);
  BOOST_TEST((c.state(start + 5s) == circuit_state::half_open && c.advised(start + 5s)));
  const auto trial = c.ask(start + 6s);
  BOOST_TEST((c.state(start + 15s) == circuit_state::half_open)); // it is being found out
  c.settle(trial.generation, verdict::neutral, start + 15s, 0.5);
  BOOST_TEST((c.state(start + 15s) == circuit_state::closed));
  BOOST_TEST((c.ask(start + 15s).granted && c.ask(start + 15s).granted && !c.ask(start + 15s).granted));

  circuit half; // one success is enough, for it was never down here
  half.advise(start + 4s, start);
  call(half, verdict::success, start + 5s);
  BOOST_TEST((half.state(start + 5s) == circuit_state::closed && !half.advised(start + 5s)));
  BOOST_TEST((half.ask(start + 5s).granted && half.ask(start + 5s).granted && !half.ask(start + 5s).granted));

  circuit over; // while somebody tries
  over.advise(start + 4s, start);
  const auto late = over.ask(start + 5s);
  over.advice_over(start + 6s);
  over.settle(late.generation, verdict::failure, start + 7s, 0.5);
  BOOST_TEST((over.state(start + 7s) == circuit_state::closed && over.ramping(start + 7s)));
}

BOOST_AUTO_TEST_CASE(what_is_said_and_taken_back_again_and_again_is_heard_no_more) {
  circuit c;
  for (auto now = start; now < start + 12s; now += 1s) {
    c.advise(now + 5s, now);
    BOOST_TEST((c.state(now) == (now < start + 10s ? circuit_state::open : circuit_state::closed)));
    c.advice_over(now);
  }
}

BOOST_AUTO_TEST_CASE(who_met_it_well_lately_goes_on_but_counts_failures_double) {
  circuit c;
  call(c, verdict::success, start);
  c.advise(start + 8s, start + 1s);
  BOOST_TEST((c.state(start + 1s) == circuit_state::closed));
  call(c, verdict::failure, start + 2s);
  call(c, verdict::failure, start + 2s);
  BOOST_TEST((c.state(start + 2s) == circuit_state::closed));
  call(c, verdict::failure, start + 2s);
  BOOST_TEST((c.state(start + 2s) == circuit_state::open && !c.advised(start + 2s))); // 6 of 5

  circuit later;
  call(later, verdict::success, start);
  later.advise(start + 8s, start + 1s);
  for (int i = 0; i < 4; ++i) call(later, verdict::failure, start + 9s);
  BOOST_TEST((later.state(start + 9s) == circuit_state::closed)); // once: that word is old
}

BOOST_AUTO_TEST_CASE(a_success_from_long_ago_is_no_reason_to_know_better) {
  circuit c;
  call(c, verdict::success, start);
  const auto now = start + circuit::fresh_success;
  c.advise(now + 5s, now);
  BOOST_TEST((c.state(now) == circuit_state::open));
}

BOOST_AUTO_TEST_CASE(calls_that_were_under_way_have_the_last_word) {
  circuit well, ill;
  const auto a = well.ask(start), b = ill.ask(start);
  well.advise(start + 5s, start);
  ill.advise(start + 5s, start);
  well.settle(a.generation, verdict::success, start + 1s, 0.5);
  ill.settle(b.generation, verdict::failure, start + 1s, 0.5);
  BOOST_TEST((well.state(start + 1s) == circuit_state::closed));
  BOOST_TEST((ill.state(start + 1s) == circuit_state::open && !ill.advised(start + 1s) && ill.times_opened() == 1u));
}

BOOST_AUTO_TEST_CASE(a_peers_closed_ends_its_open_at_once_and_it_is_not_met_by_everybody) {
  circuit c;
  c.advise(start + 5s, start);
  c.advice_over(start + 1s);
  BOOST_TEST((c.state(start + 1s) == circuit_state::closed && c.ramping(start + 1s)));
  BOOST_TEST((c.ask(start + 1s).granted && c.ask(start + 1s).granted && !c.ask(start + 1s).granted));
}

BOOST_AUTO_TEST_CASE(what_this_node_or_an_operator_knows_no_peer_changes) {
  circuit own, held;
  for (int i = 0; i < 5; ++i) call(own, verdict::failure, start);
  const auto until = own.open_until();
  own.advise(start + 1h, start);
  own.advice_over(start);
  BOOST_TEST((own.state(start) == circuit_state::open && own.open_until() == until && !own.advised(start)));
  held.force(circuit_state::closed, start);
  held.advise(start + 5s, start);
  BOOST_TEST((held.state(start) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(who_waits_or_an_operator_ends_keeping_off) {
  circuit tried, ordered;
  tried.advise(start + 5s, start);
  tried.let_try(start + 1s);
  BOOST_TEST(tried.ask(start + 1s).granted);
  ordered.advise(start + 5s, start);
  ordered.automatic(start + 1s);
  BOOST_TEST((ordered.state(start + 1s) == circuit_state::closed));
}

BOOST_AUTO_TEST_CASE(whatever_peers_say_no_circuit_is_kept_from_calls_for_longer_than_the_limit) {
  std::mt19937_64 random(7);
  for (int walk = 0; walk < 200; ++walk) {
    circuit c;
    instant now = start, refused_since = instant::max();
    for (int step = 0; step < 400; ++step) {
      now += std::chrono::milliseconds(random() % 500);
      if (random() % 3 == 0) c.advise(now + std::chrono::milliseconds(random() % 100'000), now);
      if (random() % 3 == 0) {
        c.advice_over(now);
        c.advise(now + 100s, now);
      }
      const bool granted = call(c, verdict::success, now).granted;
      refused_since = granted ? instant::max() : std::min(refused_since, now);
      BOOST_REQUIRE((granted || now - refused_since <= circuit::longest_advice));
    }
  }
}

BOOST_AUTO_TEST_CASE(whatever_peers_say_where_hardly_a_call_ends_nobody_keeps_off_for_longer_than_twice_the_limit) {
  std::mt19937_64 random(8);
  for (int walk = 0; walk < 200; ++walk) {
    circuit c({.success_threshold = 1});
    instant now = start, off_since = instant::max();
    for (int step = 0; step < 400; ++step) {
      now += std::chrono::milliseconds(random() % 500);
      if (random() % 3 == 0) c.advise(now + std::chrono::milliseconds(random() % 100'000), now);
      if (random() % 3 == 0) call(c, random() % 20 == 0 ? verdict::success : verdict::neutral, now);
      if (random() % 7 == 0) c.let_try(now);
      off_since = c.state(now) == circuit_state::closed ? instant::max() : std::min(off_since, now);
      BOOST_REQUIRE((off_since == instant::max() || now - off_since <= 2 * circuit::longest_advice));
      BOOST_REQUIRE((off_since == instant::max()) == (c.advice_ends(now) == instant::max()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_free_answer_ends_advice_and_that_somebody_waits_does_not) {
  provider_breaker b;
  b.advise(open_for("m", 4s), start);
  b.advise(open_for("", 4s), start);
  b.looked_at(provider_breaker::sign::awaited, {"m"}, start, 0.5);
  for (auto& c : b.take_changes(start)) BOOST_TEST((c.state == circuit_state::half_open && c.told_by == peer));
  BOOST_TEST((b.advice_ends(start) == start + circuit::longest_advice));
  b.looked_at(provider_breaker::sign::answers, {"m"}, start, 0.5);
  const auto changes = b.take_changes(start);
  BOOST_REQUIRE(changes.size() == 2u);
  for (auto& c : changes) BOOST_TEST((c.state == circuit_state::closed && c.told_by.empty()));
}

BOOST_AUTO_TEST_CASE(a_breaker_says_who_told_it_of_what) {
  provider_breaker b;
  BOOST_TEST(b.advise(open_for("m", 4s), start));
  BOOST_TEST(b.advise(open_for("", 4s), start));
  auto changes = b.take_changes(start);
  BOOST_REQUIRE(changes.size() == 2u);
  for (auto& c : changes) BOOST_TEST((c.state == circuit_state::open && c.told_by == peer));
  BOOST_TEST(!b.ask({1, 1}, "other", start).granted); // the endpoint
  BOOST_TEST(b.advise(closed(""), start + 1s));
  BOOST_TEST(b.ask({2, 1}, "other", start + 1s).granted);
  const auto refused = b.ask({3, 1}, "m", start + 1s);
  BOOST_TEST((!refused.granted && refused.retry_at == start + 4s));
  BOOST_TEST(b.advise(closed("m"), start + 1s));
  changes = b.take_changes(start + 1s);
  BOOST_REQUIRE(changes.size() == 2u);
  for (auto& c : changes) BOOST_TEST((c.state == circuit_state::closed && c.told_by.empty()));
}

BOOST_AUTO_TEST_CASE(of_several_ways_the_one_that_a_peer_could_not_reach_is_left_out) {
  provider_breaker b;
  b.reconfigure({}, {{"east", "e:443", "", 1}, {"west", "w:443", "", 1}}, 100);
  BOOST_TEST(b.advise(open_for("", 5s, start, "east"), start));
  BOOST_TEST(!b.advise(open_for("", 5s, start, "nowhere"), start));
  for (std::uint64_t i = 1; i <= 20; ++i)
    BOOST_TEST(b.ask({i, 1}, "m", start, static_cast<double>(i) / 20).way == "west");
  const auto told = b.take_way_changes(start);
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].name == "east" && told[0].state == way_state::open && told[0].told_by == peer));
  BOOST_TEST((b.advice_ends(start) == start + 15s));
  const auto aged = b.take_way_changes(start + 15s);
  BOOST_REQUIRE(aged.size() == 1u);
  BOOST_TEST((aged[0].state == way_state::healthy && aged[0].told_by.empty()));
}

BOOST_AUTO_TEST_CASE(peers_cannot_fill_a_breaker_with_models_of_theirs) {
  provider_breaker b;
  for (int i = 0; i < 5000; ++i) b.advise(open_for("made up " + std::to_string(i), 5s), start);
  BOOST_TEST(b.views(start).size() <= 501u);
}

namespace {

struct shared_key {
  key_book book;
  shared_key() { book.reconfigure({{"k", 60s, 1}}); }
  bool told(bool disabled, duration left, instant now, std::string from = peer) {
    return book.advise({"k", disabled, now + left, disabled ? "auth" : "rate_limited", 0, std::move(from)}, now)
        .has_value();
  }
  instant not_before() const { return book.standings().at(0).not_before; }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_keys_rest_is_obeyed_for_a_minute_or_as_long_as_it_is_renewed) {
  shared_key k;
  BOOST_TEST(k.told(false, 20s, start));
  BOOST_TEST((k.not_before() == start + 20s));
  BOOST_TEST(k.told(false, 1h, start));
  BOOST_TEST((k.not_before() == start + 60s));
  BOOST_TEST(k.told(false, 1h - 20s, start + 20s));
  BOOST_TEST((k.not_before() == start + 80s));
  const auto seen = k.book.views(start + 30s).at(0);
  BOOST_TEST((seen.told_by == peer && seen.why == "rate_limited" && !seen.standing.disabled));
  BOOST_TEST(k.book.views(start + 80s).at(0).told_by.empty());
  BOOST_TEST(!k.told(false, 0s, start + 30s, "somebody else"));
  BOOST_TEST(k.told(false, 0s, start + 30s)); // it works again
  BOOST_TEST((k.not_before() < start + 30s));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_refused_elsewhere_is_tried_here_after_a_minute_whatever_they_say) {
  shared_key k;
  for (auto now = start; now < start + 2min; now += 20s) k.told(true, 0s, now);
  BOOST_TEST((k.not_before() == start + 60s));
  k.book.on_outcome("k", std::nullopt, {}, start + 2min); // it works
  BOOST_TEST(!k.told(true, 0s, start + 2min + 9s));
  for (auto now = start + 2min; now < start + 4min; now += 20s) BOOST_TEST(!k.told(true, 0s, now)); // refuted
  BOOST_TEST(k.told(true, 0s, start + 4min, "somebody else"));
}

BOOST_AUTO_TEST_CASE(a_refuted_peer_is_believed_again_once_it_found_the_key_well_or_the_secret_changed) {
  shared_key k;
  k.told(true, 0s, start);
  k.book.enable("k", start + 1s); // the operator's word refutes it too
  BOOST_TEST(!k.told(true, 0s, start + 20s));
  k.told(false, 0s, start + 30s);
  BOOST_TEST(k.told(true, 0s, start + 40s));
  k.book.enable("k", start + 41s);
  BOOST_TEST(!k.told(true, 0s, start + 60s));
  k.book.reconfigure({{"k", 60s, 2}});
  BOOST_TEST(k.told(true, 0s, start + 80s));
}

BOOST_AUTO_TEST_CASE(a_success_answers_a_dead_keys_word_also_where_a_rest_has_taken_its_place) {
  shared_key k;
  k.told(true, 0s, start);
  k.told(false, 1h, start + 1s, "somebody else");
  k.book.on_outcome("k", std::nullopt, {}, start + 2s); // sent before
  BOOST_TEST(!k.told(true, 0s, start + 2min));
  BOOST_TEST(k.told(true, 0s, start + 2min, "a third"));
}

BOOST_AUTO_TEST_CASE(a_key_that_works_here_is_not_taken_from_us_but_its_rest_is_a_fact) {
  shared_key k;
  k.book.on_outcome("k", std::nullopt, {}, start);
  BOOST_TEST(!k.told(true, 0s, start + 1s));
  BOOST_TEST(k.told(false, 5s, start + 1s));
  k.book.on_outcome("k", std::nullopt, {}, start + 2s); // sent before
  BOOST_TEST((k.not_before() == start + 6s));
}

BOOST_AUTO_TEST_CASE(what_peers_or_operators_said_of_a_key_is_not_told_on) {
  shared_key k;
  k.told(false, 20s, start);
  BOOST_TEST(!k.book.own_word("k")->stands(start));
  k.book.disable("k", std::string(key_book::by_operator), start);
  BOOST_TEST(!k.book.own_word("k")->stands(start));
  k.book.enable("k", start);
  BOOST_TEST((k.not_before() == instant{})); // an operator's word ends a peer's
  k.book.on_outcome("k", auth, {}, start);
  BOOST_TEST(k.book.own_word("k")->stands(start));
}

BOOST_AUTO_TEST_CASE(news_of_one_circuit_are_told_at_once_and_then_a_few_times_a_second) {
  news_board<circuit_word> board;
  int told = 0;
  for (int ms = 0; ms < 3000; ms += 10) {
    const auto now = start + std::chrono::milliseconds(ms);
    board.take(ms % 20 == 0 ? open_for("m", 5s, now) : closed("m"), now);
    const auto due = board.due(now);
    told += static_cast<int>(due.size());
    if (ms == 0) BOOST_TEST(due.size() == 1u);
  }
  BOOST_TEST((told >= 8 && told <= 11));
  board.take(closed("m"), start + 3s);
  BOOST_TEST(board.due(start + 4s).size() <= 1u); // the last word is not lost
  board.due(start + 5s);
  BOOST_TEST(board.size() == 0u);
  BOOST_TEST(!board.next_due(start + 5s));
}

BOOST_AUTO_TEST_CASE(who_comes_is_told_what_is_open_and_nobody_what_was_never_open) {
  news_board<circuit_word> board;
  board.take(closed("well"), start);
  board.take(open_for("ill", 5s), start);
  BOOST_TEST(board.due(start).size() == 1u);
  const auto all = board.standing(start + 4s);
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST(all[0].model == "ill");
  BOOST_TEST(board.standing(start + 6s).empty());
  board.take(closed("ill"), start + 6s); // it was half-open since
  BOOST_TEST(board.due(start + 6s).size() == 1u);
}

BOOST_AUTO_TEST_CASE(of_what_is_gone_neither_peers_nor_who_comes_are_told) {
  news_board<circuit_word> board;
  board.take(open_for("gone", 5s), start);
  board.take(open_for("here", 5s), start);
  board.due(start);
  board.forget_if([](const circuit_word& word) { return word.model == "gone"; });
  BOOST_REQUIRE(board.standing(start).size() == 1u);
  BOOST_TEST(board.standing(start)[0].model == "here");
  board.take(closed("gone"), start + 1s);
  BOOST_TEST(board.due(start + 1s).empty());
}

BOOST_AUTO_TEST_CASE(a_rest_that_lasts_is_renewed_until_it_is_over) {
  news_board<key_word> board(20s);
  board.take({"k", false, start + 50s, "quota_spent", 1, ""}, start);
  int told = 0;
  for (auto now = start; now < start + 2min; now += 1s) told += static_cast<int>(board.due(now).size());
  BOOST_TEST(told == 3);
  BOOST_TEST(board.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_clearing_is_done_once_by_each_and_by_who_was_away_when_it_comes) {
  clear_log here, there;
  BOOST_TEST(here.ordered("a/1/1", "a"));
  BOOST_TEST(!here.ordered("a/1/1", "a"));
  here.done("a/1/1", "b");
  here.done("unknown", "c");
  BOOST_TEST(here.missing_at("b").empty());
  BOOST_TEST(here.missing_at("c") == std::vector<std::string>{"a/1/1"});
  BOOST_TEST(there.ordered("a/1/1", "c"));
  for (int i = 2; i < 100; ++i) here.ordered("a/1/" + std::to_string(i), "a");
  BOOST_TEST(here.missing_at("c").size() == clear_log::most);
  BOOST_TEST(here.missing_at("c").back() == "a/1/99");
}

BOOST_AUTO_TEST_CASE(two_sides_of_a_split_with_more_orders_than_are_kept_do_each_once_and_then_rest) {
  std::map<std::string, clear_log> logs;
  constexpr auto each = clear_log::most + 4;
  for (const std::string node : {"a", "b"})
    for (std::size_t i = 0; i < each; ++i) logs[node].ordered(node + "/1/" + std::to_string(i), node);
  std::size_t done = 0;
  const auto remind = [&](const std::string& from, const std::string& to) { // as actors/cache_clears does
    const auto missing = logs[from].missing_at(to);
    for (auto& id : missing) {
      done += logs[to].ordered(id, to);
      logs[to].done(id, from);
      logs[from].done(id, to);
    }
    return missing.size();
  };
  for (int round = 0; round < 3; ++round) remind("a", "b"), remind("b", "a");
  const auto after = done;
  BOOST_TEST(after <= 2 * clear_log::most);
  BOOST_TEST(remind("a", "b") + remind("b", "a") == 0u);
  BOOST_TEST(done == after);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace advice_test
