// Working on it elsewhere: when a run looks for a peer with room, how it goes there, and how it comes home. While it is
// away the peer is to it what a provider is during a call, but for the plan, which knows nothing of it: that begins, or
// goes on as after a lost run, when the run comes home without an answer.
#include "actors/guest_words.hpp"
#include "actors/request_run_state.hpp"
#include "actors/turn.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay {

namespace {

constexpr std::size_t largest_moved = 8u << 20;

std::string_view label_in(const attempt& a, std::string_view name) {
  const auto* found = a.headers ? find_header(*a.headers, name) : nullptr;
  return found ? std::string_view(*found) : std::string_view();
}

/// The request itself is at fault, wherever it is asked.
bool is_callers_fault(int status) { return status == 400 || status == 413 || status == 422; }

} // namespace

/// Nobody was asked for it yet, and a peer can do the same: what only the caller's own dialect says does not travel,
/// and merged requests, trials and what is for this node's cache stay.
bool run_state::may_move() const {
  if (!names->guests || rec->guest || rec->moves >= moved_enough) return false;
  const auto& in = rec->in;
  if (in.trial || in.for_cache || rec->merged > 0 || in.body->size() > largest_moved) return false;
  if (const auto& native = in.particular().native; native && !native->only_native.empty()) return false;
  return rec->plan->attempts() == 0 && !rec->stream.begun && rec->dropped.none() && !tries[0] && !tries[1];
}

/// Limits hold wherever it is asked; a queue is each node's own.
bool run_state::moves_on(refusal_reason why) {
  const bool of_the_queue = why == refusal_reason::queue_full || why == refusal_reason::backlog;
  return of_the_queue && !looks_for_host && may_move();
}

void run_state::look_for_host(move_reason why, std::optional<refusal> else_refused) {
  const auto serial = rec->next_serial++;
  looks_for_host.emplace(host_search{serial, else_refused});
  away_ask ask{rec->number, serial, why, {}, caf::actor_cast<caf::actor_addr>(self)};
  if (why == move_reason::shared && joins_at) ask.peer = *joins_at;
  for (const auto& rung : rec->model->ladder)
    for (const auto& t : rung)
      if (std::find(ask.providers.begin(), ask.providers.end(), t.provider) == ask.providers.end())
        ask.providers.push_back(t.provider);
  outside();
  self->request(names->guests, caf::infinite, std::move(ask))
      .then([this, serial, why](const away_seat& seat) { host_found(seat, serial, why); },
            [this, serial, why](const caf::error&) { host_found({}, serial, why); });
}

void run_state::host_found(const away_seat& seat, std::uint32_t serial, move_reason why) {
  host_search search;
  if (looks_for_host && (*looks_for_host).serial == serial) {
    search = *looks_for_host;
    looks_for_host.reset();
  }
  const bool wanted = search.serial == serial && !over && !rec->answered && !asking_for_stale;
  const bool waits = search.else_refused || (asking ? !opening : rec->must_move.has_value());
  if (wanted && waits && may_move() && seat.number != 0) return go_away(seat, serial);
  if (seat.number != 0) self->send(names->guests, away_leave{seat.number});
  if (wanted) no_host(why, search.else_refused);
}

/// It goes on here, unless there was no place for it from the beginning.
void run_state::no_host(move_reason why, const std::optional<refusal>& otherwise) {
  if (otherwise) return perform(rec->plan->refused(*otherwise, clock::now()));
  if (asking || opening || tries[0] || !rec->must_move) return;
  if (why == move_reason::shared) {
    rec->must_move.reset();
    return perform(rec->plan->begin(clock::now()));
  }
  if (why == move_reason::draining)
    return unavailable("draining", "this node is shutting down", failure_class::overloaded);
  unavailable("overloaded", "too many requests are in flight", failure_class::overloaded);
}

void run_state::go_away(const away_seat& seat, std::uint32_t serial) {
  withdraw_question();
  rec->must_move.reset(); // when it comes home, it stays
  rec->away = true;
  ++rec->moves;
  rec->note(story_mark::moved);
  rec->report().host = seat.node;
  auto a = std::make_unique<attempt>();
  a->away = seat.number;
  a->lease = {rec->number, serial};
  a->kept_until = instant::max();
  a->at = {seat.node, rec->asked->model};
  a->began = clock::now();
  a->placed = true;
  a->credited = stream_window;
  if (rec->asked->stream)
    a->relay.emplace(rec->stream,
                     stream_relay::request{rec->asked->plain_text, rec->asked->wants_usage, rec->asked->choices, 0});
  tries[0] = std::move(a);
  self->send(names->guests, away_begin{seat.number, words::begin(*rec), rec->in.body});
  tell_story();
  outside();
}

/// `question`: 0 for whichever.
void run_state::look_elsewhere(std::uint32_t question, move_reason why) {
  if (rec->answered || !rec->plan || looks_for_host || !asking || opening || !may_move()) return;
  if (question == 0 || question == asked_lease.serial) look_for_host(why);
}

/// Its last word, if the request is at fault; else this node may do better.
void run_state::host_refused(attempt& a) {
  failure f;
  if (!a.headers) {
    f.what = failure_class::malformed;
    return come_home(a, f);
  }
  f.said = read_error(a.status, *a.headers, a.joined(), std::chrono::system_clock::now());
  f.what = is_callers_fault(a.status) ? failure_class::caller_fault : failure_class::overloaded;
  if (f.what != failure_class::caller_fault) return come_home(a, f);
  final_answer answer{f.said.status, f.said.message, f.said.type, f.said.code, f.said.param, {}, false};
  answer.status = a.status;
  inside();
  end_attempt(a, f);
  give(answer, f.what);
}

void run_state::come_home(attempt& a, const failure& why) {
  inside();
  rec->note(story_mark::came_home);
  rec->away = false;
  end_attempt(a, why);
  stop_waiting_for_end();
  rec->report().retry_reasons.emplace_back("moved");
  tell_story();
  if (rec->stream.begun && !(rec->asked->plain_text && rec->stream.text_only)) return give_up({why, {}});
  perform(rec->plan->recover(clock::now()));
}

answer_labels run_state::labels_of_host(const attempt& a) const {
  answer_labels l;
  l.source = label_in(a, "x-mainstay-source");
  l.provider = label_in(a, "x-mainstay-provider");
  l.model = label_in(a, "x-mainstay-model");
  l.degraded = label_in(a, "x-mainstay-degraded") == "true";
  l.reason = label_in(a, "x-mainstay-reason");
  if (const auto without = label_in(a, "x-mainstay-dropped"); !without.empty()) l.left_out.emplace_back(without);
  const auto attempts = label_in(a, "x-mainstay-attempts");
  std::from_chars(attempts.data(), attempts.data() + attempts.size(), l.attempts);
  l.attempts += rec->plan->attempts();
  l.node = a.at.provider;
  return l;
}

} // namespace mainstay
