// How a run begins, waits and ends, and which of its messages does what.
#include "actors/request_run.hpp"

#include "actors/intake.hpp"
#include "actors/journal_channel.hpp"
#include "actors/repeats.hpp"
#include "actors/request_run_state.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/token_estimate.hpp"
#include "net/batch_prompt.hpp"
#include "net/redaction/screened_channel.hpp"
#include "net/sha256.hpp"

#include <algorithm>

namespace mainstay {

namespace {
constexpr auto journal_patience = 5s; // then nothing is accepted
} // namespace

void run_state::start() {
  if (rec->answered) return leave("ok");
  if (rec->flight) return fly();
  if (rec->client_revoked) return on_client_revoked();
  if (!rec->in.particular().denied.empty()) return refuse_denied();
  if (rec->seat_asked) return rec->shares ? board() : ask_seat();
  if (rec->losses > 0 && rec->plan) return recover();
  auto parsed = parse_request(rec->in.kind, rec->in.body);
  if (auto* problem = std::get_if<request_problem>(&parsed))
    return refuse(400, problem->message, "invalid_request_error", problem->code, problem->param);
  rec->asked = std::move(std::get<chat_request>(parsed));
  if (rec->in.plain_only && rec->asked->stream)
    return refuse(400, "a REQ socket cannot take a stream: use a DEALER", "invalid_request_error",
                  "stream_not_possible", "stream");
  rec->model = rec->in.settings->model(rec->asked->model);
  if (!rec->model || !may_ask(rec->in.client, rec->asked->model)) return refuse_model();
  if (!stay_in_region()) return;
  if (rec->durable) rec->durable->asks_for(rec->model->name);
  ask_admission();
}

void run_state::refuse_denied() {
  tell(names->metrics, content_denied{rec->in.particular().denied, false});
  refuse(400, "the request was refused: the rule " + rec->in.particular().denied + " denies what it says",
         "invalid_request_error", "denied_content", "");
}

/// From here on the model has no other targets. False: it has none there, and the run is over.
bool run_state::stay_in_region() {
  const auto& region = rec->in.particular().region;
  if (region.empty()) return true;
  if (auto inside = config::within(*rec->in.settings, *rec->model, region)) {
    rec->in_region = std::make_shared<const config::model_settings>(std::move(*inside));
    rec->model = rec->in_region.get();
    return true;
  }
  const auto said = "the model " + rec->asked->model + " has no target in the region " + region;
  if (rec->admitted_once && !rec->in.for_cache) // durable: perhaps another configuration has one
    unavailable("no_target_in_region", said, failure_class::model_missing);
  else
    refuse(400, said, "invalid_request_error", "no_target_in_region", "model");
  return false;
}

void run_state::refuse_model() {
  if (rec->admitted_once &&
      !rec->in.for_cache) // durable, and a reload took the model away: perhaps another one brings it back
    return unavailable("model_not_found", "no model of this name is configured now", failure_class::model_missing);
  refuse(404, unknown_model(*rec->in.settings, rec->in.client), "invalid_request_error", "model_not_found", "model");
}

std::uint64_t run_state::reservation() const {
  const auto answers = std::max<std::uint64_t>(1, rec->merged);
  if (rec->asked->kind == request_kind::embeddings) return rec->asked->prompt_tokens; // no answer in tokens
  return tokens_to_reserve(rec->asked->prompt_tokens, 1.0, rec->asked->answer_cap, usual_answer_tokens * answers);
}

void run_state::ask_admission() {
  auto* c = rec->in.client;
  if (!c || (c->limits.none() && c->per_address.none() && !c->daily_usd) || rec->admitted_once) return ask_journal();
  self->request(
          names->governor, caf::infinite,
          admit_client{{rec->number, 0}, c->name, reservation(), rec->in.deadline + 1min, rec->in.particular().address})
      .then(
          [this](const client_admission& a) {
            if (!over) admitted(a);
          },
          [this](const caf::error&) { again_soon(waking::ask_admission); });
}

void run_state::admitted(const client_admission& a) {
  rec->admission = a;
  if (a.admitted) {
    rec->note(story_mark::admitted);
    return ask_journal();
  }
  rec->report().own_limit = true;
  auto wait = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(a.retry_after).count());
  final_answer answer;
  answer.status = 429;
  const bool budget = a.limit == "budget";
  answer.type = budget ? "insufficient_quota" : "rate_limit_error";
  answer.code = budget ? "budget_spent" : a.of_address ? "address_limit" : "client_limit";
  answer.message = budget ? "this client's budget of the day is spent; it is new at midnight UTC"
                          : "this client's limit of " + a.limit + (a.of_address ? " per address" : "") + " is used up";
  answer.retry_after_seconds = static_cast<int>(wait);
  give(answer, failure_class::rate_limited);
}

