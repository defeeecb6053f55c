// A seeded random walk over everything that can happen to the governor, beside a naive reference that keeps every entry
// in lists. What must hold after every step is written as sentences below.
#include "core/glob.hpp"
#include "core/rate_governor.hpp"
#include "tests/support/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace mainstay::rate_governor_walk_test {
namespace {

struct options {
  bool mixed_tokens = false;   // else everybody asks for the same amount, so that none may be idle while somebody waits
  bool provider_words = false; // x-ratelimit-* headers, and 429s
  bool caps = false;           // an hourly cap, a monthly quota, and a burst
};

struct walk {
  struct entry {
    lease_id id;
    std::uint64_t tokens;
    std::optional<instant> sent;
  };
  struct meter {
    limit_set limits;
    std::vector<entry> entries;
  };
  struct held {
    meter* at;
    std::string key, provider;
    instant expires;
  };

  options opt;
  std::mt19937 draw;
  governor_settings settings = limits(opt);
  governor gov{settings};
  instant now = instant{} + 1000s;
  std::map<std::string, meter> meters; // "key" or "key pattern"
  std::map<std::pair<request_id, std::uint32_t>, held> leases;
  std::map<std::pair<request_id, std::uint32_t>, capacity_request> waiting;
  std::map<std::pair<request_id, std::uint32_t>, instant> admissions;                   // until
  std::map<std::string, std::uint32_t> slots_used, open_calls, month;                   // the last two by key
  std::map<std::string, std::vector<std::pair<lease_id, std::optional<instant>>>> hour; // by provider
  std::map<std::string, key_standing> standings;
  std::map<std::pair<std::string, std::string>, instant> open_until;
  request_id last = 0;
  std::size_t grants = 0, grants_after_waiting = 0, refusals = 0;

  walk(unsigned seed, options o) : opt(o), draw(seed) {
    for (const auto& k : settings.keys) {
      meters[k.name].limits = k.limits;
      for (const auto& [pattern, l] : k.models) meters[k.name + " " + pattern].limits = l;
    }
  }

  static governor_settings limits(options opt) {
    governor_settings s;
    s.providers = {{"p", 4}, {"q", 3}};
    s.keys = {{.name = "a", .provider = "p", .limits = {.rpm = 20, .rps = 3, .tpm = 2000, .concurrency = 3}},
              {.name = "b", .provider = "p", .limits = {.rpm = 12}, .weight = 2},
              {.name = "c", .provider = "q", .limits = {.tpm = 1500, .concurrency = 2}},
              {.name = "d", .provider = "q", .limits = {.rps = 1}}};
    s.keys[0].models = {{"o1-*", {.rpm = 4, .tpm = 450}}};
    s.clients = {{"app", {.rpm = 50, .tpm = 5000, .concurrency = 5}}};
    s.queue_capacity = 60;
    if (opt.caps) {
      s.providers[1].hourly = 150;
      s.keys[0].limits.burst = 0.5;
      s.keys[1].limits.monthly = 300;
    }
    return s;
  }

  static std::pair<request_id, std::uint32_t> name(lease_id id) { return {id.request, id.serial}; }
  unsigned upto(unsigned n) { return draw() % n; }
  template <class Map>
  auto some(Map& m) {
    return std::next(m.begin(), upto(static_cast<unsigned>(m.size())));
  }

  // --- the reference ---

  meter& meter_of(const std::string& key, const std::string& model) {
    for (const auto& k : settings.keys)
      if (k.name == key)
        for (const auto& [pattern, l] : k.models)
          if (glob_match(pattern, model)) return meters[key + " " + pattern];
    return meters[key];
  }

  std::uint64_t in_window(const meter& m, duration window, bool tokens) const {
    std::uint64_t sum = 0;
    for (const auto& e : m.entries)
      if (!e.sent || *e.sent > now - window) sum += tokens ? e.tokens : 1;
    return sum;
  }

  bool has_room(const meter& m, std::uint64_t tokens) const {
    const auto& l = m.limits;
    const auto used = in_window(m, 60s, true);
    const auto more = [&](std::uint64_t limit) { return limit + static_cast<std::uint64_t>(limit * l.burst); };
    const auto room = [&](std::uint64_t limit, std::uint64_t in_use) {
      return in_use + tokens <= limit || (tokens > limit && in_use == 0);
    };
    return (!l.rpm || (in_window(m, 60s, false) < more(*l.rpm) && in_window(m, 120s, false) < 2 * *l.rpm)) &&
           (!l.rps || in_window(m, 1s, false) < *l.rps) &&
           (!l.tpm || (room(more(*l.tpm), used) && (l.burst == 0 || room(2 * *l.tpm, in_window(m, 120s, true)))));
  }

