#include "actors/dashboard.hpp"

#include "actors/overview.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "net/http_server.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr duration refresh = 1s, overview_patience = 3s, silence = 15s;

struct dashboard_state {
  static inline const char* name = "dashboard";
  dashboard_actor::pointer self = nullptr;
  std::shared_ptr<dashboard_store> store;
  metrics_actor metrics;
  std::uint64_t generation = 0; // of the tick that is to come
  bool ticking = false, asked = false;

  void take(const look_on& who) {
    forget_gone();
    if (store->viewers.size() >= dashboard_store::most_viewers)
      return who.viewer->reply(
          503, who.headers,
          make_bytes(http::error_json("too many look on already", "server_error", "too_many_viewers")));
    who.viewer->stream_head(who.headers);
    store->viewers.emplace_back(who.viewer);
    ask();
    if (!ticking) tick();
  }

  void tick() {
    forget_gone();
    ticking = !store->viewers.empty();
    if (!ticking) return;
    send_at(self, clock::now() + refresh, run_wake{++generation});
    for (auto& v : store->viewers) v.keep_alive(clock::now());
    ask();
  }

  void ask() {
    if (std::exchange(asked, true)) return;
    self->request(metrics, overview_patience, ask_overview{})
        .then(
            [this](const overview_ptr& o) {
              asked = false;
              show(*o);
            },
            [this](const caf::error&) { asked = false; });
  }

  void show(const overview& o) {
    bytes_ptr whole, latest; // each made once, if somebody is to have it
    for (auto& v : store->viewers) {
      auto& frame = v.wants_history() ? whole : latest;
      if (!frame) frame = make_bytes(overview_json(o, v.wants_history()));
      v.show(frame, clock::now());
    }
  }

  /// Who looked on with another token, or with none, has to come again.
  void judge_token(const config::settings& s) {
    const auto now = s.doors.metrics_token ? s.doors.metrics_token->reveal() : std::string();
    if (std::exchange(store->token, now) == now) return;
    for (auto& v : store->viewers) v.end();
    store->viewers.clear();
  }

  void forget_gone() {
    std::erase_if(store->viewers, [](auto& v) { return v.gone(); });
  }
};

dashboard_actor::behavior_type dashboard_behavior(dashboard_actor::stateful_pointer<dashboard_state> self,
                                                  std::shared_ptr<dashboard_store> store, metrics_actor metrics) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.metrics = std::move(metrics);
  st.tick(); // for those whom a predecessor left
  return {
      [&st](const look_on& who) { st.take(who); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.tick();
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.judge_token(*s.value); },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

dashboard_viewer::dashboard_viewer(std::shared_ptr<http::response> to) : to_(std::move(to)) {
  to_->observe_progress(1, [state = state_](std::size_t read) { state->unread -= read; });
  to_->on_caller_left([state = state_] { state->gone = true; });
}

void dashboard_viewer::show(const bytes_ptr& frame, instant now) {
  wants_history_ = state_->unread > most_unread; // of what it misses
  if (wants_history_) return;
  state_->unread += frame->size();
  to_->stream_event(frame);
  last_word_ = now;
}

void dashboard_viewer::end() { to_->stream_end(nullptr, {}); }

void dashboard_viewer::keep_alive(instant now) {
  if (last_word_ == instant{}) last_word_ = now;
  if (now - last_word_ < silence || state_->unread > most_unread) return;
  to_->stream_comment("still here");
  last_word_ = now;
}

caf::strong_actor_ptr spawn_dashboard(caf::actor_system& sys, std::shared_ptr<dashboard_store> store,
                                      metrics_actor metrics) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(dashboard_behavior, std::move(store), std::move(metrics)));
}

} // namespace mainstay
