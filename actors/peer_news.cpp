#include "actors/peer_news.hpp"

#include "actors/key_manager.hpp"
#include "actors/peer_news_words.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/glob.hpp"
#include "net/request_faults.hpp"
#include "net/sha256.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t mark_digits = 16; // 64 bits: enough to tell secrets apart, too few to be worth anything

struct peer_news_state {
  static inline const char* name = "peer_news";
  peer_news_actor::pointer self = nullptr;
  std::shared_ptr<peer_news_store> store;
  directory_ptr names;
  peer_news_actor own;
  struct known_secret {
    std::size_t hash;
    std::string mark;
  };
  std::map<std::string, known_secret> secrets; // by key
  struct known_provider {
    std::set<std::string> ways, models;
    std::vector<std::string> patterns; // of models whose callers name the circuit
  };
  std::map<std::string, known_provider> providers;
  std::uint64_t generation = 0;

  void take(const config::settings& s, const directory_ptr& n) {
    names = n;
    auto nodes = s.cluster->peers;
    nodes.push_back(s.cluster->address);
    const auto under = "key.news " + cluster_name(std::move(nodes));
    secrets.clear();
    providers.clear();
    for (auto& p : s.providers) {
      for (auto& k : p.keys)
        secrets[k.name] = {secret_hash(k.secret_value),
                           hex(hmac_sha256(under, k.secret_value.reveal())).substr(0, mark_digits)};
      for (auto& w : p.ways) providers[p.name].ways.insert(w.name);
    }
    for (auto& m : s.models)
      for (auto& rung : m.ladder)
        for (auto& t : rung)
          if (t.model.empty() && m.pattern)
            providers[t.provider].patterns.push_back(m.name);
          else
            providers[t.provider].models.insert(t.model.empty() ? m.name : t.model);
    if (s.cache && s.cache->similar && s.cache->similar->embedding) {
      const auto& at = *s.cache->similar->embedding;
      providers[at.provider].models.insert(at.model);
    }
    store->circuits.forget_if([this](const auto& word) { return !here(word); });
    store->keys.forget_if([this](const auto& word) { return !here(word); });
  }

  /// Whether the settings have what it is about: nobody makes up names for our log and console.
  bool here(const circuit_word& word) const {
    const auto found = providers.find(word.provider);
    if (found == providers.end()) return false;
    const auto& [ways, models, patterns] = found->second;
    if (!word.way.empty() && !ways.contains(word.way)) return false;
    const auto matches = [&](auto& pattern) { return glob_match(pattern, word.model); };
    return word.model.empty() || models.contains(word.model) ||
           (!fault_of_model_name(word.model) && std::any_of(patterns.begin(), patterns.end(), matches));
  }

  bool here(const key_word& word) const {
    const auto secret = secrets.find(word.key);
    return secret != secrets.end() && secret->second.hash == word.secret_hash;
  }

  /// Again after a restart, for what was told meanwhile is lost: the cluster tells who is up.
  void introduce() {
    store->up.clear();
    for (const char* kind : {"circuit.", "key."})
      self->send(names->cluster, peer_listen{kind, caf::actor_cast<peer_listener>(own)});
    tell_due();
  }

  // -- telling

  void found(const circuit_word& word) {
    if (!here(word)) return;
    store->circuits.take(word, clock::now());
    tell_due();
  }

  void found(const key_word& word) {
    if (!here(word)) return;
    store->keys.take(word, clock::now());
    tell_due();
  }

  void tell_due() {
    const auto now = clock::now();
    const auto circuits = store->circuits.due(now);
    const auto keys = store->keys.due(now);
    for (auto& [peer, count] : store->up) tell(peer, circuits, keys, now);
    const auto next = std::min(store->circuits.next_due(now).value_or(instant::max()),
                               store->keys.next_due(now).value_or(instant::max()));
    ++generation;
    if (next != instant::max()) send_at(self, next, run_wake{generation});
  }

  /// What does not arrive is not said again at once: it ages there, and what lasts is renewed.
  void tell(const std::string& peer, const std::vector<circuit_word>& circuits, const std::vector<key_word>& keys,
            instant now) {
    in_pieces(circuits, [&](const auto& some) { say(peer, "circuit.news", words::circuits(some, now)); });
    const auto mark_of = [this](const std::string& key) { return secrets.at(key).mark; }; // the board has no other
    in_pieces(keys, [&](const auto& some) { say(peer, "key.news", words::keys(some, mark_of, now)); });
  }