  bool has_place(const governor_settings::key& k) {
    const auto& p = provider(k.provider);
    return slots_used[k.provider] < p.slots && (!p.hourly || in_hour(k.provider) < *p.hourly) &&
           (!k.limits.concurrency || open_calls[k.name] < *k.limits.concurrency) &&
           (!k.limits.monthly || month[k.name] < *k.limits.monthly);
  }

  std::size_t in_hour(const std::string& name) {
    auto& all = hour[name];
    std::erase_if(all, [&](auto& e) { return e.second && *e.second <= now - 1h; });
    return all.size();
  }

  const governor_settings::provider& provider(const std::string& name) const {
    return *std::find_if(settings.providers.begin(), settings.providers.end(), [&](auto& p) { return p.name == name; });
  }

  bool is_open(const target& t) const {
    for (const auto& model : {std::string{}, t.model})
      if (const auto found = open_until.find({t.provider, model}); found != open_until.end() && found->second > now)
        return true;
    return false;
  }

  bool could_go(const capacity_request& r) {
    bool any_fits = false, any_rested = false, rested_fits = false;
    for (const auto& t : r.targets) {
      if (is_open(t)) continue;
      for (const auto& k : settings.keys) {
        const auto& s = standings[k.name];
        const auto& no = r.excluded_keys;
        if (k.provider != t.provider || s.disabled || s.not_before > now) continue;
        if (std::find(no.begin(), no.end(), k.name) != no.end()) continue;
        const bool rested = s.rest_until <= now;
        const bool fits = has_place(k) && has_room(meter_of(k.name, t.model), r.tokens);
        any_rested |= rested;
        any_fits |= fits;
        rested_fits |= rested && fits;
      }
    }
    return any_rested ? rested_fits : any_fits;
  }

  void end(std::pair<request_id, std::uint32_t> id, bool sent, std::optional<std::uint64_t> tokens) {
    const auto found = leases.find(id);
    auto& m = *found->second.at;
    const auto e = std::find_if(m.entries.begin(), m.entries.end(), [&](auto& x) { return name(x.id) == id; });
    BOOST_REQUIRE(e != m.entries.end());
    auto& hourly = hour[found->second.provider];
    const auto at = std::find_if(hourly.begin(), hourly.end(), [&](auto& x) { return name(x.first) == id; });
    if (!sent && !e->sent) {
      m.entries.erase(e);
      hourly.erase(at);
      --month[found->second.key];
    } else {
      if (!e->sent) e->sent = now;
      if (at != hourly.end() && !at->second) at->second = now;
      if (tokens) e->tokens = *tokens;
    }
    --open_calls[found->second.key];
    --slots_used[found->second.provider];
    leases.erase(found);
  }

  // --- the sentences ---

  void no_window_ever_sees_more_than_the_limit(const meter& m, std::uint64_t tokens) const {
    const auto& l = m.limits;
    if (l.rpm) BOOST_REQUIRE(in_window(m, 60s, false) <= *l.rpm * (1 + l.burst));
    if (l.rps) BOOST_REQUIRE(in_window(m, 1s, false) <= *l.rps);
    const auto most = l.tpm ? static_cast<std::uint64_t>(*l.tpm * (1 + l.burst)) : 0;
    if (l.tpm && tokens <= most) BOOST_REQUIRE(in_window(m, 60s, true) <= most);
    if (l.tpm && tokens > most) BOOST_REQUIRE(in_window(m, 60s, true) == tokens); // alone
  }

  void two_windows_in_a_row_never_see_more_than_twice_the_limit(const meter& m, std::uint64_t tokens) const {
    const auto& l = m.limits;
    if (l.burst == 0) return; // one request of more tokens than the limit may go alone then
    if (l.rpm) BOOST_REQUIRE(in_window(m, 120s, false) <= 2 * *l.rpm);
    if (l.tpm && tokens <= 2 * *l.tpm) BOOST_REQUIRE(in_window(m, 120s, true) <= 2 * *l.tpm);
  }

  void no_key_has_more_open_or_in_a_month_and_no_address_more_in_an_hour(const std::string& key) {
    const auto& k = *std::find_if(settings.keys.begin(), settings.keys.end(), [&](auto& x) { return x.name == key; });
    if (k.limits.concurrency) BOOST_REQUIRE(open_calls[key] <= *k.limits.concurrency);
    if (k.limits.monthly) BOOST_REQUIRE(month[key] <= *k.limits.monthly);
    if (const auto& cap = provider(k.provider).hourly) BOOST_REQUIRE(in_hour(k.provider) <= *cap);
  }

