// The governor's interface: admissions, reservations and their ends, and the news that change who may send.
#include "core/rate_governor.hpp"

#include "core/governor_body.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr duration unset_expiry = 10min;     // of a reservation whose owner named none: it still must not live for ever
constexpr duration longest_reset = 24h;      // what a provider says beyond that is not believed
constexpr duration unsaid_reset = 1s;        // "remaining" without "reset": the next answer will tell
constexpr duration short_window = 10s;       // of a limit that cannot wait for an answer to be stamped
constexpr duration concurrency_retry = 1s;   // nobody knows when a client's own request ends
constexpr duration patience_at_door = 300ms; // for the answer of another node
constexpr std::size_t most_undecided = 1000; // beyond, whoever finds no room here is refused

instant or_default(instant expires, instant now) { return expires == instant{} ? now + unset_expiry : expires; }

level_weights weights_of(const governor_settings& s) {
  return {s.level_weights[0], s.level_weights[1], s.level_weights[2]};
}

} // namespace

std::string_view to_string(refusal_reason why) noexcept {
  switch (why) {
  case refusal_reason::no_key: return "no_key";
  case refusal_reason::resting: return "resting";
  case refusal_reason::over_limit: return "over_limit";
  case refusal_reason::queue_full: return "queue_full";
  case refusal_reason::backlog: return "backlog";
  case refusal_reason::retry_budget: return "retry_budget";
  }
  return "unknown";
}

governor::governor(governor_settings s) : body_(std::make_unique<body>(std::move(s))) {}
governor::~governor() = default;
governor::governor(governor&&) noexcept = default;
governor& governor::operator=(governor&&) noexcept = default;

governor::body::body(governor_settings s) : budget(s.retry_budget), adaptive(s.adaptive) { reconfigure(std::move(s)); }

void governor::body::reconfigure(governor_settings s) {
  settings = std::move(s);
  weights = weights_of(settings);
  budget.reconfigure(settings.retry_budget);
  adaptive.reconfigure(settings.adaptive);
  const auto waiting = book.waiters();
  room.clear(all);
  routes.clear();
  all.reconfigure(settings, last_seen);
  if (quotas) share_limits();
  std::erase_if(all.held_models, [](auto& g) { return !g.second->holds(); });
  for (auto* w : waiting) { // everybody joins anew, in the order of arrival
    std::vector<std::string> names;
    for (const auto& c : w->way->candidates)
      if (std::binary_search(w->excluded.begin(), w->excluded.end(), c.key->id)) names.push_back(c.key->name);
    w->promised_by = nullptr;
    w->way = routes.of(std::vector<target>(w->way->targets), all);
    capacity::exclude(*w->way, names, w->excluded);
    if (w->held_by && !w->held_by->holds()) w->held_by.reset();
    room.join(*w, lane_of(*w));
    room.wake(static_cast<wakeable&>(*w->in));
  }
}

lane governor::body::lane_of(const waiter& w) {
  return {w.excluded, capacity::is_outsize(*w.way, w.tokens), w.held_by ? w.held_by->serial : 0};
}

void governor::reconfigure(governor_settings s) { body_->reconfigure(std::move(s)); }

client_admission governor::admit(lease_id id, const std::string& name, std::uint64_t tokens, instant expires,
                                 instant now, const std::string& address) {
  auto& b = *body_;
  b.last_seen = now;
  if (const auto* held = b.book.find_admission(id)) return held->answer;
  if (const auto spent = b.spent.find(name); spent != b.spent.end() && spent->second > now) {
    client_admission no;
    no.admitted = false;
    no.limit = "budget";
    no.retry_after = spent->second - now;
    return no;
  }
  const auto found = b.all.clients.find(name);
  if (found == b.all.clients.end() || found->second->absent) return {};
  if (found->second->meter.limits().none() && found->second->addresses.limits().none()) return {};
  const body::at_door who{id, name, address, tokens, or_default(expires, now), now + patience_at_door};
  auto answer = b.judge(*found->second, who, now);
  std::erase_if(b.undecided, [&](auto& u) { return u.id == id; });
  answer.undecided = answer.undecided && b.undecided.size() < most_undecided;
  if (answer.undecided) {
    b.undecided.push_back(who);
    found->second->demand->somebody_waits();
    b.tell_demand(now); // at once: of whom nothing is to be asked, the next tick decides
  } else {
    b.enter(found->second, who, answer, now);
  }
  return answer;
}

