// The governor as one of several: which limits are shared with the other nodes and by what names, who waits for room
// in them, and the moment that a client's request may wait for it at the door.
#include "core/governor_body.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr duration longest_request = 10min; // of a client, as far as its calls at once go: what is held on a loan

void name_limits(std::map<std::string, quota_terms, std::less<>>& out, const std::string& of, const limit_set& l,
                 duration margin, duration longest) {
  const auto add = [&](const char* which, std::uint64_t limit, duration window, bool held) {
    out[of + which] = {limit, window, held};
  };
  if (l.rpm) add("/rpm", *l.rpm, 60s + margin, false);
  if (l.rps) add("/rps", *l.rps, 1s + margin, false);
  if (l.tpm) add("/tpm", *l.tpm, 60s + margin, false);
  if (l.concurrency) add("/concurrency", *l.concurrency, longest, true);
}

} // namespace

void governor::join(quota_cluster cluster, std::optional<quota_past> past, instant now) {
  auto& b = *body_;
  b.last_seen = now;
  b.quotas = std::make_unique<quota_book>(std::move(cluster), std::move(past), now,
                                          [&b](std::string_view name) -> std::optional<quota_terms> {
                                            const auto found = b.terms.find(name);
                                            return found == b.terms.end() ? std::nullopt : std::optional(found->second);
                                          });
  b.share_limits();
}

quota_book* governor::quotas() noexcept { return body_->quotas.get(); }

std::optional<quota_note> governor::quota_legacy(utc_time today, instant now) const {
  const auto* book = body_->quotas.get();
  if (!book || book->cluster().size() < 2 || book->awaits_word()) return {};
  return quota_note{today, true, book->legacy(now)};
}

void governor::on_quotas() {
  for (auto* line : body_->demand)
    if (line->at) body_->room.wake(*line->at);
}

/// Names are the same on all nodes, whatever else differs in their configurations.
std::map<std::string, quota_terms, std::less<>> governor::body::shared_terms() const {
  std::map<std::string, quota_terms, std::less<>> out;
  for (const auto& k : settings.keys) {
    const auto of = [&](const governor_settings::provider& p) { return p.name == k.provider; };
    const auto p = std::find_if(settings.providers.begin(), settings.providers.end(), of);
    const auto longest = p == settings.providers.end() ? longest_request : p->longest_call;
    const auto name = "key/" + k.name;
    name_limits(out, name, k.limits, settings.margin, longest);
    for (const auto& [pattern, limits] : k.models)
      name_limits(out, name + "/" + pattern, limits, settings.margin, longest);
  }
  for (const auto& c : settings.clients) name_limits(out, "client/" + c.name, c.limits, 0s, longest_request);
  return out;
}

void governor::body::share_limits() {
  terms = shared_terms();
  for (const auto& [name, share] : quotas->shares())
    if (!terms.contains(name)) share->set_demand(0, 0, last_seen); // nobody else tells it any more
  demand.clear();
  const auto share = [&](const std::string& name) -> std::shared_ptr<quota_share> {
    const auto found = terms.find(name);
    return found == terms.end() ? nullptr : quotas->share(found->first, found->second);
  };
  const auto all_of = [&](const std::string& of, bool calls) {
    auto s = std::make_unique<shared_limits>();
    s->rpm = share(of + "/rpm");
    s->rps = share(of + "/rps");
    s->tpm = share(of + "/tpm");
    if (calls) s->calls = share(of + "/concurrency");
    return s->none() ? nullptr : std::move(s);
  };
  const auto line_of = [&](shared_limits* limits, gate* at) -> std::unique_ptr<demand_line> {
    if (!limits) return nullptr;
    auto line = std::make_unique<demand_line>(demand_line{demand, *limits, at});
    line->somebody_waits(); // or did, before this reload
    return line;
  };
  const auto give = [&](meter_gate& to, std::unique_ptr<shared_limits> s) {
    to.demand = line_of(s.get(), &to);
    to.meter.share(std::move(s));
  };
  for (auto& [name, key] : all.keys) {
    if (key->absent) continue;
    const auto of = "key/" + name;
    give(*key->own, all_of(of, false)); // its calls are counted by its account, which binds all models
    for (auto& m : key->models)
      if (!m.absent) give(*m.meter, all_of(of + "/" + m.pattern, true));
    auto calls = std::make_unique<shared_limits>();
    calls->calls = share(of + "/concurrency");
    key->account->shared = calls->none() ? nullptr : std::move(calls);
    key->account->demand = line_of(key->account->shared.get(), key->account.get());
  }
  for (auto& [name, client] : all.clients) {
    client->demand.reset();
    if (client->absent) continue;
    auto s = all_of("client/" + name, true);
    client->demand = line_of(s.get(), nullptr);
    client->meter.share(std::move(s));
  }
}

std::vector<quota_book::message> governor::quota_asks(instant now) {
  auto& b = *body_;
  if (!b.quotas) return {};
  b.last_seen = now;
  b.tell_demand(now);
  if (b.quotas->next_wake() > now) return {};
  auto asks = b.quotas->tick(now);
  b.decide_admissions(now); // now it is known whether anybody is asked at all
  return asks;
}

void governor::body::tell_demand(instant now) {
  for (const auto& u : undecided)
    if (const auto found = all.clients.find(u.client); found != all.clients.end() && found->second->demand)
      found->second->demand->count(1, u.tokens, u.tokens);
  std::erase_if(demand, [now](demand_line* line) {
    if (line->at)
      for (const auto* p : line->at->line)
        if (!p->queue.empty())
          line->count(p->queue.size(), p->tokens, static_cast<const waiter&>(p->queue.most_urgent()).tokens);
    line->limits.set_demand(line->requests, line->tokens, line->first, now);
    line->listed = line->at ? !line->at->line.empty() : line->requests > 0;
    line->requests = line->tokens = line->first = 0;
    return !line->listed;
  });
}

/// Who came first goes first; nobody waits longer than somebody else may still answer.
void governor::body::decide_admissions(instant now) {
  if (undecided.empty()) return;
  std::vector<const client_entry*> full;
  std::erase_if(undecided, [&](const at_door& u) {
    const auto found = all.clients.find(u.client);
    if (found == all.clients.end() || found->second->absent) {
      decided.emplace_back(u.id, client_admission{});
      return true;
    }
    auto& client = *found->second;
    const bool behind = std::find(full.begin(), full.end(), &client) != full.end();
    auto answer = judge(client, u, now);
    if (answer.admitted && behind && now < u.until) return false;
    if (!answer.admitted) {
      full.push_back(&client);
      const auto* shared = client.meter.shared();
      if (answer.undecided && now < u.until && shared && (shared->asking(now) || quotas->awaits_word())) return false;
    }
    enter(found->second, u, answer, now);
    decided.emplace_back(u.id, std::move(answer));
    return true;
  });
}

std::vector<std::pair<lease_id, client_admission>> governor::take_admissions() {
  return std::exchange(body_->decided, {});
}

} // namespace mainstay