  void every_waiter_is_answered_exactly_once(lease_id id) { BOOST_REQUIRE(waiting.erase(name(id)) == 1u); }

  void nobody_is_refused_who_could_have_waited(const refusal& no, const capacity_request& r) const {
    const bool by_time = no.why == refusal_reason::over_limit || no.why == refusal_reason::resting;
    const bool moves_on =
        !r.wait_for_circuits && std::all_of(r.targets.begin(), r.targets.end(), [&](auto& t) { return is_open(t); });
    if (by_time && now < r.wait_until && !moves_on) BOOST_REQUIRE(no.not_before > r.wait_until);
  }

  void nobody_waits_while_there_is_room_for_him() {
    if (opt.mixed_tokens || opt.provider_words) return; // tokens may be held back then
    for (const auto& [id, r] : waiting) BOOST_REQUIRE(!could_go(r));
  }

  void one_pools_waiters_never_block_another() {
    if (opt.mixed_tokens || opt.provider_words) return;
    auto r = request();
    for (const auto& [id, w] : waiting) {
      auto mine = r.targets, theirs = w.targets;
      const auto order = [](auto& x, auto& y) { return std::tie(x.provider, x.model) < std::tie(y.provider, y.model); };
      std::sort(mine.begin(), mine.end(), order);
      std::sort(theirs.begin(), theirs.end(), order);
      if (mine == theirs) return;
    }
    const bool room = could_go(r);
    const auto answer = gov.acquire(r, now);
    BOOST_REQUIRE(std::holds_alternative<grant>(answer) == room);
    take(r, answer);
  }

  void the_view_agrees() {
    const auto v = gov.look(now);
    BOOST_REQUIRE(v.leases == leases.size() + admissions.size());
    BOOST_REQUIRE(v.waiting[0] + v.waiting[1] + v.waiting[2] == waiting.size());
    for (const auto& p : v.pools) BOOST_REQUIRE(p.in_use == slots_used[p.provider]);
    for (const auto& k : v.keys) {
      std::uint32_t open = 0;
      for (const auto& [id, l] : leases) open += l.key == k.key;
      BOOST_REQUIRE(k.in_flight == open);
    }
  }

  void leases_are_zero_after_everything_was_settled() {
    while (!leases.empty()) settle_one();
    while (!waiting.empty()) {
      const auto next = gov.next_wake(now);
      BOOST_REQUIRE(next != instant::max());
      now = std::max(now, next);
      tick();
      while (!leases.empty()) settle_one();
    }
    for (const auto& [id, until] : admissions) gov.settle({id.first, id.second}, {}, now);
    admissions.clear();
    tick();
    the_view_agrees();
    BOOST_REQUIRE(gov.look(now).leases == 0u);
    BOOST_REQUIRE(gov.next_wake(now) == instant::max());
  }

  // --- what happens ---

  capacity_request request() {
    static const std::vector<std::vector<target>> pools = {
        {{"p", "x"}},
        {{"p", "y"}},
        {{"p", "o1-mini"}},
        {{"q", "x"}},
        {{"p", "x"}, {"q", "x"}},
        {{"q", "x"}, {"p", "x"}},
        {{"q", "y", 2}, {"p", "o1-mini"}},
    };
    capacity_request r;
    r.id = {++last / 2, 1 + upto(3) + static_cast<std::uint32_t>(last % 2) * 3};
    while (leases.contains(name(r.id)) || waiting.contains(name(r.id))) r.id.serial += 7;
    r.client = upto(3) ? "app" : "other";
    r.level = static_cast<priority>(upto(3));
    r.targets = pools[upto(static_cast<unsigned>(pools.size()))];
    if (upto(4) == 0) r.excluded_keys.push_back(std::string(1, static_cast<char>('a' + upto(5))));
    r.tokens = opt.mixed_tokens ? (upto(20) ? upto(400) : upto(4000)) : 100;
    r.wait_until = now + std::chrono::milliseconds(upto(4) ? upto(40000) : 0);
    r.wait_for_circuits = upto(2) != 0;
    r.expires = now + std::chrono::milliseconds(40000 + upto(60000));
    return r;
  }

