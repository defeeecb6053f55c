#include "actors/journal.hpp"

#include "actors/intake.hpp"
#include "actors/jitter.hpp"
#include "actors/journal_channel.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "net/sha256.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t batch_limit = 1000;     // operations in one transaction
constexpr auto look_at_callers_every = 200ms; // their deadlines, to that precision
constexpr auto try_disk_every = 1s;           // while it fails
constexpr auto expire_every = 10s;
constexpr int expire_at_once = 1000;
constexpr int rows_shown = 20;
constexpr auto gather_for = 1s;      // as long as the first of a batch waits for others
constexpr auto refused_rest = 10min; // a shape whose merged call was refused is asked one by one

/// What became of a batch. `died`: the actor did, nothing of it is written, and letters come again.
enum class fate : std::uint8_t { stored, failed, died };
using effect = std::function<void(fate)>;
using accept_promise = caf::typed_response_promise<journal_verdict>;
using recall_promise = caf::typed_response_promise<repeat_recalled>;

utc_time utc_now() { return std::chrono::system_clock::now(); }

instant instant_of(utc_time t) {
  return clock::now() + std::chrono::duration_cast<duration>(std::max(t - utc_now(), utc_time::duration::zero()));
}

/// What may stand in for an answer for who waits now, without being one.
bool stands_in(const kept_answer& a) { return a.status >= 200 && a.status < 300; }

struct journal_state {
  static inline const char* name = "journal";
  journal_actor::pointer self = nullptr;
  std::shared_ptr<journal_store> store;
  bool open = false;         // a transaction
  std::vector<effect> after; // to be done when it has ended, in order
  std::uint64_t generation = 0;
  instant armed = instant::max(), expire_at{}, try_disk_at{};

  ~journal_state() {
    if (open) store->file.roll_back();
    for (auto& e : after) e(fate::died);
  }

  // -- batches

  /// `work` writes and says what to do when that is on disk; where it cannot be written, `otherwise` is done instead.
  template <class Work>
  void write(Work work, effect otherwise) {
    try {
      if (!open) {
        store->file.begin();
        open = true;
        self->send(self, commit_due{}); // behind all that waits already
      }
      after.push_back(work());
    } catch (const sqlite::error& e) {
      after.push_back(std::move(otherwise));
      return fail(e);
    }
    if (after.size() >= batch_limit) commit();
  }

  void commit() {
    if (!open) return;
    try {
      store->file.commit();
    } catch (const sqlite::error& e) { return fail(e); }
    open = false;
    ++store->commits;
    end_batch(fate::stored);
  }

  void fail(const sqlite::error& e) {
    store->file.roll_back();
    open = false;
    if (!std::exchange(store->failing, true))
      spdlog::error("journal {}; durable requests are refused until it can be written again", e.what());
    try_disk_at = clock::now() + try_disk_every;
    end_batch(fate::failed);
  }

  void end_batch(fate f) {
    for (auto& e : std::exchange(after, {})) e(f);
    go_on();
  }

  // -- accepting

  void refuse(accept_promise& promise, fate f) {
    ++store->refused;
    if (f == fate::died) {
      promise.deliver(caf::make_error(caf::sec::request_receiver_down));
      return;
    }
    promise.deliver(journal_verdict{journal_verdict::way::refused, 503, "journal_unavailable",
                                    "the journal cannot be written: nothing was accepted", ""});
  }

  void accept(const run_record_ptr& rec, accept_promise promise) {
    write([&] { return take_in(rec, promise); }, [=, this](fate f) mutable { refuse(promise, f); });
  }

