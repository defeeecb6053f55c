#include "actors/embedding_call.hpp"

#include "actors/intake.hpp"
#include "actors/key_manager.hpp"
#include "actors/reply_labels.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/token_estimate.hpp"
#include "net/chat_answer.hpp"
#include "net/embeddings.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t answer_limit = 1u << 20;
constexpr auto grace = 200ms;      // the call's own time is over first, and says what was slow
constexpr auto own_patience = 5ms; // before our time is over: what ended then was ended by us

template <class Handle>
caf::strong_actor_ptr pointer(const Handle& h) {
  return caf::actor_cast<caf::strong_actor_ptr>(h);
}

struct embedding_state {
  static inline const char* name = "embedding_call";
  run_actor::pointer self = nullptr;
  embedding_order order;
  lease_id id{new_request_number(), 1};
  bool asked = false, placed = false;
  std::string key;
  std::size_t key_hash = 0;
  int status = 0;
  std::shared_ptr<const header_list> headers;
  std::string body;
  std::optional<instant> sent_at;
  instant send_by = instant::max();

  ~embedding_state() {
    give_back();
    tell_result({});
  }

  void tell_result(std::vector<float> values) {
    if (auto done = std::exchange(order.done, nullptr)) done(std::move(values));
  }

  /// Whatever is still lent, or on its way to be.
  void give_back() {
    if (!std::exchange(asked, false)) return;
    const owner_gone all{id.request, {}};
    letter<owner_gone>::post(pointer(order.names->governor), all);
    letter<owner_gone>::post(pointer(order.names->breakers.at(order.at.provider)), all);
    letter<owner_gone>::post(pointer(order.names->upstreams.at(order.at.provider)), all);
  }

  std::uint64_t tokens() const {
    text_profile t;
    t.add(order.text);
    return t.tokens();
  }

  void start() {
    if (!order.names->breakers.count(order.at.provider)) return self->quit(); // not in use any more
    asked = true;
    capacity_request ask;
    ask.id = id;
    ask.client = "similar";
    ask.level = priority::low;
    ask.targets = {order.at};
    ask.tokens = tokens();
    ask.wait_until = order.may_wait ? order.until : clock::now();
    ask.expires = order.until + 1min;
    ask.wait_for_circuits = false;
    self->request(order.names->governor, caf::infinite, std::move(ask))
        .then(
            [this](const capacity_reply& r) {
              if (!r.granted) return self->quit();
              key = r.got.key;
              send_by = r.got.send_by;
              ask_for_permit();
            },
            [this](const caf::error&) { self->quit(); });
  }

  void ask_for_permit() {
    self->request(order.names->breakers.at(order.at.provider), caf::infinite, ask_permit{id, order.at.model, 0, {}})
        .then(
            [this](const permit_reply& r) {
              if (r.permit.granted && place(r.permit.way)) return;
              letter<settle_lease>::post(pointer(order.names->governor), settle_lease{id, {false, {}, {}}});
              self->quit(); // a permit goes back with its owner
            },
            [this](const caf::error&) { self->quit(); });
  }

  bool place(const std::string& by) {
    const auto* provider = order.settings->provider(order.at.provider);
    if (!provider) return false;
    const auto k = std::find_if(provider->keys.begin(), provider->keys.end(), [&](auto& k) { return k.name == key; });
    const auto left = order.until - clock::now();
    const auto* way = provider->way(by);
    if (k == provider->keys.end() || !way || left <= 0ms) return false;
    key_hash = secret_hash(k->secret_value);
    auto call = std::make_shared<http::call>();
    call->url = way->base_url + "/embeddings";
    call->header_lines = {"content-type: application/json", "accept: application/json"};
    call->authorization = secret("authorization: Bearer " + k->secret_value.reveal());
    call->body = {make_bytes(embeddings_request(order.at.model, order.text))};
    const auto& t = provider->timeouts;
    call->timeouts = {std::min(t.connect, left), std::min(t.first_byte, left), std::min(t.idle, left), left};
    call->credit = answer_limit + 1;
    call->send_by = send_by;
    call->proxy = way->proxy;
    call->pool = provider->name;
    placed = true;
    letter<place_call>::post(
        pointer(order.names->upstreams.at(order.at.provider)),
        place_call{id, std::move(call), caf::actor_cast<caf::actor_addr>(self), pointer(order.names->governor)});
    return true;
  }

