// Its transactions, its time, what a console sees, and the actor around them.
#include "actors/journal_state.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

namespace mainstay {

namespace {

constexpr auto look_at_callers_every = 200ms; // their deadlines, to that precision
constexpr auto try_disk_every = 1s;           // while it fails
constexpr auto expire_every = 10s;
constexpr int expire_at_once = 1000;
constexpr int rows_shown = 20;

std::string state_of(const journal_file::row& r) {
  return r.status == 0 ? "pending" : "answered " + std::to_string(r.status);
}

} // namespace

void journal_state::commit() {
  if (!open) return;
  try {
    open->commit();
  } catch (const sqlite::error& e) { return fail(e); }
  open.reset();
  ++store->commits;
  end_batch(fate::stored);
}

void journal_state::fail(const sqlite::error& e) {
  open.reset();
  if (!std::exchange(store->failing, true))
    log::error("journal {}; durable requests are refused until it can be written again", e.what());
  try_disk_at = clock::now() + try_disk_every;
  end_batch(fate::failed);
}

void journal_state::end_batch(fate f) {
  for (auto& e : std::exchange(after, {})) e(f);
  go_on();
}

void journal_state::arm() {
  auto next = store->failing ? try_disk_at : expire_at; // what cannot be written does not expire
  if (!store->callers.empty()) next = std::min(next, clock::now() + look_at_callers_every);
  if (auto due = store->queue.due(); due && !store->failing && !store->draining) next = std::min(next, *due);
  if (armed <= next) return;
  armed = next;
  send_at(self, next, run_wake{++generation});
}

void journal_state::on_time() {
  armed = instant::max();
  const auto now = clock::now();
  end_late_callers(now);
  if (store->failing && now >= try_disk_at) try_disk(now);
  if (!store->failing && now >= expire_at) expire(now);
  go_on();
  arm();
}

/// Their wait ends, their requests go on.
void journal_state::end_late_callers(instant now) {
  for (auto it = store->callers.begin(); it != store->callers.end();) {
    std::erase_if(it->second, [&](auto& c) {
      if (c->until <= now)
        c->refuse(504, "deadline", "the deadline passed before an answer came; the request goes on: collect it");
      return c->gone();
    });
    it = it->second.empty() ? store->callers.erase(it) : std::next(it);
  }
}

/// Something is written: reading alone, or committing nothing, works on a full disk too.
void journal_state::try_disk(instant now) {
  try_disk_at = now + try_disk_every;
  write(
      [this]() -> effect {
        store->file.write_a_sign(utc_now());
        return [this](fate f) {
          if (f == fate::stored && std::exchange(store->failing, false))
            log::info("journal {} is written again", store->file.path());
        };
      },
      [](fate) {});
}

void journal_state::expire(instant now) {
  expire_at = now + std::min<duration>(expire_every, std::max<duration>(store->limits.retention / 4, 100ms));
  write(
      [this]() -> effect {
        auto gone = store->file.expire(utc_now(), expire_at_once);
        if (gone.requests == expire_at_once || gone.repeats == expire_at_once) expire_at = clock::now(); // more
        return [this, gone](fate f) {
          if (f == fate::stored) expired(gone);
        };
      },
      [](fate) {});
}

void journal_state::expired(const journal_file::expired& gone) {
  store->requests -= std::min<std::uint64_t>(store->requests, gone.requests);
  for (auto n : gone.unanswered) {
    ++store->expired;
    stop_run(n);
    store->runs.erase(n);
    drop(n, false);
    tell_callers(n, error_answer(504, "expired", "no answer came before the request's retention ended"));
  }
  if (!gone.unanswered.empty())
    log::warn("journal: {} requests had no answer when their retention ended", gone.unanswered.size());
}

/// Answered when everything that came before is on disk, or cannot be.
void journal_state::flush(caf::typed_response_promise<std::uint64_t> promise) {
  store->draining = true;
  const auto end = [=, this](fate f) mutable {
    if (f == fate::died) {
      promise.deliver(caf::make_error(caf::sec::request_receiver_down));
      return;
    }
    end_callers();
    promise.deliver(std::uint64_t{store->queue.size()});
  };
  write([&]() -> effect { return end; }, end);
}

void journal_state::end_callers() {
  for (auto& [number, all] : std::exchange(store->callers, {}))
    for (auto& c : all)
      c->refuse(503, "shutting_down", "the node shuts down; the request goes on after its next start: collect it then",
                {{"retry-after", "1"}});
}

journal_view journal_state::view() {
  auto& s = *store;
  journal_view v;
  v.path = s.file.path();
  v.failing = s.failing;
  v.running = s.queue.running();
  v.parked = s.queue.parked();
  v.at_once = s.queue.at_once();
  for (auto& [n, all] : s.callers) v.callers += all.size();
  v.accepted = s.accepted;
  v.stored = s.stored;
  v.replayed = s.replayed;
  v.parks = s.parks;
  v.refused = s.refused;
  v.expired = s.expired;
  v.commits = s.commits;
  v.gathering = s.batches.pool.waiting();
  for (auto& [name, b] : s.batches.models)
    v.batches.push_back({name, b.size.now(), b.size.mean(), b.calls, b.failed, b.parts, b.answered, b.alone,
                         b.calls_saved, b.tokens_saved});
  v.most_bytes = s.limits.size;
  v.most_requests = s.limits.entries;
  try {
    auto f = s.file.count();
    v.requests = f.requests;
    v.answered = f.answered;
    v.repeats = f.repeats;
    v.bytes = f.bytes;
    v.oldest = f.oldest;
    for (auto& r : s.file.latest(rows_shown))
      v.latest.push_back({r.client, r.id, r.name, state_of(r), r.level, r.accepted});
  } catch (const sqlite::error&) { v.failing = true; }
  return v;
}

namespace {

journal_actor::behavior_type journal_behavior(journal_actor::stateful_pointer<journal_state> self,
                                              std::shared_ptr<journal_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->set_exit_handler([&st, self](caf::exit_msg& msg) {
    st.commit(); // what came before the end is not lost with us
    self->quit(msg.reason);
  });
  self->send(self, run_wake{0});
  return {
      [&st, self](const journal_accept& a) -> caf::result<journal_verdict> {
        auto promise = self->make_response_promise<journal_state::accept_promise>();
        st.accept(a.record, promise);
        return promise;
      },
      [&st](const letter<journal_done>& mail) { st.done(mail); },
      [&st](const letter<journal_collect>& mail) { st.collect(mail); },
      [&st](const letter<journal_cancel>& mail) { st.cancel(mail); },
      [&st, self](const repeat_recall& r) -> caf::result<repeat_recalled> {
        auto promise = self->make_response_promise<journal_state::recall_promise>();
        st.recall(r.key, promise);
        return promise;
      },
      [&st](const letter<repeat_keep>& mail) { st.keep(mail); },
      [&st](const journal_drain&) { st.store->draining = true; },
      [&st](const ask_fullness&) -> caf::result<double> {
        try {
          return st.fullness();
        } catch (const sqlite::error&) { return caf::make_error(caf::sec::runtime_error); }
      },
      [&st, self](const journal_flush&) -> caf::result<std::uint64_t> {
        auto promise = self->make_response_promise<caf::typed_response_promise<std::uint64_t>>();
        st.flush(promise);
        return promise;
      },
      [&st](const journal_hold& h) { return st.hold(h.models); },
      [&st](const journal_try& t) { st.let_try(t); },
      [&st](const commit_due&) { st.commit(); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.on_time();
      },
      [&st](const look&) { return st.view(); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { // another path needs a restart
        st.store->settings = s.value;
        st.store->names = s.names;
        if (s.value->journal) st.store->limits = *s.value->journal;
        const auto& all = s.value->clients;
        if (std::any_of(all.begin(), all.end(), [](auto& c) { return c.revoked; })) st.tell_revoked();
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

void journal_question::on_lost() {
  if (caller) caller->refuse(503, "journal_unavailable", "the journal could not be asked");
}

journal_store::journal_store(const config::journal_settings& s) : limits(s), file(s.path, utc_now()) {
  if (const auto& broken = file.found_broken(); !broken.moved_to.empty())
    log::error("journal {}; it was moved to {} and a new one begun", broken.what, broken.moved_to);
  requests = static_cast<std::uint64_t>(file.count().requests);
  for (auto& r : file.all_unanswered()) {
    const auto from = instant_of(r.ready);
    queue.add(r.number, r.level, from);
    if (r.shape.empty()) continue;
    batches.pool.add(r.number, r.shape);
    batches.pool.wait(r.number, from);
  }
  if (queue.size() > 0) log::info("journal {}: {} requests without an answer are run again", file.path(), queue.size());
}

caf::strong_actor_ptr spawn_journal(caf::actor_system& sys, std::shared_ptr<journal_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn<caf::detached>(journal_behavior, std::move(store)));
}

} // namespace mainstay