  effect take_in(const run_record_ptr& rec, accept_promise promise) {
    auto& in = rec->in;
    const auto client = in.client_name();
    auto print = sha256(*in.body);
    if (auto known = store->file.find(client, rec->durable_id)) {
      if (known->name == in.id) // asked before, by a run that died
        return [=, this, n = known->number, answered = !!known->answer](fate f) mutable {
          if (f != fate::stored) return refuse(promise, f);
          promise.deliver(
              verdict_of(answered || !store->runs.count(n) ? journal_verdict::way::left : journal_verdict::way::run));
        };
      if (known->fingerprint != print)
        return [=, this](fate f) mutable {
          if (f == fate::died) return refuse(promise, f);
          ++store->refused;
          promise.deliver(journal_verdict{journal_verdict::way::refused, 422, "id_reused",
                                          "this id belongs to a durable request with another body", "id"});
        };
      return [=, this, k = *known](fate f) mutable {
        if (f != fate::stored) return refuse(promise, f);
        rec->durable->hand_over();
        attach(k, rec->durable->caller());
        promise.deliver(verdict_of(journal_verdict::way::left));
      };
    }
    if (is_full())
      return [=, this](fate f) mutable {
        if (f == fate::died) return refuse(promise, f);
        ++store->refused;
        promise.deliver(journal_verdict{journal_verdict::way::refused, 503, "journal_full",
                                        "the journal is full: nothing was accepted", ""});
      };
    journal_request r;
    r.client = client;
    r.id = rec->durable_id;
    r.fingerprint = std::move(print);
    r.name = in.id;
    r.upstream_key = in.idempotency_key;
    r.level = in.level;
    r.cache = static_cast<std::uint8_t>(in.cache);
    r.accepted = utc_now();
    r.ready = std::max(r.accepted, rec->not_before);
    r.expires = r.ready + std::chrono::duration_cast<utc_time::duration>(store->limits.retention);
    r.shape = rec->batch_shape;
    r.body = in.body;
    const auto number = store->file.add(r);
    return [=, this, ready = r.ready](fate f) mutable {
      if (f != fate::stored) return refuse(promise, f);
      ++store->requests;
      begin(number, rec, ready, promise);
    };
  }

  static journal_verdict verdict_of(journal_verdict::way w) { return {w, 0, "", "", ""}; }

  bool is_full() {
    return store->requests >= store->limits.entries || store->file.bytes_in_use() >= store->limits.size;
  }

  /// It is on disk.
  void begin(std::int64_t number, const run_record_ptr& rec, utc_time ready, accept_promise& promise) {
    auto& channel = *rec->durable;
    if (!channel.keep_as(number)) { // its caller was told an error meanwhile: then nothing was accepted
      forget(number);
      promise.deliver(verdict_of(journal_verdict::way::left));
      return;
    }
    ++store->accepted;
    channel.caller()->accepted(rec->in.id);
    wait_for(number, channel.caller());
    if (!rec->batch_shape.empty()) store->batches.pool.add(number, rec->batch_shape);
    if (ready > utc_now()) {
      const auto from = instant_of(ready);
      store->batches.pool.wait(number, from);
      store->queue.add(number, rec->in.level, rec->batch_shape.empty() ? from : from + gather_for, rec->model->name);
      channel.hand_over();
      promise.deliver(verdict_of(journal_verdict::way::left));
      return;
    }
    store->queue.add_running(number, rec->in.level, rec->model->name);
    store->runs[number] = rec->number;
    promise.deliver(verdict_of(journal_verdict::way::run));
  }

  /// Where it cannot be forgotten it comes to its run as any other, and nobody collects it.
  void forget(std::int64_t number) {
    const auto end = [=, this](fate f) {
      if (f == fate::stored)
        --store->requests;
      else
        store->queue.add(number, priority::low, clock::now());
    };
    write(
        [=, this]() -> effect {
          store->file.remove(number);
          return end;
        },
        end);
  }

  void attach(const journal_file::known_request& k, const std::shared_ptr<live_caller>& caller) {
    if (k.answer) return caller->settle(*k.answer);
    caller->accepted(k.name);
    wait_for(k.number, caller);
  }

  void wait_for(std::int64_t number, const std::shared_ptr<live_caller>& caller) {
    auto& all = store->callers[number];
    std::erase_if(all, [](auto& c) { return c->gone(); });
    all.push_back(caller);
  }

  // -- answers

  void done(const letter<journal_done>& mail) {
    auto& d = mail.content();
    if (store->batches.calls.count(d.run)) return batch_done(mail);
    if (!d.gather.empty()) {
      mail.opened();
      return gather(d);
    }
    if (!d.answer || !settles(*d.answer)) {
      mail.opened();
      if (d.answer && stands_in(*d.answer)) tell_callers(d.number, *d.answer);
      return park(d);
    }
    write(
        [&]() -> effect {
          const bool first = store->file.answer(d.number, *d.answer, utc_now(), end_of_life());
          return [=, this](fate f) {
            if (f != fate::stored) return not_written(mail, f);
            mail.opened();
            settled(mail.content().number, first ? mail.content().answer : nullptr, true);
          };
        },
        [=, this](fate f) { not_written(mail, f); });
  }

