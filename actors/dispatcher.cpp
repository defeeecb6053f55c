#include "actors/dispatcher.hpp"

#include "actors/flight_channel.hpp"
#include "actors/journal_channel.hpp"
#include "actors/log.hpp"
#include "actors/reply_labels.hpp"
#include "actors/request_run.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

namespace mainstay {

namespace {

constexpr int losses_limit = 5; // runs that may die over one request
constexpr std::size_t cut_ids_listed = 20;

/// Answers in place of a run. Also used for what never got one.
void answer_without_run(run_record& rec, int status, const std::string& code, const std::string& message,
                        std::optional<int> retry_after) {
  final_answer a;
  a.status = status;
  a.type = status == 401 ? "authentication_error" : "server_error";
  a.code = code;
  a.message = message;
  answer_labels l;
  l.final_failure = !retry_after;
  l.retry_after_seconds = retry_after;
  auto headers = headers_for(rec, l, clock::now());
  rec.answered = true;
  if (rec.shares) { // its flight gives it nothing more
    auto seen = rec.shares->leave(rec.number);
    if (seen.now == flight_channel::state::ended) return;
    rec.head_sent = seen.head_sent;
  }
  if (rec.head_sent)
    rec.in.reply->stream_error(status, error_bytes(a), std::move(headers));
  else
    rec.in.reply->reply(status, std::move(headers), error_bytes(a));
}

struct dispatcher_state {
  static inline const char* name = "dispatcher";
  dispatcher_actor::pointer self = nullptr;
  std::shared_ptr<dispatcher_store> store;
  std::unordered_map<caf::actor_addr, request_id> runs;
  std::uint64_t generation = 0;
  instant armed = instant::max();
  std::vector<caf::typed_response_promise<drain_result>> drains;
  instant drain_until = instant::max();

  ~dispatcher_state() {
    for (auto& d : drains) d.deliver(caf::make_error(caf::sec::request_receiver_down));
  }

  void take_over() {
    for (auto& [id, e] : store->open) watch(id, e.run);
    arm();
  }

  void watch(request_id id, const run_actor& run) {
    runs[run.address()] = id;
    self->monitor(run);
  }

  void accept(const run_record_ptr& rec) {
    if (store->open.count(rec->number) || rec->answered) return; // accepted before, its letter came again
    if (rec->caller_gone) return;                                // it left while its letter was under way
    if (rec->flight) return take(rec);                           // its callers were accepted
    if (is_revoked(*rec)) {                                      // by what the door knew it was not yet
      ++store->refused;
      return answer_without_run(*rec, 401, "client_revoked", revoked_words, {});
    }
    const bool movable = store->peers_have_room && !rec->guest;
    if (store->draining && !movable) {
      ++store->refused;
      return answer_without_run(*rec, 503, "draining", "this node is shutting down", 1);
    }
    if (const auto n = store->callers(); n >= (movable ? 2 * store->capacity : store->capacity)) {
      ++store->refused;
      return answer_without_run(*rec, 503, "overloaded", "too many requests are in flight", 1);
    }
    ++store->accepted;
    take(rec);
  }

  /// What this node has no room for, a peer is to do: also what callers share.
  void judge_place(run_record& rec) const {
    if (!store->peers_have_room || rec.guest) return;
    if (store->draining)
      rec.must_move = move_reason::draining;
    else if (store->callers() >= store->capacity)
      rec.must_move = move_reason::overloaded;
  }

  /// Those who wait go to where they need not.
  void begin_drain() {
    if (std::exchange(store->draining, true) || !store->names->guests) return;
    self->send(store->names->guests, node_drains{});
    for (auto& [id, e] : store->open) self->send(e.run, patience_over{0, move_reason::draining});
  }

  bool is_revoked(const run_record& rec) const {
    return rec.in.client && !rec.in.trial && store->revoked.count(rec.in.client->name);
  }

