// Carrying out the plan: capacity, permit and call of each attempt, what the provider says, and how an attempt ends.
#include "actors/jitter.hpp"
#include "actors/journal_channel.hpp"
#include "actors/request_run_state.hpp"
#include "actors/turn.hpp"
#include "core/token_estimate.hpp"
#include "net/leave_out.hpp"
#include "net/truncation.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t answer_limit = 64u << 20; // of a plain answer
constexpr std::size_t error_body_limit = 64u << 10;
constexpr auto patience_at_home = 50ms; // for a free call, where a peer may have one
constexpr auto usage_grace = 2s;        // a finished stream whose usage does not come

} // namespace

/// Leaves out the oldest turns, where the model allows it and something can be left out: always of what the caller
/// wrote, so that a second cut does not take the first one's marker for a turn.
bool run_state::shorten(std::uint64_t budget) {
  if (rec->model->truncate == config::truncate_mode::none || rec->merged > 0) return false;
  if (rec->in.kind != request_kind::chat) return false;
  std::optional<chat_request> written;
  if (rec->cuts > 0) written = as_asked();
  auto shorter = leave_out_oldest(written ? *written : *rec->asked, budget);
  if (!shorter) return false;
  auto parsed = parse_chat_request(std::move(shorter));
  auto* asked = std::get_if<chat_request>(&parsed);
  if (!asked) return false;
  rec->asked = std::move(*asked);
  ++rec->cuts;
  rec->note(story_mark::shortened);
  return true;
}

/// What the caller wrote, without what was dropped of it.
chat_request run_state::as_asked() const {
  auto written = std::get<chat_request>(parse_request(rec->in.kind, rec->in.body)); // as it was when the run began
  if (rec->dropped.none()) return written;
  return std::get<chat_request>(parse_chat_request(leave_out(written, rec->dropped))); // some of its members
}

/// The others' windows may be larger: they get what the caller wrote, as far as it fits by our own count.
void run_state::ask_whole_again() {
  if (rec->cuts == 0 || tries[0] || tries[1]) return;
  rec->asked = as_asked();
  rec->cuts = 0;
  fit();
}

void run_state::fit() {
  if (auto room = room_for_prompt(); rec->asked->prompt_tokens > room) shorten(room);
}

std::uint64_t run_state::room_for_prompt() const {
  return prompt_budget(rec->model->context_window, rec->asked->answer_cap / rec->asked->choices);
}

void run_state::start_plan() {
  if (!rec->batch_shape.empty()) return leave_to_batch();
  fit();
  request_plan::circumstances with;
  with.ladder = rec->model->ladder;
  if (rec->in.for_cache) with.ladder.resize(1); // a fallback's answer is not kept
  for (auto& rung : with.ladder)
    for (auto& t : rung)
      if (t.model.empty()) t.model = rec->asked->model;
  with.policy = rec->model->retry;
  with.level = rec->in.level;
  with.deadline = rec->in.deadline;
  with.dispensable = dispensable();
  with.yields = (rec->flight && !rec->patient) || (rec->durable && rec->durable->kept()) || rec->guest;
  rec->plan.emplace(std::move(with));
  if (rec->asked->stream) watch_caller();
  if (rec->must_move) return may_move() ? look_for_host(*rec->must_move) : no_host(*rec->must_move);
  perform(rec->plan->begin(clock::now()));
}

void run_state::recover() {
  rec->note(story_mark::recovered);
  if (auto& s = rec->stream; s.begun && s.tokens() > s.before.output) // what the lost attempt gave was paid for too
    s.before += {rec->asked->prompt_tokens, s.tokens() - s.before.output, 0, 0};
  if (rec->asked->stream) watch_caller();
  perform(rec->plan->recover(clock::now()));
}

void run_state::perform(const plan_step& step) {
  if (auto* a = std::get_if<step_acquire>(&step)) {
    asking = *a;
    if (!asking->other_way) rec->broken_ways.reset();
    new_question();
  } else if (auto* w = std::get_if<step_wait>(&step)) {
    rec->note(story_mark::paused);
    outside();
    wake_at(w->until, waking::resume_plan);
  } else if (auto* d = std::get_if<step_degrade>(&step)) {
    waits_otherwise = true;
    give_up(d->otherwise);
  } else if (auto* end = std::get_if<step_give_up>(&step)) {
    give_up(*end);
  } else {
    outside();
  }
}

void run_state::new_question() {
  asked_lease = {rec->number, rec->next_serial++};
  rec->note(story_mark::capacity_asked);
  ask_capacity();
  if (names->guests && may_move())
    send_at(self, clock::now() + patience_at_home, patience_over{asked_lease.serial, move_reason::waiting});
}