  void on_data(const call_data& data) {
    if (body.size() + data.piece->size() > answer_limit) return failed(failure_class::malformed, {});
    body += *data.piece;
  }

  void on_end(const call_end& end) {
    placed = false;
    if (end.summary.sent_at != instant{}) sent_at = end.summary.sent_at;
    if (end.error && end.error->unsent) {
      settle({false, {}, {}}, failure_class::cancelled, {});
      return self->quit();
    }
    if (end.error && status < 300)
      return failed(end.error->kept_connection ? failure_class::cancelled : end.error->what, {});
    if (status < 200 || status >= 300) {
      const auto said = read_error(status, headers ? *headers : header_list{}, body, std::chrono::system_clock::now());
      return failed(classify(said), said.retry_after);
    }
    auto got = read_embedding(body);
    if (!got) return failed(failure_class::malformed, {});
    settle({true, got->tokens ? got->tokens : tokens(), true, false, sent_at}, {}, {});
    tell_result(std::move(got->values));
    self->quit();
  }

  /// What took longer than we wait for it is nobody's fault but the model's, and was paid for all the same.
  void failed(failure_class what, std::optional<duration> retry_after) {
    const bool late = what == failure_class::first_byte_timeout || what == failure_class::idle_timeout ||
                      what == failure_class::total_timeout;
    if (late && clock::now() >= order.until - own_patience) {
      settle({true, tokens(), {}, false, sent_at}, what, {}, failure_class::deadline);
      return self->quit();
    }
    const auto whose = rules_of(what).whose;
    std::optional<bool> success;
    if (whose != blame::caller && whose != blame::nobody) success = false;
    settle({true, 0, success, what == failure_class::rate_limited, sent_at}, what, retry_after);
    self->quit();
  }

  void settle(governor::settlement how, std::optional<failure_class> what, std::optional<duration> retry_after,
              std::optional<failure_class> for_key = {}) {
    auto& n = *order.names;
    letter<settle_lease>::post(pointer(n.governor), settle_lease{id, std::move(how)});
    letter<settle_permit>::post(pointer(n.breakers.at(order.at.provider)),
                                settle_permit{id, what, order.at.model, {}, {}, {}});
    letter<key_outcome>::post(pointer(n.key_manager),
                              key_outcome{key, key_hash, for_key ? for_key : what, retry_after});
    if (placed) letter<cancel_call>::post(pointer(n.upstreams.at(order.at.provider)), cancel_call{id});
    placed = asked = false;
  }
};

run_actor::behavior_type embedding_call_behavior(run_actor::stateful_pointer<embedding_state> self,
                                                 embedding_order order) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.order = std::move(order);
  send_at(self, st.order.until + grace, run_wake{1});
  self->send(self, run_wake{0});
  return {
      [&st](const call_data& m) {
        if (st.placed) st.on_data(m);
      },
      [&st, self](const run_wake& w) {
        if (w.generation == 0)
          st.start();
        else
          self->quit();
      },
      [](const deadline_over&) {},
      [](const caller_left&) {},
      [](const flight_ended&) {},
      [](const flight_terms&) {},
      [](const patience_over&) {},
      [&st](const call_head& m) {
        st.status = m.status;
        st.headers = m.headers;
        if (auto limits = limits_in(*m.headers, st.key, st.order.at.model))
          st.self->send(st.order.names->governor, std::move(*limits));
      },
      [&st](const call_end& m) {
        if (st.placed) st.on_end(m);
      },
      [](const caller_progress&) {},
      [](const inject_fault& f) { fail_as_told(f); },
  };
}

} // namespace

void spawn_embedding_call(caf::actor_system& sys, embedding_order order) {
  sys.spawn(embedding_call_behavior, std::move(order));
}

} // namespace mainstay
