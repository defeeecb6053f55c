#include "actors/key_manager.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"

namespace mainstay {

std::size_t secret_hash(const secret& s) { return std::hash<std::string>{}(s.reveal()); }

namespace {

std::vector<key_book::entry_settings> entries_of(const config::settings& s) {
  std::vector<key_book::entry_settings> out;
  for (auto& p : s.providers)
    for (auto& k : p.keys) out.push_back({k.name, p.rest, secret_hash(k.secret_value)});
  return out;
}

struct key_manager_state {
  static inline const char* name = "key_manager";
  key_manager_actor::pointer self = nullptr;
  std::shared_ptr<key_store> store;
  governor_actor governor;
  recovery_actor recovery;
  peer_news_actor news;

  void tell(const std::optional<key_standing>& standing) {
    if (!standing) return;
    self->send(governor, *standing);
    self->send(recovery, *standing);
    if (!news) return;
    if (auto word = store->policy.own_word(standing->key)) self->send(news, std::move(*word));
  }
  void tell_all() {
    for (auto& s : store->policy.standings()) tell(s);
  }
};

key_manager_actor::behavior_type key_manager_behavior(key_manager_actor::stateful_pointer<key_manager_state> self,
                                                      std::shared_ptr<key_store> store, governor_actor governor,
                                                      recovery_actor recovery, peer_news_actor news) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.governor = std::move(governor);
  st.recovery = std::move(recovery);
  st.news = std::move(news);
  st.tell_all();
  return {
      [&st](const letter<key_outcome>& mail) {
        auto& o = mail.content();
        auto secret = st.store->secrets.find(o.key);
        if (secret == st.store->secrets.end() || secret->second != o.secret_hash)
          return mail.opened(); // of a secret that is gone
        auto standing = st.store->policy.on_outcome(o.key, o.how, o.retry_after, clock::now());
        mail.opened();
        if (standing && standing->disabled && o.how)
          log::warn("key {} is disabled: its provider said {}", o.key, to_string(*o.how));
        st.tell(standing);
      },
      [&st](const key_order& order) {
        auto now = clock::now();
        auto standing = order.enable ? st.store->policy.enable(order.key, now)
                                     : st.store->policy.disable(order.key, std::string(key_book::by_operator), now);
        if (standing) log::info("key {} {} by an operator", order.key, order.enable ? "enabled" : "disabled");
        st.tell(standing);
        return standing.has_value();
      },
      [&st](const key_word& word) {
        auto standing = st.store->policy.advise(word, clock::now());
        if (standing && word.disabled)
          log::warn("key {} rests: its provider refused it at peer {}", word.key, word.from);
        st.tell(standing);
      },
      [&st](const look&) { return st.store->policy.views(clock::now()); },
      [self](const ask_backlog&) { return waiting_messages(self); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.store->reconfigure(*s.value);
        st.tell_all();
      },
  };
}

} // namespace

key_store::key_store(const config::settings& s) { reconfigure(s); }
void key_store::reconfigure(const config::settings& s) {
  auto entries = entries_of(s);
  secrets.clear();
  for (auto& e : entries) secrets.emplace(e.key, e.secret_hash);
  policy.reconfigure(entries);
}

caf::strong_actor_ptr spawn_key_manager(caf::actor_system& sys, std::shared_ptr<key_store> store, governor_actor g,
                                        recovery_actor r, peer_news_actor news) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(key_manager_behavior, std::move(store), std::move(g), std::move(r), std::move(news)));
}

} // namespace mainstay