  /// Whoever waits gets it all the same; for later collectors it has to be asked for again.
  void not_written(const letter<journal_done>& mail, fate f) {
    if (f == fate::died) return;
    mail.opened();
    auto& d = mail.content();
    tell_callers(d.number, *d.answer);
    park(d);
  }

  utc_time end_of_life() const {
    return utc_now() + std::chrono::duration_cast<utc_time::duration>(store->limits.retention);
  }

  /// `of_a_run`: the answer speaks for the providers.
  void settled(std::int64_t number, const kept_answer_ptr& answer, bool of_a_run) {
    store->runs.erase(number);
    drop(number, answer && of_a_run);
    if (!answer) return; // it had one before
    ++store->stored;
    tell_callers(number, *answer);
  }

  /// Nothing is left to be asked.
  void drop(std::int64_t number, bool answered) {
    store->queue.done(number, answered);
    store->batches.pool.done(number);
  }

  void tell_callers(std::int64_t number, const kept_answer& answer) {
    auto node = store->callers.extract(number);
    if (!node) return;
    for (auto& c : node.mapped()) c->settle(answer);
  }

  void park(const journal_done& d) {
    if (take_back(d.number, d.run)) park(d.number, d.model, clock::now(), draw());
    go_on();
  }

  /// Else another run has it, or it has its answer.
  bool runs_in(std::int64_t number, request_id run) const {
    const auto it = store->runs.find(number);
    return it != store->runs.end() && it->second == run;
  }

  bool take_back(std::int64_t number, request_id run) { return runs_in(number, run) && store->runs.erase(number) > 0; }

  /// `model`: empty where its run did not come to know.
  void park(std::int64_t number, const std::string& model, instant now, double draw) {
    ++store->parks;
    if (!model.empty()) store->queue.belongs_to(number, model);
    store->queue.park(number, now, draw);
    wait_again(number);
  }

  void wait_again(std::int64_t number) {
    if (auto from = store->queue.ready_at(number)) store->batches.pool.wait(number, *from);
  }

  // -- batches of requests

  /// It waits for others, but not for long, and not once the batch is full.
  void gather(const journal_done& d) {
    if (!take_back(d.number, d.run)) return;
    const auto now = clock::now();
    auto& b = store->batches;
    b.pool.wait(d.number, now);
    store->queue.again(d.number, now + gather_for);
    if (const auto first = b.pool.first_of_full(d.number, b.models[d.gather].size.now(), now))
      store->queue.hasten(first, now);
    go_on();
  }

  /// One call for as many of these as it can take. False: the first one goes alone.
  bool run_together(std::vector<std::int64_t> all) {
    const auto first = store->file.unanswered(all.front());
    const auto who = first ? owner_of(*first) : std::nullopt;
    if (!who) return false;
    auto composer = batch_composer::begin(*first, *store->settings);
    if (!composer) return false;
    const auto most = store->batches.models[composer->model()].size.now();
    for (std::size_t i = 1; i < all.size() && composer->size() < most; ++i)
      if (auto r = store->file.unanswered(all[i]); r && !composer->add(*r)) break;
    if (composer->size() < 2) return false;
    auto [body, key, call] = std::move(*composer).finish();
    auto rec = record_of(priority::low, *who, -1); // a number of nobody's
    rec->merged = call.numbers.size();
    rec->in.id = call.name = new_request_name(rec->number);
    rec->in.body = std::move(body);
    rec->in.idempotency_key = std::move(key);
    rec->in.cache = cache_mode::off; // it is nobody's question
    call.began = rec->in.received;
    for (auto n : call.numbers) {
      store->batches.pool.leave(n);
      store->queue.join(n); // but for the first one, which has its place already
      store->runs[n] = rec->number;
    }
    // Who is left over, and enough for another call, need not wait for more either.
    const auto next = store->batches.pool.first_of_full(all.front(), most, call.began);
    if (next) store->queue.hasten(next, call.began);
    store->batches.calls[rec->number] = std::move(call);
    submit(rec);
    return true;
  }

  void batch_done(const letter<journal_done>& mail) {
    auto& d = mail.content();
    auto& call = store->batches.calls.at(d.run);
    const auto refused = d.answer ? refusal_of(*d.answer, utc_now()) : std::nullopt;
    if (!d.answer || !settles(*d.answer) || refused) {
      mail.opened();
      return batch_failed(d, refused);
    }
    auto outcome = take_apart(call, *d.answer, utc_now());
    write(
        [&]() -> effect {
          for (std::size_t i = 0; i < call.numbers.size(); ++i)
            if (auto& a = outcome.answers[i]; call.numbers[i] != 0 && a)
              store->file.answer(call.numbers[i], *a, utc_now(), end_of_life());
          return [=, this](fate f) { batch_over(mail, outcome, f); };
        },
        [=, this](fate f) { batch_over(mail, outcome, f); });
  }

