#include "actors/alert_bell.hpp"

#include "actors/console_json.hpp"
#include "actors/log.hpp"
#include "actors/post_reporter.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/dates.hpp"
#include "net/sha256.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto webhook_pool = " alerts"; // no provider's: their names begin with no blank
constexpr std::size_t most_waiting = 100;
constexpr duration keep_trying = 10min, first_pause = 1s, longest_pause = 1min, post_patience = 10s;

struct alert_bell_state {
  static inline const char* name = "alert_bell";
  alert_bell_actor::pointer self = nullptr;
  std::shared_ptr<alert_bell_store> store;
  alert_bell_actor own_name;
  std::uint64_t number = 0; // of the post under way, or of the pause
  http::call_handle call = 0;
  bool busy = false;

  ~alert_bell_state() {
    if (call) store->client->cancel(call);
  }

  const config::alert_settings* target() const {
    const auto& a = store->settings->alerts;
    return a && a->webhook ? &*a : nullptr;
  }

  void take(const alerts_told& told) {
    if (!target()) return;
    for (const auto& a : told.all) {
      if (store->waiting.size() >= most_waiting) {
        ++store->given_up;
        store->waiting.erase(store->waiting.begin() + busy); // not the one under way
      }
      store->waiting.push_back({body_of(a), clock::now() + keep_trying, 0});
    }
    go_on();
  }

  std::string body_of(const alert_book::alert& a) const {
    console_json j;
    j.text("node", store->settings->node)
        .text("signal", a.signal)
        .text("severity", to_string(a.severity))
        .text("state", a.on ? "firing" : "resolved")
        .number("value", a.value)
        .number("threshold", a.threshold)
        .text("time", date_text(std::chrono::system_clock::now()));
    return j.done();
  }

  void go_on() {
    if (busy || store->waiting.empty()) return;
    const auto* to = target();
    if (!to) return store->waiting.clear();
    busy = true;
    number = ++store->numbers;
    auto& post = store->waiting.front();
    ++post.tries;
    http::call out;
    out.url = to->webhook->reveal();
    out.header_lines = {"content-type: application/json", "accept: */*"};
    if (to->webhook_secret) {
      const auto seconds =
          std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
      const auto stamp = std::to_string(seconds);
      out.header_lines.push_back("x-mainstay-timestamp: " + stamp);
      out.header_lines.push_back("x-mainstay-signature: sha256=" +
                                 hex(hmac_sha256(to->webhook_secret->reveal(), stamp + "." + post.body)));
    }
    out.body = {make_bytes(post.body)};
    out.timeouts = {post_patience, post_patience, post_patience, post_patience};
    out.pool = webhook_pool;
    call = store->client->start(std::move(out), std::make_shared<post_reporter<alert_bell_actor>>(number, own_name));
  }

  void over(const post_over& o) {
    if (!busy || o.number != number) return;
    call = 0;
    const auto& post = store->waiting.front();
    if (o.status >= 200 && o.status < 300) {
      if (post.tries > 1) log::info("alerts: the webhook takes them again");
      ++store->delivered;
      return next();
    }
    ++store->failed;
    const auto said = o.status ? "said " + std::to_string(o.status) : std::string("did not answer");
    if (post.tries == 1) log::warn("alerts: the webhook {}; it is tried again for ten minutes", said);
    const auto pause = std::min(longest_pause, first_pause * (1 << std::min(post.tries - 1, 10)));
    if (clock::now() + pause >= post.until) {
      log::error("alerts: the webhook {}; one alert is given up", said);
      ++store->given_up;
      return next();
    }
    send_at(self, clock::now() + pause, run_wake{number = ++store->numbers});
  }

  void next() {
    store->waiting.pop_front();
    busy = false;
    go_on();
  }
};

alert_bell_actor::behavior_type alert_bell_behavior(alert_bell_actor::stateful_pointer<alert_bell_state> self,
                                                    std::shared_ptr<alert_bell_store> store,
                                                    alert_bell_actor own_name) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own_name = std::move(own_name);
  self->send(self, run_wake{0});
  return {
      [&st](const letter<alerts_told>& mail) {
        st.take(mail.content());
        mail.opened();
      },
      [&st](const post_over& o) { st.over(o); },
      [&st](const run_wake& w) {
        if (w.generation == 0) return st.go_on(); // what a predecessor left
        if (w.generation != st.number) return;
        st.busy = false;
        st.go_on();
      },
      [&st](const look&) {
        auto& s = *st.store;
        return alert_bell_view{st.target() != nullptr, s.delivered, s.failed, s.given_up, s.waiting.size()};
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.store->settings = s.value; },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

alert_bell_store::alert_bell_store(config::settings_ptr s, std::shared_ptr<http::client> c)
  : settings(std::move(s)), client(std::move(c)) {
  client->configure({{webhook_pool, 1, 1}});
}

caf::strong_actor_ptr spawn_alert_bell(caf::actor_system& sys, std::shared_ptr<alert_bell_store> store,
                                       alert_bell_actor own_name) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(alert_bell_behavior, std::move(store), std::move(own_name)));
}

} // namespace mainstay