client_admission governor::body::judge(client_entry& client, const at_door& who, instant now) {
  auto& meter = client.meter;
  client_admission answer;
  auto slow = std::max(meter.rpm().fits_at(1, 0, now), meter.rps().fits_at(1, 0, now));
  auto short_of_tokens = meter.tpm().fits_at(who.tokens, 0, now);
  const auto& places = meter.limits().concurrency;
  bool no_place = places && meter.in_flight() >= *places;
  const auto no = client.addresses.refuses(who.address, now);
  if (auto* shared = meter.shared(); shared && slow <= now && short_of_tokens <= now && !no_place && !no.limit) {
    slow = shared->requests_fit_at({}, now);
    short_of_tokens = shared->tokens_fit_at({who.tokens}, now);
    no_place = shared->call_fits_at(now) > now;
    answer.undecided = slow > now || short_of_tokens > now || no_place;
  }
  if (slow > now)
    answer.limit = "requests";
  else if (short_of_tokens > now)
    answer.limit = "tokens";
  else if (no_place)
    answer.limit = "concurrency";
  auto later = std::max(slow, short_of_tokens);
  if (answer.limit.empty() && no.limit) {
    answer.limit = no.limit;
    answer.of_address = true;
    later = no.fits_at;
  }
  answer.admitted = answer.limit.empty();
  if (!answer.admitted) {
    const bool known = later > now && later != instant::max();
    answer.retry_after = known ? std::min<duration>(later - now, longest_reset) : concurrency_retry;
  }
  return answer;
}

void governor::body::enter(const std::shared_ptr<client_entry>& client, const at_door& who, client_admission& answer,
                           instant now) {
  auto& meter = client->meter;
  answer.undecided = false;
  if (answer.admitted) {
    auto tickets = meter.take(who.tokens, now);
    meter.stamp(tickets, now); // a client is charged for asking; how long the answer takes is not its request rate
    book.add(
        client_lease{who.id, client, std::move(tickets), client->addresses.take(who.address, now), who.expires, {}});
  }
  const auto left = [&](windowed_limit& window, const std::shared_ptr<quota_share>& here) {
    return here ? std::min(window.remaining(now), here->room(now)) : window.remaining(now);
  };
  const auto* shared = meter.shared();
  const bool by_minute = meter.rpm().limit().has_value();
  auto& requests = by_minute ? meter.rpm() : meter.rps();
  if (const auto& limit = requests.limit()) {
    answer.limit_requests = static_cast<std::uint32_t>(*limit);
    answer.remaining_requests = static_cast<std::uint32_t>(left(requests, !shared     ? nullptr
                                                                          : by_minute ? shared->rpm
                                                                                      : shared->rps));
    answer.reset_requests = requests.log().empty_at(now) - now;
  }
  if (const auto& limit = meter.tpm().limit()) {
    answer.limit_tokens = *limit;
    answer.remaining_tokens = left(meter.tpm(), shared ? shared->tpm : nullptr);
    answer.reset_tokens = meter.tpm().log().empty_at(now) - now;
  }
  if (auto* held = book.find_admission(who.id)) held->answer = answer;
}

capacity_answer governor::acquire(const capacity_request& r, instant now) {
  body_->last_seen = now;
  return body_->acquire(r, now);
}