  void take(const capacity_request& r, const capacity_answer& answer) {
    if (const auto* g = std::get_if<grant>(&answer)) {
      ++grants;
      const auto& t = r.targets.at(g->target_index);
      BOOST_REQUIRE(!is_open(t));
      BOOST_REQUIRE(std::count(r.excluded_keys.begin(), r.excluded_keys.end(), g->key) == 0);
      BOOST_REQUIRE(!standings[g->key].disabled);
      BOOST_REQUIRE(standings[g->key].not_before <= now);
      auto& m = meter_of(g->key, t.model);
      m.entries.push_back({g->id, r.tokens, {}});
      ++open_calls[g->key];
      ++month[g->key];
      hour[t.provider].emplace_back(g->id, std::nullopt);
      BOOST_REQUIRE(++slots_used[t.provider] <= (t.provider == "p" ? 4u : 3u));
      BOOST_REQUIRE(leases.emplace(name(g->id), held{&m, g->key, t.provider, r.expires}).second);
      no_window_ever_sees_more_than_the_limit(m, r.tokens);
      two_windows_in_a_row_never_see_more_than_twice_the_limit(m, r.tokens);
      no_key_has_more_open_or_in_a_month_and_no_address_more_in_an_hour(g->key);
    } else if (const auto* no = std::get_if<refusal>(&answer)) {
      ++refusals;
      nobody_is_refused_who_could_have_waited(*no, r);
    } else {
      waiting[name(r.id)] = r;
    }
  }

  void acquire() {
    const auto r = request();
    take(r, gov.acquire(r, now));
  }

  void ask_again() {
    if (!leases.empty() && upto(2)) {
      auto r = request();
      const auto& [id, l] = *some(leases);
      r.id = {id.first, id.second};
      const auto answer = gov.acquire(r, now);
      BOOST_REQUIRE(std::get<grant>(answer).key == l.key);
    } else if (!waiting.empty()) {
      auto r = request();
      const auto old = some(waiting);
      r.id = {old->first.first, old->first.second};
      waiting.erase(old);
      take(r, gov.acquire(r, now));
    }
  }

  void send_one() {
    if (leases.empty()) return;
    const auto& [id, l] = *some(leases);
    gov.sent({id.first, id.second}, now);
    for (auto& h : hour[l.provider])
      if (name(h.first) == id && !h.second) h.second = now;
    for (auto& e : l.at->entries)
      if (name(e.id) == id && !e.sent) e.sent = now;
  }

  void settle_one() {
    if (leases.empty()) return;
    const auto id = some(leases)->first;
    governor::settlement s{.was_sent = upto(4) != 0};
    if (upto(2) && !opt.mixed_tokens) s.tokens = upto(100); // never more than reserved: that no limit could foresee
    if (upto(2)) s.success = upto(2) != 0;
    s.rate_limited = opt.provider_words && s.was_sent && upto(5) == 0;
    for (auto times = 1 + upto(2); times > 0; --times) gov.settle({id.first, id.second}, s, now);
    end(id, s.was_sent, s.tokens);
  }

  void leave_one() {
    if (waiting.empty()) return;
    const auto w = some(waiting);
    gov.withdraw({w->first.first, w->first.second});
    waiting.erase(w);
  }

  void lose_an_owner() {
    const auto request = 1 + upto(static_cast<unsigned>(last / 2 + 1));
    gov.release_owner(request, now);
    std::erase_if(waiting, [&](auto& w) { return w.first.first == request; });
    std::erase_if(admissions, [&](auto& a) { return a.first.first == request; });
    std::vector<std::pair<request_id, std::uint32_t>> lost;
    for (const auto& [id, l] : leases)
      if (id.first == request) lost.push_back(id);
    for (const auto& id : lost) end(id, true, {});
  }

  void change_a_key() {
    key_standing s{.key = std::string(1, static_cast<char>('a' + upto(5)))};
    s.disabled = upto(6) == 0;
    s.health = upto(100) / 100.0;
    if (upto(3) == 0) s.not_before = now + std::chrono::milliseconds(upto(20000));
    if (upto(2)) s.rest_until = now + std::chrono::milliseconds(upto(20000));
    s.last_failure = now;
    standings[s.key] = s;
    gov.on_standing(s);
  }

  void change_a_circuit() {
    const std::string provider = upto(2) ? "p" : "q", model = upto(3) ? (upto(2) ? "x" : "y") : "";
    const auto state = static_cast<circuit_state>(upto(3));
    const auto until = now + std::chrono::milliseconds(upto(10000));
    open_until[{provider, model}] = state == circuit_state::open ? until : instant::min();
    gov.on_circuit({provider, model, state, until});
  }

