#include "actors/warmer.hpp"

#include "actors/intake.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "actors/warm_channel.hpp"
#include "net/warm_line.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto silence = 10s; // a console that says nothing for so long has gone
constexpr auto look_patience = 1s;
constexpr std::size_t most_lines = 1000, most_bytes = 8u << 20; // that wait here, and a piece more
constexpr std::size_t most_problems = 1000;
constexpr std::size_t default_line = 32u << 20;

/// The fullest of the pools and keys that models of the configuration would ask first; of a provider's keys the freest.
double busiest(const governor::view& v, const config::settings& s) {
  double most = 0;
  for (auto& p : v.pools) {
    const bool asked = std::any_of(s.models.begin(), s.models.end(), [&](auto& m) {
      return std::any_of(m.ladder.front().begin(), m.ladder.front().end(),
                         [&](auto& t) { return t.provider == p.provider; });
    });
    if (!asked) continue;
    std::optional<double> freest;
    for (auto& k : v.keys)
      if (k.provider == p.provider) {
        const auto used = std::max({k.rpm_used, k.tpm_used, k.rps_used, k.concurrency_used});
        freest = std::min(freest.value_or(used), used);
      }
    most = std::max({most, freest.value_or(0), p.slots > 0 ? double(p.in_use) / p.slots : 0});
  }
  return most;
}

struct warmer_state {
  static inline const char* name = "warmer";
  warmer_actor::pointer self = nullptr;
  std::shared_ptr<warmer_store> store;
  bool looking = false;
  std::uint64_t generation = 0;
  instant armed = instant::max();

  // -- what a console wants

  warm_reply ask(const warm_ask& q) {
    auto& s = *store;
    if (q.what == warm_ask::way::begin) return begin(q);
    if (!s.now || (!q.id.empty() && q.id != s.now->id)) return none(q);
    if (q.id == s.now->id) {
      s.now->heard = clock::now();
      forget_problems(*s.now, q.heard);
    }
    if (q.what == warm_ask::way::stop) {
      end(q.id.empty() ? "an operator stopped it" : "");
      return s.last;
    }
    auto r = q.what == warm_ask::way::lines ? take(q) : view();
    go_on();
    return r;
  }

  /// Its console may ask once more for the end of one that it has ended.
  warm_reply none(const warm_ask& q) const {
    if (!q.id.empty() && q.id == store->last.id && q.what == warm_ask::way::stop) return store->last;
    return error(q.id.empty()             ? "no warming is under way"
                 : q.id == store->last.id ? "the warming ended: " + store->last_end
                                          : "this warming is not under way");
  }

  static warm_reply error(std::string what) {
    warm_reply r;
    r.error = std::move(what);
    return r;
  }

  warm_reply begin(const warm_ask& q) {
    auto& s = *store;
    if (!s.settings->cache) return error("no cache is configured here: there is nothing to warm");
    if (s.now && s.now->id != q.id) return error("another warming is under way");
    if (!s.now) {
      log::info("a warming of the cache begins");
      s.now.emplace();
      s.now->id = q.id;
    }
    s.now->heard = clock::now();
    arm();
    return view();
  }

  warm_reply take(const warm_ask& q) {
    auto& w = *store->now;
    const bool before = q.piece < w.pieces; // its console did not hear of it
    const bool room = w.lines.size() < most_lines && w.bytes < most_bytes;
    if (q.piece == w.pieces && room && q.lines) {
      ++w.pieces;
      for (auto& [number, text] : *q.lines) {
        w.bytes += text.size();
        if (w.lines.emplace(number, text).second) w.policy.add(number);
      }
    }
    auto r = view();
    r.taken = before || q.piece < w.pieces;
    return r;
  }

  static void forget_problems(warmer_store::session& w, std::uint64_t heard) {
    while (!w.problems.empty() && w.problems_before < heard) {
      w.problems.pop_front();
      ++w.problems_before;
    }
  }

  warm_reply view() const {
    auto& w = *store->now;
    auto& p = w.policy;
    warm_reply r;
    r.id = w.id;
    r.pause = to_string(p.why(clock::now()));
    r.longest_line = longest_line();
    r.waiting = p.waiting();
    r.running = p.running();
    r.at_once = p.at_once();
    r.kept = p.kept();
    r.skipped = p.skipped();
    r.failed = p.failed();
    r.problems_before = w.problems_before;
    r.problems.assign(w.problems.begin(), w.problems.end());
    return r;
  }

  std::size_t longest_line() const {
    auto& http = store->settings->doors.http;
    return http ? http->body_limit : default_line;
  }

  /// Without a reason: its console knows.
  void end(const std::string& why) {
    auto& s = *store;
    s.last = view();
    s.last_end = why.empty() ? "its console ended it" : why;
    for (auto& [line, run] : s.now->runs)
      letter<caller_left>::post(caf::actor_cast<caf::strong_actor_ptr>(s.names->dispatcher), caller_left{run});
    log::info("the warming of the cache ended: {} kept, {} there already, {} failed; {}", s.last.kept, s.last.skipped,
              s.last.failed, s.last_end);
    s.now.reset();
  }

  // -- lines

  /// After everything that may have changed what is next.
  void go_on() {
    auto& s = *store;
    if (!s.now) return;
    if (!s.settings->cache) return end("the cache was switched off");
    const auto now = clock::now();
    while (s.now->problems.size() < most_problems) {
      const auto n = s.now->policy.next(now);
      if (!n) break;
      run(*s.now, *n);
    }
    arm();
  }

