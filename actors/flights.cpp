#include "actors/flights.hpp"

#include "actors/intake.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "net/leave_out.hpp"
#include "net/sha256.hpp"

namespace mainstay {

namespace {

/// What changes the answer's bytes beside what the cache goes by. The configuration too: a flight lives by its
/// leader's; `configuration`: what tells it from others.
std::string key_of(const run_record& rec, const std::string& configuration) {
  auto key = rec.cache_key + configuration;
  if (auto less = rec.in.dispensable & dispensable_features(*rec.asked); !less.none())
    key += "\nor without " + to_string(less);
  if (rec.patient) key += "\npatient";
  if (rec.in.restores) key += "\nrestores";
  if (!rec.asked->stream) return key;
  key += "\nstream";
  if (auto options = rec.asked->stream_options_value)
    key.append(*rec.asked->bytes, options->begin, options->end - options->begin);
  return key;
}

struct flights_state {
  static inline const char* name = "flights";
  flights_actor::pointer self = nullptr;
  std::shared_ptr<flights_store> store;

  template <class Message>
  void to_dispatcher(Message what) {
    letter<Message>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), std::move(what));
  }

  flight_seat seat(const run_record& caller) {
    auto& book = store->book;
    const auto now = clock::now();
    const auto key = key_of(caller, caller.in.settings->hash);
    const flight_book::terms terms{caller.in.deadline, caller.in.level};
    if (auto s = book.join(key, caller.number, terms, caller.cache_asked, now)) {
      if (s->look_again) return {nullptr, false};
      const auto& flown = store->flown.at(s->flight);
      if (caller.guest && flown->away) { // perhaps at the guest's own node: two would wait for each other
        leave(caller.number);
        return {nullptr, true};
      }
      if (s->leads) to_dispatcher(submission{flown}); // in case we died before we had said so
      if (s->leads || flown->flight->open()) {
        if (s->changed) flown->flight->live_by(*s->changed);
        return {flown->flight, s->leads};
      }
      book.close(s->flight);
      leave(caller.number);
    }
    auto rec = flight_for(caller, terms, now);
    store->flown.emplace(rec->number, rec);
    book.lead(key, rec->number, caller.number, terms);
    to_dispatcher(submission{rec});
    return {rec->flight, true};
  }

  /// The leader's request once more, without its caller. It keeps the name, for providers and logs.
  run_record_ptr flight_for(const run_record& leader, const flight_book::terms& terms, instant now) const {
    auto rec = std::make_shared<run_record>();
    rec->number = new_request_number();
    rec->flight = std::make_shared<flight_channel>(store->names->governor, terms);
    rec->flight->tell_story({rec->number, {}, 0, {}}); // there is none yet, but it has a name
    rec->patient = leader.patient;
    auto& in = rec->in;
    in.id = leader.in.id;
    in.settings = leader.in.settings;
    in.client = leader.in.client;
    in.level = terms.level;
    in.dispensable = leader.in.dispensable;
    in.received = now;
    in.deadline = terms.until;
    in.kind = leader.in.kind;
    in.body = leader.in.body;
    in.foreign = leader.in.foreign;
    in.trace = leader.in.trace;
    in.rest = leader.in.rest;
    in.restores = leader.in.restores;
    in.reply = rec->flight;
    rec->asked = leader.asked;
    rec->model = leader.model;
    rec->in_region = leader.in_region;
    rec->cache_key = leader.cache_key;
    if (leader.guest)
      rec->moves = moved_enough; // nor does what a guest shares
    else if (store->names->peer_flights)
      rec->question.emplace(hex(sha256(key_of(leader, leader.in.settings->common_hash))).substr(0, 32));
    return rec;
  }

  void leave(request_id who) {
    const auto last = store->book.leave(who);
    if (!last) return;
    auto flown = store->flown.extract(*last);
    flown.mapped()->caller_gone = true;
    to_dispatcher(caller_left{*last});
  }

  void over(const flight_over& o) {
    store->book.over(o.flight, o.landed, clock::now());
    store->flown.erase(o.flight);
    if (store->names->peer_flights) self->send(store->names->peer_flights, flight_landing{o.flight, o.landed});
  }
};

flights_actor::behavior_type flights_behavior(flights_actor::stateful_pointer<flights_state> self,
                                              std::shared_ptr<flights_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  return {
      [&st](const flight_ask& ask) { return st.seat(*ask.record); },
      [&st](const letter<flight_leave>& mail) {
        st.leave(mail.content().who);
        mail.opened();
      },
      [&st](const letter<flight_over>& mail) {
        st.over(mail.content());
        mail.opened();
      },
      [&st](const look&) {
        auto& b = st.store->book;
        return flights_view{b.under_way(), b.callers(), b.saved()};
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.store->names = s.names; },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

caf::strong_actor_ptr spawn_flights(caf::actor_system& sys, std::shared_ptr<flights_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(flights_behavior, std::move(store)));
}

} // namespace mainstay