void run_state::ask_journal() {
  if (rec->admitted_once) return ask_cache();
  if (rec->durable) return ask_to_keep();
  if (!rec->in.idempotency_key.empty()) return ask_whether_repeated();
  ask_cache();
}

void run_state::journal_silent() {
  unavailable("journal_unavailable", "the journal does not answer: nothing was accepted", failure_class::server_error);
}

void run_state::ask_to_keep() {
  if (rec->caller_gone) return on_caller_left(); // cancelled before anybody else heard of it
  auto now = clock::now();
  if (journal_until == instant{}) journal_until = std::min(now + journal_patience, rec->durable->caller()->until);
  if (now >= journal_until) return journal_silent();
  if (rec->asked->stream) rec->durable->caller()->takes_stream(rec->asked->wants_usage);
  if (rec->batch && rec->batch_shape.empty())
    rec->batch_shape = batch_shape(*rec->asked, rec->in.client_name() + "\n" + rec->in.particular().region);
  wake_at(journal_until, waking::ask_journal);
  self->request(names->journal, caf::infinite, journal_accept{rec})
      .then(
          [this](const journal_verdict& v) {
            if (over) return;
            stop_waiting();
            if (v.what == journal_verdict::way::refused && v.status >= 500)
              return unavailable(v.code, v.message, failure_class::server_error);
            if (v.what == journal_verdict::way::refused)
              return refuse(v.status, v.message, "invalid_request_error", v.code, v.param);
            rec->admitted_once = true;
            rec->note(story_mark::kept);
            if (v.what == journal_verdict::way::run) return ask_cache();
            rec->answered = true; // by the journal, now or later
            rec->report().status = 202;
            settle_client(0);
            leave("ok");
          },
          [this](const caf::error&) { again_soon(waking::ask_journal); });
}

/// The cache had nothing: the journal asks for it together with others. Its client has had it admitted, and pays what
/// was reserved: what its share comes to is known too late.
void run_state::leave_to_batch() {
  rec->durable->gather(rec->model->name);
  rec->answered = true; // by the journal, later
  rec->report().status = 202;
  settle_client(reservation());
  leave("ok");
}

void run_state::ask_whether_repeated() {
  repeat_ask ask{repeat_key(rec->in.client_name(), rec->in.idempotency_key),
                 {rec->number, sha256(*rec->in.body), rec->in.deadline + 1min}};
  self->request(names->repeats, caf::infinite, std::move(ask))
      .then(
          [this](const repeat_reply& r) {
            if (over) return;
            switch (r.what) {
            case repeat_reply::way::first: rec->admitted_once = true; return ask_cache();
            case repeat_reply::way::repeated: return answer_again(*r.answer);
            case repeat_reply::way::other_body:
              return refuse(422, "this idempotency key was used with another body", "invalid_request_error",
                            "idempotency_key_reused", "idempotency-key");
            case repeat_reply::way::unavailable: return journal_silent();
            }
          },
          [this](const caf::error&) { again_soon(waking::ask_journal); });
}

/// The node ends before the request did: told to the caller while there is a door to tell it through.
void run_state::cut_off() {
  if (over || rec->answered) return;
  unavailable("shutting_down", "the node shut down before the request was finished", failure_class::cancelled);
}

