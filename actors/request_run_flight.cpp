// Sharing one upstream call with equal requests: a caller's run on its seat, and what is different for the run that
// flies: it has no caller of its own, lives by its callers' deadlines and hands its failures to their runs.
#include "actors/flight_channel.hpp"
#include "actors/request_run_state.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto lease_slack = 1min; // what a lease outlives its deadline by

} // namespace

// -- a caller

/// The journal's and repeats' requests have an idempotency key of their own to show to the provider, and what is for
/// the cache alone is asked otherwise.
bool run_state::may_share() const {
  auto& in = rec->in;
  return in.cache == cache_mode::use && !in.for_cache && !rec->durable && in.idempotency_key.empty();
}

void run_state::get_answer() {
  if (may_share())
    ask_seat();
  else
    start_plan();
}

void run_state::ask_seat() {
  rec->seat_asked = true;
  outside();
  self->request(names->flights, caf::infinite, flight_ask{rec})
      .then(
          [this](const flight_seat& seat) {
            if (over || asking_for_stale) return; // it was given back already
            if (!seat.flight) {
              rec->seat_asked = false;
              return seat.leads ? start_plan() : ask_cache();
            }
            if (!seat.leads) {
              rec->report().cache_tier = "flight";
              rec->report().cache_result = "shared";
            }
            rec->shares = seat.flight;
            rec->report().shared = seat.flight->so_far().flight;
            rec->note(story_mark::shared);
            board();
          },
          [this](const caf::error&) {
            if (!asking_for_stale) again_soon(waking::ask_seat);
          });
}

void run_state::board() {
  outside();
  flight_channel::passenger p;
  p.who = rec->number;
  p.id = rec->in.id;
  p.received = rec->in.received;
  p.limits = client_limits(*rec);
  p.admitted = rec->admission && rec->admission->admitted;
  p.way = rec->in.reply;
  p.run = caf::actor_cast<caf::actor_addr>(self);
  flight_came(rec->shares->board(std::move(p)));
}

void run_state::on_flight_ended() {
  if (!over && !asking_for_stale && rec->shares) flight_came(rec->shares->look(rec->number));
}

void run_state::flight_came(const flight_channel::progress& seen) {
  if (seen.now == flight_channel::state::flying) return;
  // The flight's own work is not the provider's time, nor is what was over before we came ours.
  const auto waited = clock::now() - std::exchange(outside_since, {});
  rec->provider_time += std::min(waited, rec->shares->so_far().provider_time);
  if (seen.now == flight_channel::state::too_late) return ask_other_seat();
  rec->head_sent = seen.head_sent;
  if (seen.now == flight_channel::state::failed) {
    auto told = rec->shares->failure_of(rec->number);
    waits_otherwise = told.answer.outage && !rec->head_sent && !rec->guest; // that one goes home
    return give_stale_or(std::move(told.answer), told.why);
  }
  rec->answered = true;
  rec->paid = rec->paid || seen.pays;
  rec->report().source = seen.source;
  rec->report().provider = seen.provider;
  rec->report().target_model = seen.model;
  rec->report().reason = seen.reason;
  settle_client(0);
  leave("ok");
}

void run_state::ask_other_seat() {
  if (step_off()) return;
  rec->shares.reset();
  ask_seat();
}

/// Nothing of the flight goes to the caller from here on. True: it had its whole answer already, and the run is over.
bool run_state::step_off() {
  if (!std::exchange(rec->seat_asked, false)) return false;
  if (rec->shares) {
    auto seen = rec->shares->leave(rec->number);
    if (seen.now == flight_channel::state::ended) {
      flight_came(seen);
      return true;
    }
    rec->head_sent = seen.head_sent;
    rec->paid = rec->paid || seen.pays;
    rec->tokens_spent += rec->shares->failure_of(rec->number).tokens;
  }
  letter<flight_leave>::post(caf::actor_cast<caf::strong_actor_ptr>(names->flights), flight_leave{rec->number});
  return false;
}

int run_state::attempts() const {
  if (rec->plan) return rec->plan->attempts();
  return rec->shares ? rec->shares->so_far().attempts : 0;
}

/// Who was asked, and what each said.
std::string run_state::story() const {
  if (rec->shares) return rec->shares->so_far().text;
  auto story = rec->plan ? rec->plan->story() : "";
  for (auto& a : tries)
    if (a) story += (story.empty() ? "" : "; ") + a->at.provider + "/" + a->at.model + ": no complete answer yet";
  return story;
}

// -- a flight

void run_state::fly() {
  rec->flight->flown_by(caf::actor_cast<caf::actor_addr>(self));
  take_terms();
  if (rec->caller_gone) return on_caller_left();
  if (rec->losses > 0 && rec->plan) return recover();
  ask_who_flies();
}

/// An equal flight at another node is joined there.
void run_state::ask_who_flies() {
  if (!rec->question || !names->peer_flights || rec->must_move) return start_plan();
  outside();
  self->request(names->peer_flights, caf::infinite, flight_question{rec->number, *rec->question, rec->in.deadline})
      .then(
          [this](flight_place& at) {
            if (over) return;
            inside();
            if (!at.peer.empty()) {
              joins_at.emplace(std::move(at.peer));
              rec->must_move = move_reason::shared;
            }
            start_plan();
          },
          [this](const caf::error&) {
            if (!over) start_plan();
          });
}

/// Somebody joined who has more time, or is more urgent.
void run_state::take_terms() {
  const auto terms = rec->flight->terms();
  const auto before = std::exchange(rec->in.deadline, terms.until);
  const bool more_urgent = terms.level < std::exchange(rec->in.level, terms.level);
  if (!rec->plan) return;
  const auto until = rec->plan->live_by(terms.until, terms.level, clock::now());
  for (auto* a : {tries[0].get(), tries[1].get(), opening.get()})
    if (a) keep_lease_of(*a);
  if (!asking) return;
  if (asking->wait_until == before) asking->wait_until = std::max(before, until); // it was cut short by the deadline
  if (more_urgent && !opening) ask_capacity(); // in place of the question that waits at the lower level
}

/// A lease must not end under its call.
void run_state::keep_lease_of(attempt& a) {
  if (a.kept_until >= lease_end() - lease_slack / 2) return;
  a.kept_until = lease_end();
  self->send(names->governor, keep_lease{a.lease, a.kept_until});
}

instant run_state::lease_end() const { return rec->in.deadline + lease_slack; }

void run_state::tell_story() {
  if (rec->flight) rec->flight->tell_story({rec->number, story(), attempts(), rec->provider_time});
}

} // namespace mainstay