void run_state::ask_capacity() {
  outside();
  capacity_request ask;
  ask.id = asked_lease;
  ask.client = rec->in.client_name();
  ask.model = rec->model->name;
  ask.level = rec->in.level;
  ask.targets = asking->targets;
  ask.excluded_keys = asking->excluded_keys;
  ask.tokens = reservation();
  ask.wait_until = asking->wait_until;
  ask.expires = lease_end();
  ask.wait_for_circuits = asking->wait_for_circuits;
  ask.charge_retry = asking->charge_retry;
  ask.first_attempt = asking->first_attempt;
  self->request(names->governor, caf::infinite, std::move(ask))
      .then(
          [this, id = asked_lease, until = asking->wait_until, kept = lease_end()](const capacity_reply& r) {
            if (!awaited(id) || opening) return; // the lease went back when the question was withdrawn
            inside();
            allowed_retries = r.max_retries;
            if (r.granted) return granted(r.got, kept);
            const auto why = r.no.why;
            const bool too_late =
                why == refusal_reason::resting || why == refusal_reason::over_limit || why == refusal_reason::backlog;
            if (too_late && until < asking->wait_until) return ask_capacity(); // there is more time now
            asking.reset();
            rec->note(story_mark::no_capacity);
            if (moves_on(why)) return look_for_host(move_reason::queue, r.no);
            perform(rec->plan->refused(r.no, clock::now()));
          },
          [this, id = asked_lease](const caf::error&) {
            if (awaited(id)) again_soon(waking::ask_capacity);
          });
}

void run_state::granted(const grant& g, instant kept_until) {
  rec->note(story_mark::granted);
  opening = std::make_unique<attempt>();
  opening->lease = g.id;
  opening->kept_until = kept_until;
  opening->at = asking->targets[g.target_index];
  opening->key = g.key;
  opening->limited_key = g.rate_limited_key;
  opening->stamp_at_once = g.stamp_at_once;
  opening->send_by = g.send_by;
  keep_lease_of(*opening); // somebody with more time may have joined meanwhile
  ask_permit_now();
}

void run_state::ask_permit_now() {
  auto breaker = names->breakers.find(opening->at.provider);
  if (breaker == names->breakers.end()) return not_ours();
  ask_permit ask{opening->lease, configured_model(*rec, opening->at), rec->asked->answer_cap, {}};
  ask.how.region = rec->in.particular().region;
  if (rec->broken_ways) ask.how.not_by = *rec->broken_ways;
  ask.how.streamed = rec->asked->stream;
  self->request(breaker->second, caf::infinite, std::move(ask))
      .then(
          [this, id = opening->lease](const permit_reply& r) {
            if (!awaited(id)) return;
            opening->known = r.known;
            if (r.permit.granted) {
              opening->way = r.permit.way;
              opening->other_way = r.permit.other_way;
              return begin_attempt();
            }
            auto at = opening->at;
            rec->note(story_mark::no_permit);
            hand_back_lease(id, links());
            opening.reset();
            asking.reset();
            perform(rec->plan->no_permit(at, r.permit.retry_at, clock::now()));
          },
          [this, id = opening->lease](const caf::error&) {
            if (awaited(id)) again_soon(waking::ask_permit);
          });
}

/// The governor lives by a newer configuration than this run and granted a key that the run does not know: back with
/// it.
void run_state::not_ours() {
  hand_back(*opening, links());
  asking->excluded_keys.push_back(opening->key);
  opening.reset();
  new_question();
}

/// Its dialect has no words for this request: nothing was sent.
void run_state::pass_over(const failure& why) {
  const auto at = opening->at;
  hand_back(*opening, links());
  opening.reset();
  asking.reset();
  perform(rec->plan->inexpressible(at, why, clock::now()));
}

void run_state::begin_attempt() {
  opening->permitted = true;
  opening->number = static_cast<std::uint8_t>(std::min(255, rec->attempts_begun + 1));
  const auto placed = place(*opening, links());
  if (auto* why = std::get_if<failure>(&placed)) return pass_over(*why);
  if (!std::get<bool>(placed)) return not_ours();
  auto& slot = tries[0] ? tries[1] : tries[0];
  slot = std::move(opening);
  auto& a = *slot;
  rec->attempts_begun = a.number;
  rec->note(story_mark::sent, a.number);
  asking.reset();
  if (tries[0] && tries[1]) rec->report().retry_reasons.emplace_back("hedge");
  a.source = to_string(rec->plan->granted(a.lease.serial, a.at, a.key, clock::now()));
  tell_story();
  outside();
  if (auto after = rec->model->hedge_after; after && rec->plan->has_others())
    send_at(self, a.began + (rec->asked->stream ? *after : std::max(*after, a.known.usual)),
            patience_over{a.lease.serial, {}});
}

attempt* run_state::open_attempt(std::uint32_t serial) {
  for (auto& a : tries)
    if (a && a->placed && a->lease.serial == serial && !over) return a.get();
  return nullptr;
}