  /// Those without an answer are asked alone, at once. Where nothing could be written, all are asked again.
  void batch_over(const letter<journal_done>& mail, const batch_outcome& outcome, fate f) {
    if (f == fate::died) return;
    mail.opened();
    const auto& d = mail.content();
    const auto call = std::move(store->batches.calls.extract(d.run).mapped());
    const auto now = clock::now();
    auto& model = store->batches.models[call.model];
    const auto pause = draw();
    for (std::size_t i = 0; i < call.numbers.size(); ++i) {
      const auto n = call.numbers[i];
      auto& a = outcome.answers[i];
      if (!runs_in(n, d.run)) continue; // called off, or its time is over
      if (f == fate::stored && a) {
        settled(n, a, true);
      } else if (f == fate::stored) {
        ask_alone(n, now);
      } else {
        if (a) tell_callers(n, *a);
        take_back(n, d.run);
        park(n, d.model, now, pause);
      }
    }
    if (f == fate::stored) {
      model.count(call, outcome);
      const auto got = outcome.answered();
      self->send(store->names->metrics, batch_report{call.model, got, outcome.answers.size() - got});
      outcome.cut_short ? model.size.too_large() : model.size.answered(now - call.began, call.limit);
    }
    go_on();
  }

  void ask_alone(std::int64_t number, instant now) {
    store->runs.erase(number);
    store->batches.pool.set_alone(number);
    store->queue.again(number, now);
  }

  /// The call itself, not the way to it: whoever waited for capacity or could not connect was not too large.
  static bool took_too_long(const kept_answer& a) {
    if (a.status != 504) return false;
    const auto* attempts = find_header(a.headers, "x-mainstay-attempts");
    if (attempts && *attempts == "0") return false;
    const auto said = read_error(a.status, a.headers, *a.body, std::chrono::system_clock::now());
    return said.code != to_string(failure_class::connect_timeout);
  }

  /// A refusal is about the batch: nobody knows which of them it means. A failure is nobody's fault, and they wait for
  /// better times together; but one whose time was over was too large.
  void batch_failed(const journal_done& d, const std::optional<failure_class>& refused) {
    const auto call = std::move(store->batches.calls.extract(d.run).mapped());
    const auto now = clock::now();
    const auto pause = draw();
    auto& model = store->batches.models[call.model];
    const bool too_large = refused == failure_class::context_length || (d.answer && took_too_long(*d.answer));
    if (too_large) model.size.too_large();
    if (refused && !too_large && refused != failure_class::content_filter)
      store->batches.pool.rest_group(call.shape, now + refused_rest);
    for (auto n : call.numbers) {
      if (!runs_in(n, d.run)) continue;
      if (refused) {
        ask_alone(n, now);
      } else {
        take_back(n, d.run);
        if (too_large) store->batches.pool.set_alone(n);
        park(n, d.model, now, pause);
      }
    }
    if (d.answer) ++model.failed; // else nobody wanted it any more, or the node ends
    go_on();
  }

  // -- outages

  journal_held hold(const std::vector<std::string>& models) {
    std::map<std::string, replay_queue::held_group> all;
    for (auto& g : store->queue.held()) all[g.name] = g;
    store->queue.hold(models, clock::now());
    for (auto& g : store->queue.held()) all[g.name] = g;
    go_on();
    journal_held out;
    for (auto& [name, g] : all) out.models.push_back({name, g.now, g.in_all});
    return out;
  }

  void let_try(const journal_try& t) {
    store->queue.let_try(t.model, t.permits);
    go_on();
  }

  // -- collecting and cancelling

  void unavailable(const std::shared_ptr<live_caller>& caller) {
    if (caller) caller->refuse(503, "journal_unavailable", "the journal cannot be read or written now");
  }

  void collect(const letter<journal_collect>& mail) {
    auto& q = mail.content();
    write(
        [&]() -> effect {
          return [=, this, known = store->file.find(q.client, q.id)](fate f) {
            if (f == fate::died) return;
            mail.opened();
            auto& caller = mail.content().caller;
            if (f == fate::failed) return unavailable(caller);
            if (!known) return caller->refuse(404, "unknown_id", "no durable request of this client has this id");
            attach(*known, caller);
          };
        },
        [=, this](fate f) {
          if (f == fate::died) return;
          mail.opened();
          unavailable(mail.content().caller);
        });
  }