  void hear_a_provider() {
    if (!opt.provider_words) return;
    gov.on_provider_limits({.key = std::string(1, static_cast<char>('a' + upto(5))),
                            .model = upto(2) ? "x" : "o1-mini",
                            .limit_requests = upto(2) ? std::optional<std::uint64_t>(upto(30)) : std::nullopt,
                            .limit_tokens = upto(2) ? std::optional<std::uint64_t>(upto(3000)) : std::nullopt,
                            .remaining_requests = upto(10),
                            .remaining_tokens = upto(1000),
                            .reset_requests = std::chrono::milliseconds(upto(20000))},
                           now);
  }

  void admit_one() {
    const request_id request = 1 + upto(static_cast<unsigned>(last / 2 + 1));
    const auto expires = now + std::chrono::milliseconds(upto(60000) + 1);
    const bool was_in = admissions.contains({request, 0});
    const auto answer = gov.admit({request, 0}, "app", upto(300), expires, now);
    if (was_in)
      BOOST_REQUIRE(answer.admitted);
    else if (answer.admitted)
      admissions[{request, 0}] = expires;
    BOOST_REQUIRE(admissions.size() <= 5u);
  }

  void tick() {
    std::erase_if(admissions, [&](auto& a) { return a.second <= now; });
    std::vector<std::pair<request_id, std::uint32_t>> over;
    for (const auto& [id, l] : leases)
      if (l.expires <= now) over.push_back(id);
    for (const auto& id : over) end(id, true, {});
    do {
      for (const auto& answer : gov.tick(now)) {
        BOOST_REQUIRE(!std::holds_alternative<queued>(answer));
        const auto* g = std::get_if<grant>(&answer);
        const auto id = g ? g->id : std::get<refusal>(answer).id;
        BOOST_REQUIRE(waiting.contains(name(id)));
        const auto r = waiting.at(name(id));
        every_waiter_is_answered_exactly_once(id);
        if (g) BOOST_REQUIRE(r.wait_until >= now);
        grants_after_waiting += g != nullptr;
        take(r, answer);
      }
    } while (gov.next_wake(now) <= now);
    for (const auto& [id, r] : waiting) BOOST_REQUIRE(r.wait_until > now);
  }

  void forget_the_old() {
    for (auto& [id, m] : meters) std::erase_if(m.entries, [&](auto& e) { return e.sent && *e.sent + 2min < now; });
  }

  void step() {
    now += std::chrono::milliseconds(upto(50) == 0 ? upto(70000) : upto(500));
    switch (upto(24)) {
    case 0: ask_again(); break;
    case 1:
    case 2:
    case 3: send_one(); break;
    case 4: leave_one(); break;
    case 5: upto(3) ? settle_one() : lose_an_owner(); break;
    case 6: change_a_key(); break;
    case 7: change_a_circuit(); break;
    case 8: hear_a_provider(); break;
    case 9: admit_one(); break;
    case 10:
      if (upto(10) == 0) gov.reconfigure(settings);
      break;
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
    case 16: settle_one(); break;
    default: acquire();
    }
    tick();
    nobody_waits_while_there_is_room_for_him();
    one_pools_waiters_never_block_another();
    the_view_agrees();
    forget_the_old();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    leases_are_zero_after_everything_was_settled();
    BOOST_TEST(grants > 100u); // else the walk proved nothing
    BOOST_TEST(grants_after_waiting > 20u);
    BOOST_TEST(refusals > 20u);
  }
};

BOOST_AUTO_TEST_SUITE(rate_governor_walk_suite)

BOOST_AUTO_TEST_CASE(equal_requests_never_idle_beside_room) {
  for (unsigned seed = 1; seed <= test::rounds(70); ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) walk(seed, {}).run(3000);
}

BOOST_AUTO_TEST_CASE(requests_of_all_sizes_keep_the_limits) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) walk(seed, {.mixed_tokens = true}).run(3000);
}

BOOST_AUTO_TEST_CASE(hourly_caps_monthly_quotas_and_bursts_are_kept_and_nobody_idles_beside_room) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) walk(seed, {.caps = true}).run(3000);
}

BOOST_AUTO_TEST_CASE(requests_of_all_sizes_keep_the_caps_too) {
  for (unsigned seed = 1; seed <= test::rounds(10); ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) walk(seed, {.mixed_tokens = true, .caps = true}).run(3000);
}

BOOST_AUTO_TEST_CASE(what_providers_say_never_widens_a_limit) {
  for (unsigned seed = 1; seed <= test::rounds(20); ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) walk(seed, {.mixed_tokens = true, .provider_words = true}).run(3000);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace mainstay::rate_governor_walk_test
