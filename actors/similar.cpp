#include "actors/similar.hpp"

#include "actors/embedding_call.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "net/similar_question.hpp"

#include <unordered_map>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t most_index_writes = 1'000, most_index_bytes = 16u << 20;
constexpr std::size_t most_questions = 64, most_answers = 2; // that are being embedded
constexpr std::size_t most_remembered = 256;                 // vectors of questions that had no answer yet

using ask_promise = caf::typed_response_promise<similar_reply>;

struct similar_state {
  static inline const char* name = "similar";
  similar_actor::pointer self = nullptr;
  std::shared_ptr<similar_store> store;
  config::settings_ptr settings;
  directory_ptr names;
  struct question {
    similar_question what;
    ask_promise promise;
  };
  struct answer {
    similar_question what;
    bytes_ptr completion;
  };
  std::unordered_map<std::uint64_t, question> questions; // being embedded
  std::unordered_map<std::uint64_t, answer> answers;     // likewise
  std::unordered_map<std::string, std::vector<float>> remembered;
  std::uint64_t next = 1;

  ~similar_state() {
    for (auto& [id, q] : questions) q.promise.deliver(similar_reply{});
  }

  // -- the store

  /// What throws half-way leaves a mark for the successor.
  template <class Work>
  auto at_work(Work work) {
    store->at_work = true;
    auto result = work();
    store->at_work = false;
    return result;
  }

  lexical_answers& words() {
    if (!store->by_words) store->by_words = std::make_unique<lexical_answers>(store->bounds);
    return *store->by_words;
  }
  embedded_answers& vectors() {
    if (!store->by_vectors) store->by_vectors = std::make_unique<embedded_answers>(store->bounds);
    return *store->by_vectors;
  }

  void forget() {
    store->by_words.reset();
    store->by_vectors.reset();
    remembered.clear();
    answers.clear();
    for (auto& [id, q] : std::exchange(questions, {})) q.promise.deliver(count(nullptr)); // to another model
  }

  void take(const take_settings& news) {
    if (news.names) names = news.names;
    settings = news.value;
    const auto& cache = settings->cache;
    store->enabled = cache && cache->similar;
    if (!store->enabled) return forget();
    const auto& how = *cache->similar;
    store->always = how.use == config::cache_settings::similar_answers::use_for::always;
    store->threshold = how.threshold;
    store->bounds = {how.entries, how.bytes, cache->lives.kept()};
    if (std::exchange(store->model, how.embedding) != how.embedding) forget();
    at_work([this] {
      if (store->by_words) store->by_words->reconfigure(store->bounds);
      if (store->by_vectors) store->by_vectors->reconfigure(store->bounds);
      return true;
    });
  }

  // -- looking up

  caf::result<similar_reply> find(const similar_ask& ask) {
    if (clock::now() >= ask.until) return count(nullptr); // what came too late costs the next ones nothing
    auto asked = store->enabled ? read_similar_question(ask.request, ask.scope) : std::nullopt;
    if (!asked || !read_question(asked->text)) return count(nullptr);
    if (!store->model)
      return count(at_work(
          [&] { return words().find(asked->partition, asked->text, store->threshold_now(), clock::now()).answer; }));
    if ((vectors().size() == 0 && !store->always) || questions.size() >= most_questions) return count(nullptr);
    const auto id = next++;
    auto promise = self->make_response_promise<ask_promise>();
    auto text = asked->text;
    questions.emplace(id, question{std::move(*asked), promise});
    embed(id, std::move(text), false);
    return promise;
  }

  similar_reply count(bytes_ptr completion) {
    ++(completion ? store->hits : store->misses);
    return {std::move(completion)};
  }

  // -- taking in

  /// One at a time, so that look-ups come in between.
  void on_writes() {
    if (answers.size() >= most_answers) return; // goes on when one of them is done
    auto one = store->writes.take();
    if (!one) return;
    self->send(self, writes_wait{});
    if (!store->enabled) return;
    auto asked = may_answer_similar(*one->completion) ? read_similar_question(one->request, one->scope) : std::nullopt;
    if (!asked || !read_question(asked->text)) {
      ++store->unfit;
    } else if (!store->model) {
      store->unfit += !at_work([&] {
        return words().put(asked->partition, std::move(asked->text), std::move(one->completion), clock::now());
      });
    } else if (const auto known = remembered.find(asked->text); known != remembered.end()) {
      keep({std::move(*asked), std::move(one->completion)}, known->second);
    } else {
      const auto id = next++;
      auto text = asked->text;
      answers.emplace(id, answer{std::move(*asked), std::move(one->completion)});
      embed(id, std::move(text), true);
    }
  }

  void keep(answer a, const std::vector<float>& vector) {
    store->unfit += !at_work([&] {
      return vectors().put(a.what.partition, std::move(a.what.text), vector, std::move(a.completion), clock::now());
    });
  }