  void cancel(const letter<journal_cancel>& mail) {
    auto& q = mail.content();
    write(
        [&]() -> effect {
          auto known = store->file.find(q.client, q.id);
          kept_answer_ptr ended;
          if (known && !known->answer) {
            auto a = error_answer(499, "cancelled", "the request was cancelled");
            a.headers = {{"x-request-id", known->name}};
            ended = std::make_shared<const kept_answer>(std::move(a));
            store->file.answer(known->number, *ended, utc_now(), end_of_life());
          }
          return [=, this](fate f) {
            if (f == fate::died) return;
            mail.opened();
            auto& caller = mail.content().caller;
            if (f == fate::failed) return unavailable(caller);
            if (!ended)
              return caller ? caller->refuse(404, "unknown_id", "no request with this id is in flight") : void();
            stop_run(known->number);
            settled(known->number, ended, false);
            if (caller) caller->settle(*ended);
          };
        },
        [=, this](fate f) {
          if (f == fate::died) return;
          mail.opened();
          unavailable(mail.content().caller);
        });
  }

  void stop_run(std::int64_t number) {
    const auto it = store->runs.find(number);
    if (it == store->runs.end()) return;
    const auto call = store->batches.calls.find(it->second);
    if (call != store->batches.calls.end() && !call->second.call_off(number)) return; // the others want it
    letter<caller_left>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher),
                              caller_left{it->second});
  }

  // -- answers to repeated requests

  void recall(const std::string& key, recall_promise promise) {
    auto without = [=](fate f) mutable {
      if (f == fate::died)
        promise.deliver(caf::make_error(caf::sec::request_receiver_down));
      else
        promise.deliver(repeat_recalled{});
    };
    write(
        [&]() -> effect {
          return [=, known = store->file.find_repeated(key, utc_now())](fate f) mutable {
            if (f != fate::stored) return without(f);
            promise.deliver(known ? repeat_recalled{true, known->fingerprint, known->answer}
                                  : repeat_recalled{true, "", nullptr});
          };
        },
        without);
  }

  void keep(const letter<repeat_keep>& mail) {
    auto& k = mail.content();
    auto end = [=](fate f) {
      if (f != fate::died) mail.opened(); // a disk that fails forgets it: the book has it for a while
    };
    write(
        [&]() -> effect {
          if (store->file.bytes_in_use() < store->limits.size / 2) // the rest is for durable requests
            store->file.keep_repeated(k.key, k.fingerprint, *k.answer, utc_now(), end_of_life());
          return end;
        },
        end);
  }

  /// Answered when everything that came before is on disk, or cannot be.
  void flush(caf::typed_response_promise<bool> promise) {
    const auto end = [promise](fate f) mutable {
      if (f == fate::died)
        promise.deliver(caf::make_error(caf::sec::request_receiver_down));
      else
        promise.deliver(true);
    };
    write([&]() -> effect { return end; }, end);
  }

  // -- running again

  /// After everything that may have changed who runs next.
  void go_on() {
    if (open) return; // its end comes here too
    const auto now = clock::now();
    while (!store->failing) {
      auto n = store->queue.next(now);
      if (!n) break;
      try {
        auto together = store->batches.pool.companions(*n, batch_size::most, now);
        if (together.size() < 2 || !run_together(std::move(together))) run(*n);
      } catch (const sqlite::error& e) {
        store->queue.park(*n, now, draw());
        wait_again(*n);
        return fail(e);
      }
    }
    arm();
  }

  void run(std::int64_t number) {
    store->batches.pool.leave(number);
    auto r = store->file.unanswered(number);
    if (!r) return drop(number, false);
    const auto who = owner_of(*r);
    if (!who) { // perhaps a later configuration knows it
      store->queue.put_off(number, clock::now(), draw());
      return wait_again(number);
    }
    auto rec = record_of(r->level, *who, number);
    store->runs[number] = rec->number;
    auto& in = rec->in;
    in.id = r->name;
    in.cache = static_cast<cache_mode>(r->cache);
    in.body = r->body;
    in.idempotency_key = r->upstream_key;
    rec->durable_id = r->id;
    submit(rec);
  }

  /// Null where no clients are configured; none: the configuration does not know it.
  std::optional<const config::client_settings*> owner_of(const journal_request& r) const {
    auto& clients = store->settings->clients;
    for (auto& c : clients)
      if (c.name == r.client) return &c;
    if (clients.empty() && r.client == inbound{}.client_name()) return nullptr;
    return std::nullopt;
  }

  /// For another run of what is here already.
  std::shared_ptr<run_record> record_of(priority level, const config::client_settings* client, std::int64_t number) {
    auto rec = std::make_shared<run_record>();
    rec->number = new_request_number();
    auto& in = rec->in;
    in.settings = store->settings;
    in.client = client;
    in.level = level;
    in.received = clock::now();
    in.deadline = in.received + in.settings->deadline;
    rec->durable = std::make_shared<journal_channel>(store->names->journal, number, rec->number);
    rec->durable->asked = true;
    rec->admitted_once = true;
    in.reply = rec->durable;
    return rec;
  }

  void submit(const run_record_ptr& rec) {
    ++store->replayed;
    letter<submission>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), submission{rec});
  }

  // -- time

  void arm() {
    auto next = store->failing ? try_disk_at : expire_at; // what cannot be written does not expire
    if (!store->callers.empty()) next = std::min(next, clock::now() + look_at_callers_every);
    if (auto due = store->queue.due(); due && !store->failing) next = std::min(next, *due);
    if (armed <= next) return;
    armed = next;
    send_at(self, next, run_wake{++generation});
  }

  void on_time() {
    armed = instant::max();
    const auto now = clock::now();
    end_late_callers(now);
    if (store->failing && now >= try_disk_at) try_disk(now);
    if (!store->failing && now >= expire_at) expire(now);
    go_on();
    arm();
  }

  /// Their wait ends, their requests go on.
  void end_late_callers(instant now) {
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
  void try_disk(instant now) {
    try_disk_at = now + try_disk_every;
    write(
        [this]() -> effect {
          store->file.write_a_sign(utc_now());
          return [this](fate f) {
            if (f == fate::stored && std::exchange(store->failing, false))
              spdlog::info("journal {} is written again", store->file.path());
          };
        },
        [](fate) {});
  }

  void expire(instant now) {
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

  void expired(const journal_file::expired& gone) {
    store->requests -= std::min<std::uint64_t>(store->requests, gone.requests);
    for (auto n : gone.unanswered) {
      ++store->expired;
      stop_run(n);
      store->runs.erase(n);
      drop(n, false);
      tell_callers(n, error_answer(504, "expired", "no answer came before the request's retention ended"));
    }
    if (!gone.unanswered.empty())
      spdlog::warn("journal: {} requests had no answer when their retention ended", gone.unanswered.size());
  }

  journal_view view() {
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

  std::string state_of(const journal_file::row& r) const {
    return r.status == 0 ? "pending" : "answered " + std::to_string(r.status);
  }
};

journal_actor::behavior_type behave(journal_actor::stateful_pointer<journal_state> self,
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
        auto promise = self->make_response_promise<accept_promise>();
        st.accept(a.record, promise);
        return promise;
      },
      [&st](const letter<journal_done>& mail) { st.done(mail); },
      [&st](const letter<journal_collect>& mail) { st.collect(mail); },
      [&st](const letter<journal_cancel>& mail) { st.cancel(mail); },
      [&st, self](const repeat_recall& r) -> caf::result<repeat_recalled> {
        auto promise = self->make_response_promise<recall_promise>();
        st.recall(r.key, promise);
        return promise;
      },
      [&st](const letter<repeat_keep>& mail) { st.keep(mail); },
      [&st, self](const journal_flush&) -> caf::result<bool> {
        auto promise = self->make_response_promise<caf::typed_response_promise<bool>>();
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
    spdlog::error("journal {}; it was moved to {} and a new one begun", broken.what, broken.moved_to);
  requests = static_cast<std::uint64_t>(file.count().requests);
  for (auto& r : file.all_unanswered()) {
    const auto from = instant_of(r.ready);
    queue.add(r.number, r.level, from);
    if (r.shape.empty()) continue;
    batches.pool.add(r.number, r.shape);
    batches.pool.wait(r.number, from);
  }
  if (queue.size() > 0)
    spdlog::info("journal {}: {} requests without an answer are run again", file.path(), queue.size());
}

caf::strong_actor_ptr spawn_journal(caf::actor_system& sys, std::shared_ptr<journal_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn<caf::detached>(behave, std::move(store)));
}

} // namespace mainstay