void run_state::ask_beside(std::uint32_t serial) {
  auto* a = open_attempt(serial);
  if (a && a->first_visible == instant{} && !rec->answered) perform(rec->plan->hedge(clock::now()));
}

/// It gave the first token: whatever was asked beside it is off.
void run_state::won(attempt& a) {
  a.first_visible = clock::now();
  rec->note(story_mark::first_token, a.number);
  rec->plan->won(a.lease.serial);
  withdraw_question();
  for (auto& other : tries)
    if (other && other.get() != &a) {
      failure lost;
      lost.what = failure_class::cancelled;
      end_attempt(*other, lost);
    }
}

void run_state::withdraw_question() {
  if (opening)
    hand_back(*opening, links());
  else if (asking)
    hand_back_lease(asked_lease, links());
  opening.reset();
  asking.reset();
  if (wake_for == waking::ask_capacity || wake_for == waking::ask_permit) stop_waiting();
}

void run_state::on_head(attempt& a, const call_head& head) {
  if (a.away && a.headers) return void(a.headers = head.headers); // what else there is to say at the end
  a.status = head.status;
  a.first_byte = rec->note(story_mark::head, a.number);
  a.headers = head.headers;
  auto* type = find_header(*head.headers, "content-type");
  a.as_stream = a.relay && head.status < 300 && !(type && type->starts_with("application/json"));
  if (a.away) return;
  if (auto limits = limits_in(*head.headers, a.key, a.at.model)) self->send(names->governor, std::move(*limits));
  if (a.limited_key && !a.stamp_at_once && rec->asked->stream)
    self->send(names->governor, lease_sent{a.lease, clock::now()});
}

void run_state::on_data(attempt& a, const call_data& data) {
  a.received += data.piece->size();
  auto serial = a.lease.serial;
  if (a.as_stream) {
    if (!rec->answered) feed(a, data.piece);
  } else {
    auto limit = a.status < 300 ? answer_limit : error_body_limit;
    auto room = limit - a.size;
    bool fits = data.piece->size() <= room;
    if (!fits && a.status < 300) return call_failed(a, failure_class::malformed, "the answer is too large");
    a.pieces.push_back(fits ? data.piece : make_bytes(data.piece->substr(0, room)));
    a.size += a.pieces.back()->size();
    if (!fits) return refused_by_provider(a); // a refusal is judged by its beginning: nobody waits for an endless one
  }
  if (auto* still = open_attempt(serial)) top_up(*still);
}

void run_state::on_end(attempt& a, const call_end& end) {
  a.placed = false;
  if (end.summary.sent_at != instant{}) a.sent_at = end.summary.sent_at;
  if (rec->answered) return stream_over(); // the caller has everything already
  if (end.error && end.error->unsent) return not_sent(a);
  if (end.error && a.as_stream && a.relay->current() == stream_relay::state::finished)
    return finish_stream(a); // all but the usage is there
  if (end.error && !(a.status >= 300))
    return call_failed(a, end.error->what, end.error->detail, end.error->kept_connection);
  if (a.status >= 300 || a.status < 200) return refused_by_provider(a);
  if (!a.as_stream) return plain_end(a);
  inside();
  a.relay->finish(sink(a));
  after_feed(a);
}

void run_state::refused_by_provider(attempt& a) {
  if (a.away) return host_refused(a);
  failure f;
  f.said = read_error(a.status, *a.headers, a.joined(), std::chrono::system_clock::now());
  f.what = classify(f.said);
  if (a.prefilled && f.what == failure_class::caller_fault) return prefill_refused(a);
  attempt_failed(a, f);
}

/// What another node had lent for it was that node's again before it could leave: anew, and nobody's failure.
void run_state::not_sent(attempt& a) {
  a.unsent = true;
  failure f;
  f.what = failure_class::cancelled;
  perform(rec->plan->misunderstood(end_attempt(a, f), clock::now()));
}

void run_state::call_failed(attempt& a, failure_class what, const std::string& detail, bool kept_connection) {
  failure f;
  f.what = what;
  f.said.message = detail;
  f.kept_connection = kept_connection;
  attempt_failed(a, f);
}

void run_state::feed(attempt& a, const bytes_ptr& piece) {
  const auto now = inside();
  a.relay->feed(piece, sink(a));
  a.see_tokens(now);
  after_feed(a);
}

void run_state::after_feed(attempt& a) {
  auto& relay = *a.relay;
  switch (relay.current()) {
  case stream_relay::state::failed:
    return relay.differs() ? attempt_differed(a) : attempt_failed(a, relay.failed_with());
  case stream_relay::state::complete: return finish_stream(a);
  case stream_relay::state::finished:
    if (wake_for != waking::end_stream) wake_at(clock::now() + usage_grace, waking::end_stream);
    break;
  case stream_relay::state::going: break;
  }
  outside();
}