void run_state::stop_waiting() {
  wake_for = waking::nothing;
  ++wake_generation;
}

void run_state::stop_waiting_for_end() {
  if (wake_for == waking::end_stream || wake_for == waking::drop_call) stop_waiting();
}

void run_state::on_deadline() {
  if (rec->answered) return drop_call(); // only the connection's end was missing
  waits_otherwise = false;
  if (auto last = std::exchange(asking_for_stale, std::nullopt)) return give_canned_or(last->answer, last->why);
  if (rec->flight && rec->flight->terms().until > clock::now()) return; // somebody with more time has just joined
  if (step_off()) return;
  failure f;
  f.what = failure_class::deadline;
  const auto said = story();
  end_attempts(f.what);
  give_back();
  give_stale_or(final_answer_of(f, said, {}), f.what);
}

void run_state::on_caller_left() {
  if (rec->answered || step_off()) return; // the end of the stream is being awaited already
  end_attempts(failure_class::cancelled);
  settle_client(rec->tokens_spent);
  give_back();
  rec->answered = true;
  leave(to_string(failure_class::cancelled));
}

/// Nothing more is spent on it. Its caller hears so, in the middle of an answer too.
void run_state::on_client_revoked() {
  if (rec->answered) return;
  final_answer a;
  a.status = 401;
  a.message = revoked_words;
  a.type = "authentication_error";
  a.code = "client_revoked";
  give_back();
  give(a, failure_class::caller_fault);
}

/// Whatever a question under way may still bring us goes back unused. The client's own admission (serial 0), once it is
/// there, is settled with what was spent.
void run_state::give_back() {
  withdraw_question();
  if (!rec->admission) letter<settle_lease>::post(governor_ptr(), settle_lease{{rec->number, 0}, {false, {}, {}}});
}

void run_state::leave(std::string_view outcome) {
  if (over) return;
  over = true;
  inside();
  if (looks_for_host) // a place that it is given now is nobody's
    letter<owner_gone>::post(caf::actor_cast<caf::strong_actor_ptr>(names->guests),
                             owner_gone{rec->number, {(*looks_for_host).serial, (*looks_for_host).serial + 1}});
  rec->in.reply->observe_progress(0, nullptr);
  auto& r = rec->report();
  if (rec->model) r.model = rec->model->name;
  r.story = std::move(rec->story);
  r.number = rec->number;
  r.id = rec->in.id;
  r.durable_id = rec->durable_id;
  if (rec->in.settings->tracing && rec->in.trace && rec->in.trace->sampled) r.trace = rec->in.trace;
  r.level = rec->in.level;
  r.stream = rec->asked && rec->asked->stream;
  r.client = rec->in.client_name();
  r.durable = rec->durable && rec->durable->kept();
  if (rec->withheld) { // its caller got an error in place of it
    r.status = screened_channel::denied_status;
    r.code = "denied_content";
    outcome = to_string(failure_class::content_filter);
  }
  if (r.status == 0) r.status = outcome == "cancelled" ? 499 : 200;
  r.outcome = outcome;
  r.embeddings = rec->in.kind == request_kind::embeddings;
  r.flight = rec->flight || rec->guest;
  r.trial = rec->in.trial;
  r.retries = rec->plan ? rec->plan->retries() : 0;
  r.took = clock::now() - rec->in.received;
  r.overhead = std::max(duration{}, r.took - rec->provider_time);
  r.arrived = std::chrono::system_clock::now() - std::chrono::duration_cast<utc_time::duration>(r.took);
  const auto& audit = rec->in.settings->audit;
  letter<run_over>::post(
      caf::actor_cast<caf::strong_actor_ptr>(names->metrics),
      run_over{std::move(rec->reported),
               audit && audit->prompts && rec->in.particular().denied.empty() ? rec->in.body : nullptr});
  letter<run_finished>::post(caf::actor_cast<caf::strong_actor_ptr>(names->dispatcher), run_finished{rec->number});
  self->quit();
}