  template <class Word, class Say>
  static void in_pieces(const std::vector<Word>& all, Say say) {
    for (std::size_t i = 0; i < all.size(); i += words::most_words)
      say(std::vector<Word>(all.begin() + static_cast<std::ptrdiff_t>(i),
                            all.begin() + static_cast<std::ptrdiff_t>(std::min(i + words::most_words, all.size()))));
  }

  void say(const std::string& peer, const char* kind, std::string head) {
    ++store->view.told;
    self->send(names->cluster, send_to{peer, kind, std::move(head), {}, {}});
  }

  void changed(const peer_changed& c) {
    const auto known = store->up.find(c.peer);
    if (c.up && known != store->up.end() && known->second.incarnation == c.incarnation) return; // told of each kind
    store->up.erase(c.peer);
    if (!c.up) return;
    store->up[c.peer].incarnation = c.incarnation;
    tell_all(c.peer);
    say(c.peer, "circuit.ask", "{}"); // it may have said so before anybody here listened
  }

  void tell_all(const std::string& peer) {
    const auto now = clock::now();
    tell(peer, store->circuits.standing(now), store->keys.standing(now), now);
  }

  // -- hearing

  void heard(const peer_said& said) {
    const auto now = clock::now();
    if (!may_speak(said.from, now)) return drop(1);
    if (said.kind == "circuit.news")
      hear(words::circuits_in(said.head, said.from, now));
    else if (said.kind == "key.news")
      hear(words::keys_in(said.head, said.from, now));
    else if (auto& asked = store->up.at(said.from).asked; said.kind == "circuit.ask" && now - asked >= 1s)
      asked = now, tell_all(said.from);
    else
      drop(1);
  }

  bool may_speak(const std::string& peer, instant now) {
    const auto who = store->up.find(peer);
    if (who == store->up.end()) return false;
    auto& count = who->second;
    if (now - count.second >= 1s) count.second = now, count.messages = 0;
    return ++count.messages <= peer_news_store::most_a_second;
  }

  void drop(std::uint64_t n) { store->view.dropped += n; }

  void hear(std::optional<words::heard_circuits> all) {
    if (!all) return drop(1);
    drop(all->bad);
    for (auto& word : all->good) {
      const auto breaker = names->breakers.find(word.provider);
      if (breaker == names->breakers.end() || !here(word)) {
        drop(1);
        continue;
      }
      ++store->view.circuits;
      self->send(breaker->second, std::move(word));
    }
  }

  void hear(std::optional<words::heard_keys> all) {
    if (!all) return drop(1);
    drop(all->bad);
    for (auto& [word, mark] : all->good) {
      const auto known = secrets.find(word.key);
      if (known == secrets.end()) {
        drop(1);
      } else if (known->second.mark != mark) {
        ++store->view.other_secrets;
      } else {
        ++store->view.keys;
        self->send(names->key_manager, std::move(word));
      }
    }
  }
};

peer_news_actor::behavior_type peer_news_behavior(peer_news_actor::stateful_pointer<peer_news_state> self,
                                                  std::shared_ptr<peer_news_store> store, config::settings_ptr settings,
                                                  directory_ptr names, peer_news_actor own) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.own = std::move(own);
  st.take(*settings, names);
  st.introduce();
  return {
      [&st](const peer_said& said) { st.heard(said); },
      [&st](const peer_changed& c) { st.changed(c); },
      [](const peer_refused&) {}, // see tell
      [&st](const circuit_word& word) { st.found(word); },
      [&st](const key_word& word) { st.found(word); },
      [&st](const run_wake& w) {
        if (w.generation == st.generation) st.tell_due();
      },
      [&st](const look&) { return st.store->view; },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) {
        st.take(*s.value, s.names);
        for (const auto& [peer, _] : st.store->up) st.say(peer, "circuit.ask", "{}"); // of what was not here before
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

caf::strong_actor_ptr spawn_peer_news(caf::actor_system& sys, std::shared_ptr<peer_news_store> store,
                                      config::settings_ptr settings, directory_ptr names, peer_news_actor own) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn(peer_news_behavior, std::move(store), std::move(settings), std::move(names), std::move(own)));
}

} // namespace mainstay
