#include "actors/audit_keeper.hpp"

#include "actors/audit_entry.hpp"
#include "actors/log.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"

#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t batch = 512;    // lines of one write, some 250 KiB
constexpr auto gathering = 100ms;     // after the first line that waits: others come along
constexpr duration hangs_after = 10s; // a disk that does not answer
constexpr auto rest = 1s;             // of a file that failed, and between two looks after one that did not
constexpr auto call_patience = 100ms; // between looks for what a shared call came to
constexpr auto head_shown = 1h;       // so often the log says where the chain is

struct audit_keeper_state {
  static inline const char* name = "audit_keeper";
  audit_keeper_actor::pointer self = nullptr;
  std::shared_ptr<audit_store> store;
  instant due = instant::max();

  void again(instant when) {
    if (when >= due) return;
    due = when;
    send_at(self, when, keeper_due{});
  }

  /// A look that was asked for earlier may have come before this one.
  void on_time() {
    if (clock::now() < due) return;
    due = instant::max();
    if (const auto when = store->write(clock::now())) again(*when);
  }
};

audit_keeper_actor::behavior_type audit_keeper_behavior(audit_keeper_actor::stateful_pointer<audit_keeper_state> self,
                                                        std::shared_ptr<audit_store> store) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.store = std::move(store);
  self->send(self, writes_wait{}); // a predecessor may have left some
  return {
      [&st](const writes_wait&) { st.again(clock::now() + gathering); },
      [&st](const keeper_due&) { st.on_time(); },
      [](const inject_fault& f) { fail_as_told(f); },
      [&st](const take_settings& s) { // another path needs a restart
        if (s.value->audit) st.store->rotate_at(s.value->audit->rotate);
      },
      [self](const ask_backlog&) { return waiting_messages(self); },
  };
}

} // namespace

audit_store::audit_store(const config::audit_settings& s)
  : file_(s.path, std::chrono::system_clock::now()), path_(s.path), rotate_(s.rotate), seq_(file_.head().seq) {
  if (!file_.torn_part().empty())
    log::warn("audit {}: its last line was not whole; what there was of it is in {}", path_, file_.torn_part());
}

bool audit_store::add(const run_report& r, const bytes_ptr& asked) {
  auto entry = entry_of(r);
  if (asked && !r.flight) entry.request = audit_text(*asked);
  std::lock_guard lock(guard_);
  if (r.flight)
    queue_.add_call(r.number, entry);
  else
    queue_.add(std::move(entry), r.shared, clock::now());
  return !std::exchange(told_, true);
}

bool audit_store::add(audit_change c) {
  audit_entry entry;
  entry.time = std::chrono::system_clock::now();
  entry.outcome = c.why.empty() ? "ok" : "failed";
  entry.cost_usd = 0;
  for (auto* text : {&c.what, &c.name, &c.with, &c.why}) *text = audit_text(*text, longest_of_change); // they wait
  entry.change = std::make_shared<const audit_change>(std::move(c));
  std::lock_guard lock(guard_);
  queue_.add(std::move(entry), 0, clock::now());
  return !std::exchange(told_, true);
}

bool audit_store::failing() const {
  const auto began = began_.load();
  if (failing_ || (began != instant{} && clock::now() - began > hangs_after)) return true;
  std::lock_guard lock(guard_);
  return queue_.lost_untold() > 0;
}

std::uint64_t audit_store::lost() const {
  std::lock_guard lock(guard_);
  return queue_.lost();
}

/// False, and said once: it did not work.
template <class Work>
bool audit_store::try_to(Work work) {
  try {
    work();
    return true;
  } catch (const audit_file_error& e) {
    if (!failing_.exchange(true))
      log::error("audit {}; requests are served all the same, their lines wait in memory", e.what());
    return false;
  }
}

std::optional<instant> audit_store::write(instant now) {
  {
    std::lock_guard lock(guard_);
    told_ = false;
    queue_.settle(now);
  }
  if (failing_ && now - tried_ < rest) return tried_ + rest;
  tried_ = now;
  began_ = now;
  if (write_lines() && look_after(now) && failing_.exchange(false)) log::info("audit {} is written again", path_);
  began_ = instant{};
  std::lock_guard lock(guard_);
  if (failing_) return now + rest;
  if (!queue_.empty()) return now + call_patience;
  if (unsynced_) return looked_ + rest;
  return std::nullopt;
}

bool audit_store::write_lines() {
  for (;;) {
    auto some = [this] {
      std::lock_guard lock(guard_);
      return queue_.take(batch);
    }();
    if (some.empty()) return true;
    if (!try_to([&] { file_.append(some); })) {
      std::lock_guard lock(guard_);
      queue_.put_back(std::move(some));
      return false;
    }
    unsynced_ = true;
    seq_ = file_.head().seq;
    if (file_.size() >= rotate_ && !try_to([this] { file_.rotate(); })) return false;
  }
}

bool audit_store::look_after(instant now) {
  if (!unsynced_ || now - looked_ < rest) return true;
  looked_ = now;
  if (now - shown_ >= head_shown) show_head(now);
  return try_to([this] {
    file_.sync();
    unsynced_ = false;
    if (file_.in_place()) return;
    log::error("audit {}: the file is gone from its place; a new one goes on", path_);
    file_.open_again();
  });
}

/// A place outside the file that knows where it ended: a chain does not show that its end was cut off.
void audit_store::show_head(instant now) {
  shown_ = now;
  if (std::exchange(seq_shown_, file_.head().seq) == file_.head().seq) return;
  log::info("audit {}: line {} has the hash {}", path_, file_.head().seq, file_.head().hash);
}

void audit_store::last_word() {
  {
    std::lock_guard lock(guard_);
    queue_.settle(clock::now(), true);
  }
  if (write_lines()) try_to([this] { file_.sync(); });
  show_head(clock::now());
  std::lock_guard lock(guard_);
  const auto unwritten = queue_.size() + queue_.lost_untold();
  if (unwritten > 0) log::error("audit {}: {} requests have no line", path_, unwritten);
}

void write_change(audit_store* audit, const directory& names, audit_change c) {
  if (audit && audit->add(std::move(c))) caf::anon_send(names.audit_keeper, writes_wait{});
}

caf::strong_actor_ptr spawn_audit_keeper(caf::actor_system& sys, std::shared_ptr<audit_store> store) {
  return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn<caf::detached>(audit_keeper_behavior, std::move(store)));
}

} // namespace mainstay