  /// A run that dies with this message in its mailbox has a successor that looks at the record.
  void end_revoked() {
    for (auto& [id, e] : store->open)
      if (!e.record->flight && is_revoked(*e.record) && !e.record->client_revoked.exchange(true))
        self->send(e.run, deadline_over{});
  }

  void take(const run_record_ptr& rec) {
    judge_place(*rec);
    store->flights += rec->flight != nullptr;
    const auto deadline = rec->in.deadline; // the run's to change, from here on
    auto run = spawn_request_run(self->system(), self->context(), rec, store->names);
    store->open.emplace(rec->number, dispatcher_store::entry{rec, run, deadline});
    store->deadlines.emplace(deadline, rec->number);
    watch(rec->number, run);
    arm();
  }

  void forget(request_id id) {
    auto it = store->open.find(id);
    if (it == store->open.end()) return;
    store->deadlines.erase({it->second.wake, id});
    if (it->second.run) runs.erase(it->second.run.address());
    if (auto rec = it->second.record; rec->flight) {
      --store->flights;
      post(store->names->flights, flight_over{id, rec->cached});
    } else {
      ++store->finished;
    }
    store->open.erase(it);
    end_drain_if_done(clock::now());
  }

  /// A run died. What it held comes back, and another run goes on where it was.
  void lost(const caf::down_msg& down) {
    auto it = runs.find(down.source);
    if (it == runs.end()) return;
    auto id = it->second;
    runs.erase(it);
    auto open = store->open.find(id);
    if (open == store->open.end() || open->second.run.address() != down.source) return;
    auto rec = open->second.record;
    if (!down.reason) {
      // It left in order; its run_finished may have overtaken us or be on its way.
      if (rec->answered) forget(id);
      return;
    }
    auto& n = *store->names;
    // The client's own admission (serial 0) goes on with the request; what the next run borrows has higher serials.
    bool goes_on = !rec->answered && !rec->caller_gone && rec->losses < losses_limit;
    serial_range lost_serials{goes_on ? 1u : 0u, rec->next_serial};
    const owner_gone gone{id, lost_serials};
    for (auto& [name, breaker] : n.breakers) post(breaker, gone);
    for (auto& [name, upstream] : n.upstreams) post(upstream, gone);
    post(n.governor, gone);
    if (n.guests) post(n.guests, gone);
    if (!goes_on && rec->seat_asked) post(n.flights, flight_leave{id});
    if (rec->answered || rec->caller_gone) {
      if (rec->shares) rec->shares->leave(id);
      return forget(id);
    }
    log::warn("request {}: its run died ({}), going on with another", rec->in.id, to_string(down.reason));
    if (++rec->losses > losses_limit) {
      answer_without_run(*rec, 500, "internal_error", "the request failed inside the gateway", {});
      return forget(id);
    }
    ++store->recovered;
    open->second.run = spawn_request_run(self->system(), self->context(), rec, store->names);
    watch(id, open->second.run);
  }

  template <class Handle, class Message>
  void post(const Handle& to, Message what) {
    letter<Message>::post(caf::actor_cast<caf::strong_actor_ptr>(to), std::move(what));
  }

  // -- deadlines and drain: one timer

  void arm() {
    auto next = drain_until;
    if (!store->deadlines.empty()) next = std::min(next, store->deadlines.begin()->first);
    if (next == instant::max() || (armed != instant::max() && armed <= next)) return;
    armed = next;
    send_at(self, next, run_wake{++generation});
  }

  void on_time() {
    armed = instant::max();
    auto now = clock::now();
    while (!store->deadlines.empty() && store->deadlines.begin()->first <= now) {
      auto id = store->deadlines.begin()->second;
      store->deadlines.erase(store->deadlines.begin());
      if (auto it = store->open.find(id); it != store->open.end()) {
        auto& e = it->second;
        // Callers with more time may have joined a flight.
        const auto until = e.record->flight ? e.record->flight->terms().until : now;
        if (until <= now) self->send(e.run, deadline_over{});
        // A run that dies with this message in its mailbox is told again.
        e.wake = until > now ? until : now + 1s;
        store->deadlines.emplace(e.wake, id);
      }
    }
    end_drain_if_done(now);
    arm();
  }