/// Keeps the bytes under way between provider and caller below the window.
void run_state::top_up(attempt& a) {
  if (a.away && !a.as_stream) return; // it comes as a whole
  auto backlog = passed_on - std::min(passed_on, acknowledged);
  if (a.as_stream && backlog >= stream_window) a.held_up = true;
  auto allowed = a.received + (backlog < stream_window ? stream_window - backlog : 0);
  if (!a.as_stream) allowed = a.received + stream_window;
  if (allowed >= a.credited + stream_window / 4) let_through(a, allowed - a.credited, links());
}

/// Returns its number: the attempt itself is gone.
std::uint32_t run_state::end_attempt(attempt& a, const failure& f) {
  auto serial = a.lease.serial;
  settle_failure(a, f, links());
  for (auto& t : tries)
    if (t && t->lease.serial == serial) t.reset();
  return serial;
}

void run_state::end_attempts(failure_class what) {
  failure f;
  f.what = what;
  for (auto& t : tries)
    if (t) end_attempt(*t, f);
}

void run_state::attempt_failed(attempt& a, failure f) {
  inside();
  if (a.away) return come_home(a, f);
  conceal_keys(a, *rec, f.said); // some providers repeat it
  if (f.what == failure_class::context_length && can_ask_shorter(a)) return ask_shorter(a, f);
  f.other_way = a.other_way;
  if (f.other_way) {
    if (!rec->broken_ways) rec->broken_ways.emplace();
    rec->broken_ways->push_back(a.way);
  }
  auto serial = end_attempt(a, f);
  if (f.what == failure_class::context_length && !rec->stream.begun) ask_whole_again();
  stop_waiting_for_end();
  if (rec->stream.begun && !(rec->asked->plain_text && rec->stream.text_only))
    return give_up({f, {}}); // no other attempt can go on with it
  auto next = rec->plan->failed(serial, f, clock::now(), draw(),
                                std::min(allowed_retries, rec->model->retry.max_retries), rec->stream.begun);
  if (std::holds_alternative<step_acquire>(next) || std::holds_alternative<step_wait>(next))
    rec->report().retry_reasons.emplace_back(to_string(f.what));
  tell_story();
  perform(next);
}

/// The provider counts otherwise than we do: a quarter less each time, until it fits. What was asked beside a shorter
/// question already is only asked again.
bool run_state::can_ask_shorter(const attempt& a) {
  constexpr int most_cuts = 4;
  if (rec->stream.begun || !rec->plan->spares_a_call()) return false;
  return a.cuts < rec->cuts ||
         (rec->cuts < most_cuts && shorten(std::min(room_for_prompt(), rec->asked->prompt_tokens / 4 * 3)));
}

void run_state::ask_shorter(attempt& a, const failure& too_long) {
  rec->report().retry_reasons.emplace_back(to_string(too_long.what));
  perform(rec->plan->misunderstood(end_attempt(a, too_long), clock::now()));
}

/// Not of a durable request that is run again: its caller had such an answer, and waits for the whole one.
feature_set run_state::dispensable() const {
  const bool again = rec->durable && !rec->durable->caller();
  if (rec->in.dispensable.none() || rec->in.for_cache || again) return {};
  return rec->in.dispensable & dispensable_features(*rec->asked);
}

/// A target that refused tools or JSON is asked once more without, where the caller allows it and nobody else answered.
bool run_state::ask_for_less(const step_give_up& end) {
  if (rec->stream.begun || !rules_of(end.why.what).other_target) return false;
  const auto what = rec->plan->to_leave_out(clock::now());
  if (!what) return false;
  rec->dropped.add(*what);
  rec->note(story_mark::left_out);
  rec->asked = as_asked();
  rec->cuts = 0;
  fit();
  rec->report().retry_reasons.emplace_back("partial");
  perform(rec->plan->leave_out(*what, clock::now()));
  return true;
}

/// Sound, but another answer than the one begun: nobody is to blame, and asking the same target once more is no use.
void run_state::attempt_differed(attempt& a) {
  inside();
  failure neutral;
  neutral.what = failure_class::cancelled;
  if (a.away) return come_home(a, neutral);
  auto serial = end_attempt(a, neutral);
  stop_waiting_for_end();
  perform(rec->plan->differed(serial, clock::now()));
}

/// The target takes no conversation that ends in an assistant message: the whole question again. The caller, whose
/// request was right, hears nothing of it.
void run_state::prefill_refused(attempt& a) {
  inside();
  a.prefill_refused = true;
  rec->refused_prefill.push_back(a.at);
  failure neutral;
  neutral.what = failure_class::cancelled;
  auto serial = end_attempt(a, neutral);
  perform(rec->plan->misunderstood(serial, clock::now()));
}

} // namespace mainstay