  void run(warmer_store::session& w, warming::number n) {
    const auto refuse = [&](std::string problem) { over(w, n, warming::ending::refused, std::move(problem)); };
    auto& text = w.lines.at(n);
    if (text.size() > longest_line()) return refuse("is longer than the HTTP door's body_limit");
    auto read = read_warm_line(text);
    if (auto* problem = std::get_if<std::string>(&read)) return refuse(std::move(*problem));
    auto& line = std::get<warm_line>(read);
    auto& s = *store->settings;
    const auto* client = s.client(line.client);
    if (!line.client.empty() && !client) return refuse("unknown client; known here: " + known_clients());
    if (!client && !s.clients.empty() && !s.cache->shared)
      return refuse("names no client, and entries are kept by client here");
    auto rec = record_of(client, std::move(line.body));
    if (const auto& rule = rec->in.particular().denied; !rule.empty()) return refuse("is denied by the rule " + rule);
    auto parsed = parse_chat_request(rec->in.body);
    if (auto* problem = std::get_if<request_problem>(&parsed)) return refuse(problem->message);
    const auto whose = s.cache->shared ? "" : line.client;
    if (!w.policy.begin(n, cache_key(std::get<chat_request>(parsed), whose))) return; // it comes again
    submit_line(w, n, rec);
    w.bytes -= text.size();
    w.lines.erase(n);
  }

  std::string known_clients() const {
    std::string out;
    for (auto& c : store->settings->clients)
      if (!c.revoked) out += (out.empty() ? "" : ", ") + c.name;
    return out.empty() ? "none" : out;
  }

  run_record_ptr record_of(const config::client_settings* client, bytes_ptr body) const {
    auto rec = std::make_shared<run_record>();
    rec->number = new_request_number();
    rec->admitted_once = true; // the operator's order, not the client's: its limits are left alone
    auto& in = rec->in;
    in.id = new_request_name(rec->number);
    in.settings = store->settings;
    in.client = client;
    in.level = priority::low;
    in.for_cache = true;
    in.received = clock::now();
    in.deadline = in.received + store->settings->deadline;
    if (client && !client->region.empty()) in.make_particular().region = client->region;
    take_screened(
        *rec, screen(*in.settings, client, std::move(body))); // it is to be found by what callers ask, as that is kept
    return rec;
  }

  void submit_line(warmer_store::session& w, warming::number n, const run_record_ptr& rec) {
    rec->in.reply = std::make_shared<warm_channel>(store->names->warmer, w.id, n);
    w.runs[n] = rec->number;
    letter<submission>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), submission{rec});
  }

  void over(warmer_store::session& w, warming::number n, warming::ending how, std::string problem) {
    if (!w.policy.under_way(n)) return;
    w.policy.over(n, how, clock::now());
    w.runs.erase(n);
    if (auto waiting = w.lines.extract(n)) w.bytes -= waiting.mapped().size();
    if (!problem.empty()) w.problems.push_back({n, std::move(problem)});
  }

  void on_over(const warm_over& o) {
    auto& s = *store;
    if (!s.now || s.now->id != o.id) return;
    over(*s.now, o.line, o.how, o.problem);
    if (o.node_ends) return end("the node is shutting down");
    go_on();
  }

  // -- time and load

  void arm() {
    if (!store->now) return;
    const auto now = clock::now();
    auto next = store->now->heard + silence;
    if (!looking) next = std::min(next, store->now->policy.look_due(now));
    if (armed <= next) return;
    armed = next;
    send_at(self, next, run_wake{++generation});
  }

  void on_time() {
    armed = instant::max();
    if (!store->now) return;
    const auto now = clock::now();
    if (now >= store->now->heard + silence) return end("its console has gone");
    if (!looking && store->now->policy.look_due(now) <= now) look_at_load();
    arm();
  }

  void look_at_load() {
    looking = true;
    self->request(store->names->governor, look_patience, look{})
        .then([this](const governor::view& v) { look_at_cache(v); }, [this](const caf::error&) { no_look(); });
  }

  void look_at_cache(const governor::view& v) {
    warming::load load;
    load.waiting = v.waiting[0] + v.waiting[1] + v.waiting[2];
    load.busiest = busiest(v, *store->settings);
    self->request(store->names->cache, look_patience, look{})
        .then(
            [this, load](const cache_view& c) mutable {
              looking = false;
              load.failing = c.stretched;
              if (store->now) store->now->policy.looked(load, clock::now());
              go_on();
            },
            [this](const caf::error&) { no_look(); });
  }

  void no_look() {
    looking = false;
    if (store->now) store->now->policy.look_failed(clock::now());
    arm();
  }
};

warmer_actor::behavior_type warmer_behavior(warmer_actor::stateful_pointer<warmer_state> self,
                                            std::shared_ptr<warmer_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.arm(); // its predecessor's timers and looks are lost
  return {
      [&st](const warm_ask& q) { return st.ask(q); },
      [&st](const letter<warm_over>& mail) {
        st.on_over(mail.content());
        mail.opened();
      },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.on_time();
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->names = s.names;
        st.store->settings = s.value;
      },
  };
}

} // namespace

warmer_store::warmer_store(config::settings_ptr s, directory_ptr d) : settings(std::move(s)), names(std::move(d)) {}

caf::strong_actor_ptr spawn_warmer(caf::actor_system& sys, std::shared_ptr<warmer_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(warmer_behavior, std::move(store)));
}

} // namespace mainstay
