#include "actors/tracer.hpp"

#include "actors/log.hpp"
#include "actors/otlp_json.hpp"
#include "actors/post_reporter.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto collector_pool = " tracing";                     // no provider's
constexpr std::size_t most_waiting = 4096, most_in_a_post = 64; // requests: their text is made on the loop
constexpr duration gather_for = 1s, first_pause = 1s, longest_pause = 30s, post_patience = 10s;
constexpr int most_tries = 8; // some two minutes

/// As the protocol has it: these say that the collector would take it another time.
bool worth_another_try(int status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

struct tracer_state {
  static inline const char* name = "tracer";
  tracer_actor::pointer self = nullptr;
  std::shared_ptr<tracer_store> store;
  tracer_actor own_name;
  std::uint64_t number = 0; // of the post under way, or of the pause
  http::call_handle call = 0;
  enum class doing { nothing, gathering, posting, pausing } now = doing::nothing;
  caf::typed_response_promise<bool> flushing;

  ~tracer_state() {
    if (call) store->client->cancel(call);
  }

  void take(const report_ptr& r) {
    if (!store->settings->tracing) return;
    if (store->waiting.size() >= most_waiting) {
      ++store->dropped;
      return;
    }
    store->waiting.push_back(r);
    if (now == doing::nothing) wait(gather_for, doing::gathering);
    if (now == doing::gathering && store->waiting.size() >= most_in_a_post) post();
  }

  void wait(duration how_long, doing what) {
    now = what;
    send_at(self, clock::now() + how_long, run_wake{number = ++store->numbers});
  }

  void go_on() {
    now = doing::nothing;
    if (!store->settings->tracing) { // a reload took it away
      store->dropped += store->waiting.size();
      store->waiting.clear();
      store->under_way = 0;
    }
    if (store->waiting.empty())
      flushed();
    else
      post();
  }

  void post() {
    const auto& to = *store->settings->tracing;
    now = doing::posting;
    number = ++store->numbers;
    if (store->under_way == 0) {
      store->under_way = std::min(store->waiting.size(), most_in_a_post);
      store->tries = 0;
    }
    ++store->tries;
    const auto end = store->waiting.begin() + static_cast<std::ptrdiff_t>(store->under_way);
    http::call out;
    out.url = to.endpoint + "/v1/traces";
    out.header_lines = {"content-type: application/json"};
    for (const auto& [header, value] : to.headers) out.header_lines.push_back(header + ": " + value.reveal());
    out.body = {make_bytes(otlp_json({store->waiting.begin(), end}, *store->settings, store->version))};
    out.timeouts = {post_patience, post_patience, post_patience, post_patience};
    out.pool = collector_pool;
    call = store->client->start(std::move(out), std::make_shared<post_reporter<tracer_actor>>(number, own_name));
  }

  void over(const post_over& o) {
    if (now != doing::posting || o.number != number) return;
    call = 0;
    const bool taken = o.status >= 200 && o.status < 300;
    if (!taken) {
      ++store->failed_posts;
      const auto said = o.status ? "said " + std::to_string(o.status) : std::string("did not answer");
      if (worth_another_try(o.status) && store->tries < most_tries && !flushing.pending()) {
        if (store->tries == 1) log::warn("tracing: the collector {}; it is tried again", said);
        return wait(std::min(longest_pause, first_pause * (1 << (store->tries - 1))), doing::pausing);
      }
      log::error("tracing: the collector {}; {} requests are not told", said, store->under_way);
    } else if (store->tries > 1) {
      log::info("tracing: the collector takes spans again");
    }
    (taken ? store->sent : store->dropped) += store->under_way;
    store->waiting.erase(store->waiting.begin(),
                         store->waiting.begin() + static_cast<std::ptrdiff_t>(store->under_way));
    store->under_way = 0;
    now = doing::nothing;
    if (!taken) flushed();
    if (!store->settings->tracing || store->waiting.size() >= most_in_a_post || flushing.pending())
      go_on();
    else if (!store->waiting.empty())
      wait(gather_for, doing::gathering);
  }

  /// The node ends: what waits goes now, and whoever asks hears when it has gone, or will not.
  caf::result<bool> flush() {
    flushing = self->make_response_promise<caf::typed_response_promise<bool>>();
    auto promise = flushing;
    if (now != doing::posting) go_on();
    return promise;
  }

  void flushed() {
    if (flushing.pending()) flushing.deliver(store->waiting.empty());
  }
};

tracer_actor::behavior_type tracer_behavior(tracer_actor::stateful_pointer<tracer_state> self,
                                            std::shared_ptr<tracer_store> store, tracer_actor own_name) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own_name = std::move(own_name);
  self->send(self, run_wake{0});
  return {
      [&st](const trace_told& told) { st.take(told.report); },
      [&st](const post_over& o) { st.over(o); },
      [&st](const flush_spans&) { return st.flush(); },
      [&st](const run_wake& w) {
        // 0: what a predecessor left
        if (w.generation == 0 ? st.now == tracer_state::doing::nothing
                              : w.generation == st.number && st.now != tracer_state::doing::posting)
          st.go_on();
      },
      [&st](const look&) {
        auto& s = *st.store;
        return tracer_view{s.settings->tracing.has_value(), s.sent, s.dropped, s.failed_posts, s.waiting.size()};
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.store->settings = s.value; },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

tracer_store::tracer_store(config::settings_ptr s, std::string v, std::shared_ptr<http::client> c)
  : settings(std::move(s)), version(std::move(v)), client(std::move(c)) {
  client->configure({{collector_pool, 1, 1}});
}

caf::strong_actor_ptr spawn_tracer(caf::actor_system& sys, std::shared_ptr<tracer_store> store, tracer_actor own_name) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(tracer_behavior, std::move(store), std::move(own_name)));
}

} // namespace mainstay
