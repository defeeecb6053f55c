// Who runs again, and when: in the order of core/replay_queue, alone or together, or not while their model is down.
#include "actors/jitter.hpp"
#include "actors/journal_state.hpp"

namespace mainstay {

/// After everything that may have changed who runs next.
void journal_state::go_on() {
  if (open) return; // its end comes here too
  const auto now = clock::now();
  while (!store->failing && !store->draining) {
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

void journal_state::run(std::int64_t number) {
  store->batches.pool.leave(number);
  auto r = store->file.unanswered(number);
  if (!r) return drop(number, false);
  const auto who = owner_of(*r);
  if (who && *who && (*who)->revoked) return end_revoked(*r);
  if (!who) { // perhaps a later configuration knows it
    store->queue.put_off(number, clock::now(), draw());
    return wait_again(number);
  }
  auto rec = record_of(*who ? std::max(r->level, (*who)->highest) : r->level, *who, number);
  store->runs[number] = rec->number;
  auto& in = rec->in;
  if (in.particular().region.empty() && !r->region.empty()) in.make_particular().region = r->region;
  in.id = r->name;
  in.cache = static_cast<cache_mode>(r->cache);
  in.kind = static_cast<request_kind>(r->kind);
  in.body = r->body;
  in.idempotency_key = r->upstream_key;
  rec->durable_id = r->id;
  submit(rec);
}

/// Null where no clients are configured; none: the configuration does not know it.
std::optional<const config::client_settings*> journal_state::owner_of(const journal_request& r) const {
  auto& clients = store->settings->clients;
  for (auto& c : clients)
    if (c.name == r.client) return &c;
  if (clients.empty() && r.client == inbound{}.client_name()) return nullptr;
  return std::nullopt;
}

/// 401 is its answer, for whoever waits for it or is its client again.
void journal_state::end_revoked(const journal_request& r) {
  auto answer = error_answer(401, "client_revoked", revoked_words);
  answer.headers = {{"x-request-id", r.name}};
  const auto number = r.number;
  write(
      [=, this, ended = std::make_shared<const kept_answer>(std::move(answer))]() -> effect {
        store->file.answer(number, *ended, utc_now(), end_of_life());
        return [=, this](fate f) {
          if (f != fate::stored) return store->queue.put_off(number, clock::now(), draw());
          stop_run(number);
          settled(number, ended, false);
        };
      },
      [=, this](fate) { store->queue.put_off(number, clock::now(), draw()); });
}

/// What somebody waits for; the rest is ended in its turn.
void journal_state::tell_revoked() {
  std::vector<journal_request> ended;
  try {
    for (auto& [number, callers] : store->callers)
      if (auto r = store->file.unanswered(number))
        if (const auto who = owner_of(*r); who && *who && (*who)->revoked) ended.push_back(std::move(*r));
  } catch (const sqlite::error& e) { return fail(e); }
  for (auto& r : ended) end_revoked(r);
}

/// For another run of what is here already.
std::shared_ptr<run_record> journal_state::record_of(priority level, const config::client_settings* client,
                                                     std::int64_t number) {
  auto rec = std::make_shared<run_record>();
  rec->number = new_request_number();
  auto& in = rec->in;
  in.settings = store->settings;
  in.client = client;
  if (client && !client->region.empty()) in.make_particular().region = client->region;
  in.level = level;
  in.received = clock::now();
  in.deadline = in.received + in.settings->deadline;
  rec->durable = std::make_shared<journal_channel>(store->names->journal, number, rec->number);
  rec->admitted_once = true;
  in.reply = rec->durable;
  return rec;
}

void journal_state::submit(const run_record_ptr& rec) {
  ++store->replayed;
  letter<submission>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), submission{rec});
}

journal_held journal_state::hold(const std::vector<std::string>& models) {
  std::map<std::string, replay_queue::held_group> all;
  for (auto& g : store->queue.held()) all[g.name] = g;
  store->queue.hold(models, clock::now());
  for (auto& g : store->queue.held()) all[g.name] = g;
  go_on();
  journal_held out;
  for (auto& [name, g] : all) out.models.push_back({name, g.now, g.in_all});
  return out;
}

void journal_state::let_try(const journal_try& t) {
  store->queue.let_try(t.model, t.permits);
  go_on();
}

} // namespace mainstay