  void end_drain_if_done(instant now) {
    if (drains.empty() || (!store->open.empty() && now < drain_until)) return;
    drain_result result;
    for (auto& [id, e] : store->open) {
      if (e.record->flight) continue;                               // its callers are counted
      if (e.record->durable && e.record->durable->kept()) continue; // the journal counts them
      ++result.cut;
      if (result.cut_ids.size() < cut_ids_listed) result.cut_ids.push_back(e.record->in.id);
    }
    for (auto& d : drains) d.deliver(result);
    drains.clear();
    drain_until = instant::max();
    if (!store->open.empty()) end_runs(*store); // while the doors are there to tell their callers
  }
};

dispatcher_actor::behavior_type dispatcher_behavior(dispatcher_actor::stateful_pointer<dispatcher_state> self,
                                                    std::shared_ptr<dispatcher_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->set_down_handler([&st](caf::down_msg& down) { st.lost(down); });
  self->set_exit_handler([&st, self](caf::exit_msg& msg) {
    // The household ends: runs that wait for a provider or a backoff would outlive everybody they could ask.
    if (msg.reason == caf::exit_reason::user_shutdown) end_runs(*st.store);
    self->quit(msg.reason);
  });
  st.take_over();
  return {
      [&st](const letter<submission>& mail) {
        st.accept(mail.content().record);
        mail.opened();
      },
      [&st](const letter<caller_left>& mail) {
        if (auto it = st.store->open.find(mail.content().id); it != st.store->open.end())
          st.self->send(it->second.run, mail.content());
        mail.opened();
      },
      [&st](const letter<run_finished>& mail) {
        st.forget(mail.content().id);
        mail.opened();
      },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.on_time();
      },
      [&st, self](const drain_order& order) -> caf::result<drain_result> {
        st.begin_drain();
        auto promise = self->make_response_promise<caf::typed_response_promise<drain_result>>();
        st.drains.push_back(promise);
        st.drain_until = clock::now() + order.limit;
        st.end_drain_if_done(clock::now());
        st.arm();
        return promise;
      },
      [&st](const look&) {
        auto& s = *st.store;
        const auto n = s.callers();
        return dispatcher_view{
            s.accepted, s.finished, s.refused, s.recovered, n, s.draining, s.capacity - std::min(s.capacity, n)};
      },
      [&st](const peers_room& r) { st.store->peers_have_room = r.any; },
      [&st](const crash_order&) {
        if (st.store->open.empty()) return false;
        st.self->send(st.store->open.begin()->second.run, inject_fault{});
        return true;
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->names = s.names;
        st.store->capacity = in_flight_capacity(*s.value);
        st.store->revoked = revoked_clients(*s.value);
        st.end_revoked();
      },
  };
}

} // namespace

void submission::on_lost() {
  if (!record->answered) answer_without_run(*record, 503, "overloaded", "the gateway could not accept the request", 1);
}

void end_runs(dispatcher_store& store) {
  for (auto& [id, e] : store.open) caf::anon_send_exit(e.run, caf::exit_reason::user_shutdown);
}

std::set<std::string> revoked_clients(const config::settings& s) {
  std::set<std::string> out;
  for (auto& c : s.clients)
    if (c.revoked) out.insert(c.name);
  return out;
}

std::size_t in_flight_capacity(const config::settings& s) {
  auto n = s.queue_capacity;
  for (auto& p : s.providers) n += p.pool_connections;
  return n;
}

caf::strong_actor_ptr spawn_dispatcher(caf::actor_system& sys, std::shared_ptr<dispatcher_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(dispatcher_behavior, std::move(store)));
}

} // namespace mainstay
