#include "actors/upstream.hpp"

#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

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
    tell(run_, call_head{id_.serial, status, std::make_shared<const header_list>(std::move(headers))});
  }
  void on_data(bytes_ptr piece) override { tell(run_, call_data{id_.serial, std::move(piece)}); }
  void on_end(std::optional<http::call_error> error, const http::call_summary& summary) override {
    tell(run_, call_end{id_.serial, std::move(error), summary});
    letter<call_over>::post(caf::actor_cast<caf::strong_actor_ptr>(upstream_), call_over{id_});
  }

private:
  lease_id id_;
  run_actor run_;
  upstream_actor upstream_;
  governor_actor governor_;
};

struct upstream_state {
  static inline const char* name = "upstream";
  std::shared_ptr<upstream_store> store;

  void cancel(std::unordered_map<lease_id, http::call_handle>::iterator it) {
    store->client->cancel(it->second);
    ++store->cancelled;
    store->open.erase(it);
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

upstream_actor::behavior_type behave(upstream_actor::stateful_pointer<upstream_state> self,
                                     std::shared_ptr<upstream_store> store, upstream_actor own_name) {
  live_supervised(self);
  auto& st = self->state;
  st.store = std::move(store);
  return {
      [&st, own_name](letter<place_call>& mail) {
        auto& call = mail.content();
        if (st.store->open.count(call.id) == 0 && !st.unwanted(call.id)) {
          auto run = caf::actor_cast<run_actor>(call.run);
          if (run) {
            auto handle =
                st.store->client->start(std::move(*call.what), std::make_shared<call_reporter>(call, own_name));
            st.store->open.emplace(call.id, handle);
            ++st.store->placed;
          }
        }
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
          st.store->client->add_credit(it->second, c.bytes);
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
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(behave, std::move(store), std::move(own_name)));
}

} // namespace mainstay