  // -- the model

  /// A look-up does not queue: whoever asked would wait longer for what may be no use than for its answer.
  void embed(std::uint64_t id, std::string text, bool may_wait) {
    embedding_order order;
    order.settings = settings;
    order.names = names;
    order.at = {store->model->provider, store->model->model};
    order.text = std::move(text);
    order.until = clock::now() + store->model->timeout;
    order.may_wait = may_wait;
    order.done = [weak = caf::actor_cast<caf::actor_addr>(self), id](std::vector<float> vector) {
      // to this very actor, not to its successor
      if (auto to = caf::actor_cast<similar_actor>(weak)) tell(to, embedded{id, std::move(vector)}, nullptr);
    };
    spawn_embedding_call(self->system(), std::move(order));
  }

  void on_embedded(const embedded& e) {
    ++(e.vector.empty() ? store->not_embedded : store->embedded);
    const bool usable = !e.vector.empty() && store->model;
    if (const auto a = answers.find(e.id); a != answers.end()) {
      auto what = std::move(a->second);
      answers.erase(a);
      if (usable) keep(std::move(what), e.vector);
    }
    if (const auto q = questions.find(e.id); q != questions.end()) {
      auto waiting = std::move(q->second);
      questions.erase(q);
      bytes_ptr found;
      if (usable) found = near(waiting.what, e.vector);
      if (usable && !found && store->always) { // its answer will come by soon
        if (remembered.size() >= most_remembered) remembered.clear();
        remembered.emplace(std::move(waiting.what.text), e.vector);
      }
      waiting.promise.deliver(count(std::move(found)));
    }
    self->send(self, writes_wait{});
  }

  bytes_ptr near(const similar_question& asked, const std::vector<float>& vector) {
    return at_work([&] {
      return vectors().find(asked.partition, asked.text, vector, store->threshold_now(), clock::now()).answer;
    });
  }

  bool clear() {
    store->writes.clear();
    forget();
    return true;
  }

  similar_view view() const {
    auto& s = *store;
    similar_view v;
    v.method = s.model ? "embedding" : "lexical";
    v.threshold = s.threshold;
    v.threshold_now = s.threshold_now();
    v.always = s.always;
    v.hits = s.hits;
    v.misses = s.misses;
    v.unfit = s.unfit;
    v.dropped = s.writes.dropped();
    v.embedded = s.embedded;
    v.not_embedded = s.not_embedded;
    const auto measure = [&v](const auto& all) {
      v.entries = all.size();
      v.bytes = all.bytes();
      v.evictions = all.evictions();
    };
    if (s.by_vectors) measure(*s.by_vectors);
    if (s.by_words) {
      measure(*s.by_words);
      v.cut_short = s.by_words->cut_short();
    }
    return v;
  }
};

similar_actor::behavior_type similar_behavior(similar_actor::stateful_pointer<similar_state> self,
                                              std::shared_ptr<similar_store> store, config::settings_ptr settings,
                                              directory_ptr names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  if (std::exchange(st.store->at_work, false)) {
    log::warn("similar: the index of similar questions was left half-written and is begun anew");
    st.forget();
  }
  self->send(self, take_settings{std::move(settings), std::move(names)});
  self->send(self, writes_wait{}); // a predecessor may have left some
  return {
      [&st](const writes_wait&) { st.on_writes(); },
      [&st](const similar_ask& ask) { return st.find(ask); },
      [&st](const cache_clear&) { return st.clear(); },
      [&st](const provider_trouble& t) { st.store->trouble = t.now; },
      [&st](const embedded& e) { st.on_embedded(e); },
      [&st](const look&) { return st.view(); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.take(s); },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

bool similar_writes::add(one next) {
  std::lock_guard lock(guard_);
  const auto bytes = next.request->size() + next.completion->size();
  if (waiting_.size() >= most_index_writes || bytes_ + bytes > most_index_bytes) {
    ++dropped_;
    return false;
  }
  bytes_ += bytes;
  waiting_.push_back(std::move(next));
  return waiting_.size() == 1;
}

std::optional<similar_writes::one> similar_writes::take() {
  std::lock_guard lock(guard_);
  if (waiting_.empty()) return std::nullopt;
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= next.request->size() + next.completion->size();
  return next;
}

void similar_writes::clear() {
  std::lock_guard lock(guard_);
  waiting_.clear();
  bytes_ = 0;
}

std::uint64_t similar_writes::dropped() const {
  std::lock_guard lock(guard_);
  return dropped_;
}

caf::strong_actor_ptr spawn_similar(caf::actor_system& sys, std::shared_ptr<similar_store> store,
                                    const config::settings_ptr& settings, const directory_ptr& names) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn<caf::detached>(similar_behavior, std::move(store), settings, names));
}

} // namespace mainstay
