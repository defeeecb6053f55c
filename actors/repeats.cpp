#include "actors/repeats.hpp"

#include "actors/supervised.hpp"

#include <unordered_map>

namespace mainstay {

namespace {

using verdict = repeat_book::verdict;
using promise = caf::typed_response_promise<repeat_reply>;

constexpr auto forget_every = 10s;
constexpr auto recall_patience = 5s; // of a disk that hangs

repeat_book::bounds bounds_of(const config::settings& s) {
  repeat_book::bounds b;
  if (s.journal) b.life = s.journal->retention;
  return b;
}

struct repeats_state {
  static inline const char* name = "repeats";
  repeats_actor::pointer self = nullptr;
  std::shared_ptr<repeats_store> store;
  journal_actor journal;
  std::unordered_map<std::uint64_t, promise> waiting; // by who asked
  instant swept{};

  ~repeats_state() {
    for (auto& [who, p] : waiting) p.deliver(caf::make_error(caf::sec::request_receiver_down));
  }

  caf::result<repeat_reply> ask(const repeat_ask& q) {
    auto now = clock::now();
    sweep(now);
    auto t = store->book.ask(q.key, q.who, now);
    auto p = self->make_response_promise<promise>();
    waiting[t.who] = p;
    if (t.what != verdict::wait) tell(q.key, t);
    return p;
  }

  void sweep(instant now) {
    if (now - swept < forget_every) return;
    swept = now;
    for (auto& [key, t] : store->book.sweep(now)) tell(key, t);
  }

  void tell(const std::string& key, const repeat_book::told& t) {
    switch (t.what) {
    case verdict::first: return journal ? recall(key, t.who) : answer(t.who, {repeat_reply::way::first, nullptr});
    case verdict::repeated: return answer(t.who, {repeat_reply::way::repeated, t.answer});
    case verdict::other_body: return answer(t.who, {repeat_reply::way::other_body, nullptr});
    case verdict::wait: return;
    }
  }

  void answer(std::uint64_t who, repeat_reply r) {
    if (auto node = waiting.extract(who)) node.mapped().deliver(std::move(r));
  }

  /// Before the first one runs: perhaps its answer is on disk since before.
  void recall(const std::string& key, std::uint64_t who) {
    self->request(journal, recall_patience, repeat_recall{key})
        .then(
            [this, key, who](const repeat_recalled& r) {
              if (!r.available) return unavailable(key, who);
              if (!r.answer) return answer(who, {repeat_reply::way::first, nullptr});
              for (auto& t : store->book.found(key, r.fingerprint, r.answer)) tell(key, t);
            },
            [this, key, who](const caf::error& e) {
              if (e == caf::sec::request_timeout) return unavailable(key, who);
              if (auto node = waiting.extract(who)) // it died: whoever asked us asks again
                node.mapped().deliver(caf::make_error(caf::sec::request_receiver_down));
            });
  }

  void unavailable(const std::string& key, std::uint64_t who) {
    answer(who, {repeat_reply::way::unavailable, nullptr});
    for (auto& t : store->book.over(key, who, nullptr, clock::now())) tell(key, t);
  }

  void over(const repeat_over& o) {
    auto* first = store->book.first(o.key);
    if (journal && o.answer && first && first->who == o.who)
      letter<repeat_keep>::post(caf::actor_cast<caf::strong_actor_ptr>(journal),
                                repeat_keep{o.key, first->fingerprint, o.answer});
    for (auto& t : store->book.over(o.key, o.who, o.answer, clock::now())) tell(o.key, t);
    waiting.erase(o.who);
  }
};

repeats_actor::behavior_type repeats_behavior(repeats_actor::stateful_pointer<repeats_state> self,
                                              std::shared_ptr<repeats_store> store, journal_actor journal) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  st.journal = std::move(journal);
  return {
      [&st](const repeat_ask& q) { return st.ask(q); },
      [&st](const letter<repeat_over>& mail) {
        st.over(mail.content());
        mail.opened();
      },
      [&st](const look&) {
        auto& b = st.store->book;
        return repeats_view{b.answers(), b.bytes(), b.under_way(), b.waiting()};
      },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.store->book.set_bounds(bounds_of(*s.value)); },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

repeats_store::repeats_store(const config::settings& s) : book(bounds_of(s)) {}

std::string repeat_key(const std::string& client, const std::string& key) { return client + "\n" + key; }

caf::strong_actor_ptr spawn_repeats(caf::actor_system& sys, std::shared_ptr<repeats_store> store, journal_actor j) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn(repeats_behavior, std::move(store), std::move(j)));
}

} // namespace mainstay