capacity_answer governor::body::acquire(const capacity_request& r, instant now) {
  if (const auto* held = book.find_lease(r.id)) return grant_of(*held);
  bool charged = false; // by the question that this one replaces
  if (auto* w = book.find_waiter(r.id)) {
    room.leave(*w);
    book.take_waiter(r.id);
    charged = true;
  }
  const auto way = routes.of(r.targets, all);
  if (!r.wait_for_circuits && capacity::all_behind(*way, now))
    return refusal{r.id, refusal_reason::resting, now}; // as a last resort they may be asked at once
  excluded.clear();
  if (!r.excluded_keys.empty()) capacity::exclude(*way, r.excluded_keys, excluded);
  const auto over_budget = [&]() -> capacity_answer {
    const auto rate = settings.retry_budget.min_per_second;
    const auto next = std::chrono::duration<double>(rate > 0.01 ? 1 / rate : 0);
    return refusal{r.id, refusal_reason::retry_budget,
                   rate > 0.01 ? now + std::chrono::duration_cast<duration>(next) : instant::max()};
  };
  const auto left_free = reserve.share(r.level, 0s);
  const bool crowded = !way->group->lanes.empty();
  const auto held_by = all.gate_of(r.model);
  const bool held_back = held_by && held_by->closed(now);
  const auto my_lane = [&]() -> lane {
    return {excluded, capacity::is_outsize(*way, r.tokens), held_by ? held_by->serial : 0};
  };
  lane mine;
  if (crowded) mine = my_lane();
  if (!held_back && (!crowded || !waiting_room::find(*way, mine))) {
    if (const auto c = all.choose(*way, {excluded, r.tokens, nullptr, left_free}, now); c.pair) {
      if (!charged && !charge(r, now)) return over_budget();
      return lend(r.id, c, *way, r.tokens, or_default(r.expires, now), held_by, now);
    }
  }
  all.look_ahead(*way, {excluded, r.tokens, nullptr, left_free}, now, ahead);
  if (held_back) {
    ahead.free_now = false;
    ahead.obstacles.push_back({held_by.get(), held_by->opens_at(now)});
  }
  const bool outage = held_by && held_by->state.phase == outage_phase::down;
  const bool moves_on = !r.wait_for_circuits && ((outage && held_back) || capacity::every_circuit_open(*way, now));
  if (ahead.hopeless(r.wait_until) || r.wait_until <= now || moves_on) {
    const auto why = !ahead.alive    ? refusal_reason::no_key
                     : ahead.resting ? refusal_reason::resting
                                     : refusal_reason::over_limit;
    return refusal{r.id, why, ahead.alive && ahead.not_before > now ? ahead.not_before : instant::max(), outage};
  }
  if (const auto* p =
          crowded && !held_by ? waiting_room::find(*way, mine) : nullptr) { // no estimate while load returns
    queue_place place{r.client, r.level, now, r.wait_until, 0};
    const auto wait = backlog(*p, place, now);
    const bool full = room.size() >= settings.queue_capacity;
    if (full || (!ahead.free_now && in_vain(wait, r.wait_until, now))) // else the others wait for more than it needs
      return refusal{r.id, full ? refusal_reason::queue_full : refusal_reason::backlog,
                     wait ? now + *wait : instant::max()};
  }
  if (room.size() >= settings.queue_capacity) return refusal{r.id, refusal_reason::queue_full, instant::max()};
  if (!charged && !charge(r, now)) return over_budget();
  if (!crowded) mine = my_lane();
  return enqueue(r, way, std::move(mine), now);
}

capacity_answer governor::body::enqueue(const capacity_request& r, const std::shared_ptr<route>& way, lane mine,
                                        instant now) {
  auto fresh = std::make_unique<waiter>();
  fresh->client = r.client;
  fresh->level = r.level;
  fresh->since = now;
  fresh->wait_until = std::min(r.wait_until, instant::max() - duration{1}); // "never" is later than anybody waits
  fresh->id = r.id;
  fresh->tokens = r.tokens;
  fresh->model = r.model;
  fresh->held_by = all.gate_of(r.model);
  fresh->expires = or_default(r.expires, now);
  fresh->way = way;
  fresh->excluded = mine.excluded;
  auto& w = book.add(std::move(fresh));
  room.join(w, std::move(mine));
  for (const auto& o : ahead.obstacles) room.hold_up(*w.in, o);
  if (left_free_by(w, now) > 0) room.hold_up(*w.in, {nullptr, now + load_reserve::longest_hold});
  room.put_back(*w.in, ahead.free_now); // it could go, but others came first: the next tick sees to them all
  return queued{r.id};
}

bool governor::body::charge(const capacity_request& r, instant now) {
  if (r.charge_retry && !budget.try_withdraw(now)) return false;
  if (r.first_attempt) budget.on_first_attempt(now);
  return true;
}

grant governor::body::lend(lease_id id, const choice& c, const route& way, std::uint64_t tokens, instant expires,
                           std::shared_ptr<model_gate> held_by, instant now) {
  way.group->served.count(now);
  auto& pair = *c.pair;
  auto& provider = pair.key->provider;
  auto& account = *pair.key->account;
  auto& learned = pair.learned->limits;
  ++provider->in_use;
  ++account.in_flight;
  account.month.take(all.today, now);
  notes_due = notes_due || !account.month.noted();
  if (held_by && !held_by->holds()) held_by.reset();
  if (held_by) ++held_by->in_flight;
  const auto gap = learned.pace().take(now);
  return grant_of(
      book.add(key_lease{id, c.target, pair.key, pair.meter, provider, pair.learned,
                         pair.meter->meter.take(tokens, now), learned.take(tokens), provider->hour.reserve(1), now, gap,
                         expires, std::move(held_by), false, account.shared ? account.shared->take(0, now) : nullptr}));
}

grant governor::body::grant_of(const key_lease& l) {
  auto& meter = l.meter->meter;
  auto& learned = l.learned->limits;
  const bool windows = meter.limits_rate() || learned.limits_rate() || l.provider->hour.limit();
  const bool short_ones = meter.limits().rps || (learned.limits_rate() && learned.requests().span() < short_window);
  auto send_by = l.call ? l.call->send_by() : instant::max();
  if (l.tickets.shared) send_by = std::min(send_by, l.tickets.shared->send_by());
  return {l.id, l.target, l.key->name, windows, short_ones, send_by};
}

