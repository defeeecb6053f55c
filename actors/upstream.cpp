#include "actors/upstream.hpp"

#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <algorithm>
#include <atomic>

namespace mainstay {

/// Lives on the client's loop; turns its calls into messages.
class call_reporter : public http::call_observer {
public:
  call_reporter(const place_call& call, upstream_actor upstream)
    : id_(call.id), run_(caf::actor_cast<run_actor>(call.run)), upstream_(std::move(upstream)),
      governor_(caf::actor_cast<governor_actor>(call.tell_sent)) {}

  void on_sent(instant at) override {
    if (governor_) tell(governor_, lease_sent{id_, at});
  }
  void on_head(int status, header_list headers) override {
    head_ = true;
    tell(run_, call_head{id_.serial, status, std::make_shared<const header_list>(std::move(headers))});
  }
  void on_data(bytes_ptr piece) override { tell(run_, call_data{id_.serial, std::move(piece)}); }
  void on_end(std::optional<http::call_error> error, const http::call_summary& summary) override {
    if (cut_ && error && error->what == failure_class::cancelled)
      error = http::call_error{head_ ? failure_class::truncated : failure_class::reset, of_drill};
    tell(run_, call_end{id_.serial, std::move(error), summary});
    letter<call_over>::post(caf::actor_cast<caf::strong_actor_ptr>(upstream_), call_over{id_});
  }

  /// From any thread: if it is cancelled now, that is its provider's doing.
  void cut() noexcept { cut_ = true; }

  static constexpr auto of_drill = "broken by a drill";

private:
  lease_id id_;
  run_actor run_;
  upstream_actor upstream_;
  governor_actor governor_;
  bool head_ = false;
  std::atomic<bool> cut_{false};
};

namespace {

/// What the field's providers say.
constexpr auto storm_body = R"({"error":{"message":"Rate limit reached: a drill","type":"requests","param":null,)"
                            R"("code":"rate_limit_exceeded"}})";

void refuse_as_rate_limited(call_reporter& to, duration pause, instant now) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(pause).count();
  to.on_sent(now);
  to.on_head(429, {{"content-type", "application/json"}, {"retry-after-ms", std::to_string(ms)}});
  to.on_data(make_bytes(storm_body));
  to.on_end({}, {now});
}

void fail(call_reporter& to, failure_class what, instant sent_at = {}) {
  to.on_end(http::call_error{what, call_reporter::of_drill}, {sent_at});
}

struct upstream_state {
  static inline const char* name = "upstream";
  std::shared_ptr<upstream_store> store;

  upstream_actor own_name;

  void cancel(std::unordered_map<lease_id, upstream_store::call>::iterator it) {
    store->client->cancel(it->second.handle);
    ++store->cancelled;
    store->open.erase(it);
  }

  void place(place_call& call) {
    const auto held = store->open.find(call.id);
    if (call.waited ? held == store->open.end() : held != store->open.end() || unwanted(call.id)) return;
    if (call.waited && held->second.reporter) return; // it has left already
    if (!caf::actor_cast<run_actor>(call.run)) {
      store->open.erase(call.id);
      return;
    }
    const auto now = clock::now();
    const auto& drill = store->drill;
    auto& here = store->open[call.id];
    if (!call.waited && drill.breaks(drill_kind::slow, now)) return hold(here, call, now);
    here.held.reset();
    here.reporter = std::make_shared<call_reporter>(call, own_name);
    ++store->placed;
    if (drill.breaks(drill_kind::provider_down, now))
      fail(*here.reporter, failure_class::connect_failed);
    else if (drill.breaks(drill_kind::rate_limit, now))
      refuse_as_rate_limited(*here.reporter, drill.order.by_or_usual(), now);
    else if (std::min(call.what->timeouts.first_byte, call.what->timeouts.total) <= duration{})
      fail(*here.reporter, failure_class::first_byte_timeout, now);
    else
      here.handle = store->client->start(std::move(*call.what), here.reporter);
  }

  /// It comes again when its time has come, whoever is upstream then. The time counts as its provider's.
  void hold(upstream_store::call& here, const place_call& call, instant now) {
    auto& t = call.what->timeouts;
    const auto by = std::min({store->drill.order.by_or_usual(), t.first_byte, t.total});
    t.first_byte -= by;
    t.total -= by;
    auto later = call;
    later.waited = true;
    here.held = later;
    const auto front = caf::actor_cast<caf::strong_actor_ptr>(own_name);
    stable_front::later(front, now + by, [front, later] { letter<place_call>::post(front, later); });
  }

  void take(const drill_effect& d) {
    store->drill = d;
    if (!d.breaks(drill_kind::slow, clock::now()))
      for (auto& [id, call] : store->open)
        if (call.held)
          letter<place_call>::post(caf::actor_cast<caf::strong_actor_ptr>(own_name),
                                   *std::exchange(call.held, std::nullopt));
    if (!d.breaks(drill_kind::provider_down, clock::now())) return;
    for (auto& [id, call] : store->open)
      if (call.handle != 0) {
        call.reporter->cut();
        store->client->cancel(call.handle);
      }
  }

  bool unwanted(const lease_id& id) const {
    return std::any_of(store->cancelled_early.begin(), store->cancelled_early.end(),
                       [&](auto& u) { return u.owner == id.request && u.which.holds(id.serial); });
  }
  void do_not_place(request_id owner, serial_range which) {
    store->cancelled_early.push_back({owner, which});
    if (store->cancelled_early.size() > upstream_store::unwanted_limit) store->cancelled_early.pop_front();
  }
};

upstream_actor::behavior_type upstream_behavior(upstream_actor::stateful_pointer<upstream_state> self,
                                                std::shared_ptr<upstream_store> store, upstream_actor own_name) {
  live_supervised(self);
  auto& st = self->state;
  st.store = std::move(store);
  st.own_name = std::move(own_name);
  return {
      [&st](letter<place_call>& mail) {
        st.place(mail.content());
        mail.opened();
      },
      [&st](const letter<cancel_call>& mail) {
        auto& id = mail.content().id;
        if (auto it = st.store->open.find(id); it != st.store->open.end())
          st.cancel(it);
        else
          st.do_not_place(id.request, {id.serial, id.serial + 1});
        mail.opened();
      },
      [&st](const letter<add_credit>& mail) {
        auto& c = mail.content();
        if (auto it = st.store->open.find(c.id); it != st.store->open.end())
          st.store->client->add_credit(it->second.handle, c.bytes);
        mail.opened();
      },
      [&st](const letter<call_over>& mail) {
        st.store->open.erase(mail.content().id);
        mail.opened();
      },
      [&st](const letter<owner_gone>& mail) {
        st.do_not_place(mail.content().owner, mail.content().which);
        for (auto it = st.store->open.begin(); it != st.store->open.end();) {
          auto here = it++;
          if (here->first.request == mail.content().owner && mail.content().which.holds(here->first.serial))
            st.cancel(here);
        }
        mail.opened();
      },
      [&st](const drill_effect& d) { st.take(d); },
      [&st](const look&) {
        return upstream_view{st.store->provider, st.store->open.size(), st.store->placed, st.store->cancelled};
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [](const take_settings&) {}, // every call carries what it needs
  };
}

} // namespace

caf::strong_actor_ptr spawn_upstream(caf::actor_system& sys, std::shared_ptr<upstream_store> store,
                                     upstream_actor own_name) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(upstream_behavior, std::move(store), std::move(own_name)));
}

} // namespace mainstay
