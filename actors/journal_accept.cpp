// What it takes in: requests that are on disk before their callers hear so.
#include "actors/journal_state.hpp"
#include "net/sha256.hpp"

#include <algorithm>

namespace mainstay {

namespace {

journal_verdict verdict_of(journal_verdict::way w) { return {w, 0, "", "", ""}; }

} // namespace

void journal_state::refuse(accept_promise& promise, fate f) {
  ++store->refused;
  if (f == fate::died) {
    promise.deliver(caf::make_error(caf::sec::request_receiver_down));
    return;
  }
  promise.deliver(journal_verdict{journal_verdict::way::refused, 503, "journal_unavailable",
                                  "the journal cannot be written: nothing was accepted", ""});
}

void journal_state::accept(const run_record_ptr& rec, accept_promise promise) {
  if (rec->durable->over()) { // called off, say
    promise.deliver(verdict_of(journal_verdict::way::left));
    return;
  }
  write([&] { return take_in(rec, promise); }, [=, this](fate f) mutable { refuse(promise, f); });
}

journal_state::effect journal_state::take_in(const run_record_ptr& rec, accept_promise promise) {
  auto& in = rec->in;
  const auto client = in.client_name();
  const auto table = in.particular().placeholders ? in.particular().placeholders->to_text() : std::string();
  auto print = sha256(*in.body + table); // with other values it is another request
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
  if (fullness() >= 1)
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
  r.kind = static_cast<std::uint8_t>(in.kind);
  r.region = in.particular().region;
  r.placeholders = table;
  r.body = in.body;
  const auto number = store->file.add(r);
  return [=, this, ready = r.ready](fate f) mutable {
    if (f != fate::stored) return refuse(promise, f);
    ++store->requests;
    begin(number, rec, ready, promise);
  };
}

/// The share of its bounds that is used; at 1 nothing more is accepted.
double journal_state::fullness() {
  const auto share = [](std::uint64_t part, std::uint64_t all) {
    return static_cast<double>(part) / static_cast<double>(all);
  };
  return std::max(share(store->requests, store->limits.entries), share(store->file.bytes_in_use(), store->limits.size));
}

/// It is on disk.
void journal_state::begin(std::int64_t number, const run_record_ptr& rec, utc_time ready, accept_promise& promise) {
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
void journal_state::forget(std::int64_t number) {
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

void journal_state::attach(const journal_file::known_request& k, const std::shared_ptr<live_caller>& caller) {
  caller->restores(placeholders::from_text(k.placeholders));
  if (k.answer) return caller->settle(*k.answer);
  caller->accepted(k.name);
  wait_for(k.number, caller);
}

void journal_state::wait_for(std::int64_t number, const std::shared_ptr<live_caller>& caller) {
  auto& all = store->callers[number];
  std::erase_if(all, [](auto& c) { return c->gone(); });
  all.push_back(caller);
}

} // namespace mainstay