void governor::sent(lease_id id, instant at) {
  auto* held = body_->book.find_lease(id);
  if (!held || std::exchange(held->sent, true)) return;
  auto& learned = held->learned->limits;
  held->meter->meter.stamp(held->tickets, at);
  learned.stamp(held->taught, at);
  held->provider->hour.log().stamp(held->hour_ticket, at);
  // Those in line may have waited for just this: now it is known when the entry ages out.
  const auto look_then = [&](gate& line_of, duration window) {
    if (!line_of.line.empty() && at + window < line_of.due) body_->room.alarm(line_of, at + window);
  };
  look_then(*held->meter, (held->meter->meter.limits().rps ? duration{1s} : duration{60s}) + body_->settings.margin);
  look_then(*held->learned, std::min(learned.requests().span(), learned.tokens().span()));
  look_then(*held->provider, held->provider->hour.log().window());
}

void governor::settle(lease_id id, const settlement& s, instant now) {
  auto& b = *body_;
  b.last_seen = now;
  if (auto held = b.book.take_lease(id))
    b.end(std::move(*held), s, now);
  else if (auto admission = b.book.take_admission(id))
    b.end(std::move(*admission), s, now);
  else if (!b.undecided.empty())
    std::erase_if(b.undecided, [&](auto& u) { return u.id == id; });
}

void governor::body::end(key_lease l, const settlement& s, instant now) {
  // What was told to be sent cannot be unsent: a contradiction is decided for the limit.
  const bool sent = s.was_sent || l.sent;
  const auto at = std::clamp(s.sent_at.value_or(now), l.granted, std::max(now, l.granted));
  auto& account = *l.key->account;
  l.meter->meter.give_back(l.tickets, sent, s.tokens, at);
  l.learned->limits.give_back(l.taught, sent, s.tokens.value_or(l.tickets.tokens), at);
  if (sent) {
    l.provider->hour.log().stamp(l.hour_ticket, at);
    learn_from(l, s, now);
  } else {
    l.provider->hour.log().withdraw(l.hour_ticket);
    account.month.give_back();
    notes_due = notes_due || account.month.limit();
  }
  if (l.call) l.call->end(sent, {}, at);
  --l.provider->in_use;
  --account.in_flight;
  if (s.success) adaptive.on_outcome(*s.success);
  if (l.returning) {
    --l.returning->in_flight;
    room.wake(static_cast<gate&>(*l.returning));
  }
  room.wake(static_cast<gate&>(*l.meter));
  room.wake(static_cast<gate&>(*l.learned));
  room.wake(static_cast<gate&>(account));
  room.wake(static_cast<gate&>(*l.provider));
}

/// A 429 beyond what the configured and the told limits explain is one of pace.
void governor::body::learn_from(const key_lease& l, const settlement& s, instant now) {
  auto& learned = l.learned->limits;
  if (s.success.value_or(false)) learned.pace().on_success(now);
  if (!s.rate_limited) return;
  auto& meter = l.meter->meter;
  const bool explained = !meter.rpm().fits(1, 0, now) || !meter.tpm().fits(l.tickets.tokens, 0, now) ||
                         !learned.requests().fits(1, now) || !learned.tokens().fits(l.tickets.tokens, now);
  if (explained) return;
  double even = learned.requests().even_rate();
  if (const auto& rpm = meter.limits().rpm; rpm && (even == 0 || *rpm / 60.0 < even)) even = *rpm / 60.0;
  learned.pace().on_refused(l.granted, l.gap, even, now);
}

void governor::body::end(client_lease l, const settlement& s, instant now) {
  l.client->meter.give_back(l.tickets, s.was_sent, s.tokens, now);
  address_meters::give_back(l.address, s.was_sent, now);
}

void governor::body::sweep(instant now) {
  while (const auto id = book.expired(now)) {
    if (const auto* l = book.find_lease(*id); l && l->expires <= now) end(*book.take_lease(*id), {}, now);
    if (const auto* a = book.find_admission(*id); a && a->expires <= now) end(*book.take_admission(*id), {}, now);
  }
}

void governor::keep(lease_id id, instant expires) { body_->book.keep(id, expires); }

void governor::release_owner(request_id request, instant now, serial_range which) {
  auto& b = *body_;
  b.last_seen = now;
  auto owned = b.book.take_owner(request, which);
  for (auto& w : owned.waiting) b.room.leave(*w);
  std::erase_if(b.undecided, [&](auto& u) { return u.id.request == request && which.holds(u.id.serial); });
  for (auto& l : owned.leases) b.end(std::move(l), {}, now); // nobody can tell any more whether it was sent
  for (auto& a : owned.admissions) b.end(std::move(a), {}, now);
}

