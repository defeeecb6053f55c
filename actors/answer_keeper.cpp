#include "actors/answer_keeper.hpp"

#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/answer_lives.hpp"

#include <optional>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t most_writes = 10'000, most_write_bytes = 32u << 20;
constexpr std::size_t batch = 256, batch_bytes = 4u << 20; // one transaction: a few milliseconds
constexpr std::size_t prune_step = 2 * batch;              // faster than it grows
constexpr auto rest = 2s;        // of a file that failed, and between looks for what is too old
constexpr auto patience = 100ms; // with another process that lets go of the file

std::optional<cache_file::bounds> bounds_in(const config::settings& s) {
  if (!s.cache || !s.cache->sqlite) return std::nullopt;
  return cache_file::bounds{s.cache->sqlite->entries, s.cache->sqlite->bytes, s.cache->lives.kept()};
}

struct answer_keeper_state {
  static inline const char* name = "answer_keeper";
  answer_keeper_actor::pointer self = nullptr;
  std::shared_ptr<answer_keeper_store> store;

  void take(const config::settings& s) {
    const auto bounds = bounds_in(s);
    const auto path = bounds ? s.cache->sqlite->path : "";
    if (bounds) store->bounds = *bounds;
    if (std::exchange(store->path, path) != path) {
      close();
      store->open_again_at = {};
      store->failing = false;
    }
    open();
  }

  void close() {
    store->up = false;
    store->file.reset();
    store->entries = store->bytes = 0;
  }

  /// Does it with the file, if there is one to be had now. False: it was not done.
  template <class Work>
  bool with_file(Work work) {
    if (!open()) return false;
    try {
      work(*store->file);
      show();
      return true;
    } catch (const sqlite::error& e) { return fail(e); }
  }

  bool open() {
    if (store->file) return true;
    if (store->path.empty() || clock::now() < store->open_again_at) return false;
    try {
      store->file = std::make_unique<cache_file>(store->path, std::chrono::system_clock::now(), patience);
      if (const auto& broken = store->file->found_broken(); !broken.moved_to.empty())
        log::error("cache {}; it was moved to {} and a new one begun", broken.what, broken.moved_to);
      show();
      store->up = true;
      return true;
    } catch (const sqlite::error& e) { return fail(e); }
  }

  bool fail(const sqlite::error& e) {
    ++store->failures;
    close();
    if (e.why() == sqlite::fault::broken && move_aside(e)) return false;
    store->open_again_at = clock::now() + rest;
    if (!std::exchange(store->failing, true)) log::warn("cache {}; going on without it", e.what());
    return false;
  }

  /// A page that is damaged shows when it is read.
  bool move_aside(const sqlite::error& why) {
    try {
      const auto to = sqlite::move_aside(store->path, std::chrono::system_clock::now());
      log::error("cache {}; it was moved to {} and a new one begun", why.what(), to);
      return true;
    } catch (const sqlite::error&) { return false; } // the next one who opens it says so
  }

  void show() {
    store->entries = store->file->entries();
    store->bytes = store->file->bytes();
  }

  void write() {
    const auto some = store->writes.take(batch, batch_bytes);
    if (some.empty()) return;
    const bool written = with_file([&](cache_file& f) {
      f.put(some);
      store->evictions += f.prune(store->bounds, std::chrono::system_clock::now(), prune_step);
    });
    if (!written) store->writes.lost(some.size());
    if (written && std::exchange(store->failing, false)) log::info("cache {} is written again", store->path);
  }

  /// Each batch is a message of its own, so that look-ups come in between.
  void on_writes() {
    write();
    if (!store->writes.empty()) self->send(self, writes_wait{});
  }

  void on_time() {
    std::size_t gone = 0;
    with_file([&](cache_file& f) {
      gone = f.prune(store->bounds, std::chrono::system_clock::now(), prune_step);
      store->evictions += gone;
    });
    send_at(self, gone == prune_step ? clock::now() : clock::now() + rest, keeper_due{});
  }

  disk_reply find(const std::string& key) {
    disk_reply out;
    with_file([&](cache_file& f) { out.what = f.find(key); });
    return out;
  }

  /// A new file instead of so many deletions. What waits to be written is older than the order.
  bool clear() {
    store->writes.clear();
    if (store->path.empty()) return true;
    if (!open()) return false;
    try {
      close();
      sqlite::remove_file(store->path);
    } catch (const sqlite::error& e) { return fail(e); }
    return open();
  }
};

answer_keeper_actor::behavior_type
answer_keeper_behavior(answer_keeper_actor::stateful_pointer<answer_keeper_state> self,
                       std::shared_ptr<answer_keeper_store> store, config::settings_ptr settings) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->set_exit_handler([&st, self](caf::exit_msg& msg) {
    while (st.store->up && !st.store->writes.empty()) st.write(); // the next daemon finds them
    self->quit(msg.reason);
  });
  st.take(*settings);              // before anybody's order: one to clear must find the file
  self->send(self, writes_wait{}); // a predecessor may have left some
  self->send(self, keeper_due{});
  return {
      [&st](const writes_wait&) { st.on_writes(); },
      [&st](const disk_ask& ask) { return st.find(ask.key); },
      [&st](const cache_clear&) { return st.clear(); },
      [&st](const keeper_due&) { st.on_time(); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { st.take(*s.value); },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

bool answer_writes::add(std::string key, cached_answer what) {
  std::lock_guard lock(guard_);
  const auto bytes = key.size() + what.completion->size();
  if (waiting_.size() >= most_writes || bytes_ + bytes > most_write_bytes) {
    ++dropped_;
    return false;
  }
  bytes_ += bytes;
  waiting_.push_back({std::move(key), std::move(what)});
  return waiting_.size() == 1;
}

std::vector<cache_file::entry> answer_writes::take(std::size_t most, std::size_t most_bytes) {
  std::lock_guard lock(guard_);
  std::vector<cache_file::entry> out;
  for (std::size_t sum = 0; !waiting_.empty() && out.size() < most && sum < most_bytes;) {
    const auto bytes = waiting_.front().key.size() + waiting_.front().what.completion->size();
    sum += bytes;
    bytes_ -= bytes;
    out.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return out;
}

void answer_writes::clear() {
  std::lock_guard lock(guard_);
  waiting_.clear();
  bytes_ = 0;
}

bool answer_writes::empty() const {
  std::lock_guard lock(guard_);
  return waiting_.empty();
}

void answer_writes::lost(std::size_t n) {
  std::lock_guard lock(guard_);
  dropped_ += n;
}

std::uint64_t answer_writes::dropped() const {
  std::lock_guard lock(guard_);
  return dropped_;
}

caf::strong_actor_ptr spawn_answer_keeper(caf::actor_system& sys, std::shared_ptr<answer_keeper_store> store,
                                          const config::settings_ptr& settings) {
  return caf::actor_cast<caf::strong_actor_ptr>(
      sys.spawn<caf::detached>(answer_keeper_behavior, std::move(store), settings));
}

} // namespace mainstay