void run_state::outside() {
  if (outside_since == instant{}) outside_since = clock::now();
}

instant run_state::inside() {
  const auto now = clock::now();
  if (outside_since != instant{}) rec->provider_time += now - outside_since;
  outside_since = {};
  return now;
}

void run_state::wake_at(instant when, waking what) {
  wake_for = what;
  send_at(self, when, run_wake{++wake_generation});
}

void run_state::again_soon(waking what) {
  if (over) return;
  if (stable_front::closed(governor_ptr()))
    return self->quit(caf::exit_reason::user_shutdown); // nobody will ever answer
  wake_at(clock::now() + ask_again_in, what);
  ask_again_in = std::min(ask_again_in * 2, ask_again_at_most);
}

void run_state::drop_call() {
  if (auto* a = only_attempt()) {
    cancel(*a, links());
    succeeded(*a, stream_usage);
  }
}

void run_state::on_wake(std::uint64_t generation) {
  if (over || generation != wake_generation) return;
  inside();
  switch (std::exchange(wake_for, waking::nothing)) {
  case waking::resume_plan: return perform(rec->plan->resume(clock::now()));
  case waking::ask_capacity: return asking ? ask_capacity() : void();
  case waking::ask_permit: return opening ? ask_permit_now() : void();
  case waking::ask_admission: return ask_admission();
  case waking::ask_journal: return ask_journal();
  case waking::ask_seat: return ask_seat();
  case waking::ask_similar: return similar_came(nullptr);
  case waking::end_stream:
    if (auto* a = only_attempt(); a && a->relay) finish_stream(*a);
    return;
  case waking::drop_call: return drop_call();
  case waking::nothing: return;
  }
}

namespace {

run_actor::behavior_type request_run_behavior(run_actor::stateful_pointer<run_state> self, run_record_ptr rec,
                                              directory_ptr names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.rec = std::move(rec);
  st.names = std::move(names);
  self->set_exit_handler([&st, self](caf::exit_msg& msg) {
    st.cut_off();
    self->quit(msg.reason);
  });
  self->send(self, run_wake{0}); // begin as a message: a failure in it is one of this actor, not of its parent
  return {
      [&st](const call_data& m) { // by far the most frequent: CAF looks from the first on
        if (auto* a = st.open_attempt(m.serial)) st.on_data(*a, m);
      },
      [&st](const run_wake& w) {
        if (w.generation == 0)
          st.start();
        else
          st.on_wake(w.generation);
      },
      [&st](const deadline_over&) {
        if (st.over) return;
        st.rec->client_revoked ? st.on_client_revoked() : st.on_deadline();
      },
      [&st](const caller_left&) {
        if (!st.over) st.on_caller_left();
      },
      [&st](const flight_ended&) { st.on_flight_ended(); },
      [&st](const flight_terms&) {
        if (!st.over) st.take_terms();
      },
      [&st](const patience_over& p) {
        if (st.over) return;
        p.move ? st.look_elsewhere(p.serial, *p.move) : st.ask_beside(p.serial);
      },
      [&st](const call_head& m) {
        if (auto* a = st.open_attempt(m.serial)) st.on_head(*a, m);
      },
      [&st](const call_end& m) {
        if (auto* a = st.open_attempt(m.serial)) st.on_end(*a, m);
      },
      [&st](const caller_progress& p) {
        st.acknowledged += p.bytes;
        for (auto& a : st.tries)
          if (a && a->placed && !st.over) st.top_up(*a);
      },
      [](const inject_fault& f) { fail_as_told(f); },
  };
}

} // namespace

run_actor spawn_request_run(caf::actor_system& sys, caf::execution_unit* where, run_record_ptr rec,
                            directory_ptr names) {
  caf::actor_config cfg{where};
  auto* begin = &request_run_behavior;
  return sys.spawn_functor<caf::no_spawn_options>(std::true_type{}, cfg, begin, rec, names);
}

} // namespace mainstay