void governor::withdraw(lease_id id) {
  auto& b = *body_;
  if (auto* w = b.book.find_waiter(id)) {
    b.room.leave(*w);
    b.book.take_waiter(id);
  } else if (auto held = b.book.take_lease(id)) { // the grant crossed this word on its way
    b.end(std::move(*held), {.was_sent = false}, b.last_seen);
  }
}

void governor::on_standing(const key_standing& s) {
  const auto found = body_->all.keys.find(s.key);
  if (found == body_->all.keys.end()) return;
  auto& key = *found->second;
  const bool same = key.standing.disabled == s.disabled && key.standing.not_before == s.not_before &&
                    key.standing.rest_until == s.rest_until;
  key.standing = s;
  if (!same && key.provider) body_->wake_all(*key.provider);
}

void governor::on_circuit(const circuit_news& news) {
  const auto found = body_->all.providers.find(news.provider);
  if (found == body_->all.providers.end()) return;
  found->second->on_circuit(news);
  for (auto& [serial, p] : found->second->interested) p->group->served.restart();
  body_->wake_all(*found->second);
}

void governor::on_model(const model_news& news, instant now) {
  body_->last_seen = now;
  const auto found = body_->all.providers.find(news.provider);
  if (found == body_->all.providers.end()) return;
  found->second->on_model(news, now);
  body_->wake_all(*found->second);
}

void governor::on_budgets(budget_news news) { body_->spent = std::move(news.spent); }

void governor::on_outage(const outage_news& news, instant now) {
  auto& b = *body_;
  b.last_seen = now;
  auto& gate = b.all.held_models[news.model];
  if (!gate) {
    if (news.phase == outage_phase::up) {
      b.all.held_models.erase(news.model);
      return;
    }
    gate = std::make_shared<model_gate>();
    gate->serial = b.all.next_gate++;
    gate->model = news.model;
  }
  const bool held = gate->holds();
  gate->state = news;
  gate->state.full = std::max(news.full, 1u);
  if (gate->holds() && !held)
    for (auto* w : b.book.waiters()) { // who came before it is held back with those who come
      if (w->model != news.model) continue;
      b.room.leave(*w);
      w->held_by = gate;
      b.room.join(*w, body::lane_of(*w));
      b.room.wake(static_cast<wakeable&>(*w->in));
    }
  if (held && !gate->holds())
    for (auto* w : b.book.waiters())
      if (w->held_by == gate) w->way->group->served.restart(); // what got through under it says nothing any more
  b.room.wake(static_cast<mainstay::gate&>(*gate));
}

void governor::on_provider_limits(const provider_limits& said, instant now) {
  body_->last_seen = now;
  const auto found = body_->all.keys.find(said.key);
  if (found == body_->all.keys.end()) return;
  const auto& gate = found->second->meter_for(said.model);
  if (!gate) return;
  auto& meter = gate->meter;
  auto& learned = found->second->learned_for(said.model, body_->all.next_gate).limits;
  const auto in = [margin = body_->settings.margin](const std::optional<duration>& reset) {
    return std::clamp<duration>(reset.value_or(unsaid_reset), duration::zero(), longest_reset) + margin;
  };
  const auto hear = [&](std::uint64_t left, const std::optional<std::uint64_t>& limit, duration reset,
                        std::optional<std::uint64_t> ours, windowed_limit& window, told_limit& told) {
    if (limit && (!ours || *limit < *ours))
      told.learn(*limit, left, reset, now);
    else if (ours)
      window.learn(std::min(left, *ours) + (*window.limit() - *ours), now + reset, now); // a burst comes on top
    else
      told.learn(left, reset, now);
  };
  const auto& ours = meter.limits();
  if (said.remaining_requests)
    hear(*said.remaining_requests, said.limit_requests, in(said.reset_requests), ours.rpm, meter.rpm(),
         learned.requests());
  if (said.remaining_tokens)
    hear(*said.remaining_tokens, said.limit_tokens, in(said.reset_tokens), ours.tpm, meter.tpm(), learned.tokens());
}

void governor::set_pressure(load_pressure p) {
  if (std::exchange(body_->reserve.pressure, p) == p) return;
  for (auto& [name, provider] : body_->all.providers) body_->wake_all(*provider);
}

int governor::max_retries(int configured) const noexcept { return body_->adaptive.max_retries(configured); }

} // namespace mainstay
