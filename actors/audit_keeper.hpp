// The audit keeper: writes a line for every request that is over, and every change by an operator (core/audit_chain),
// to the audit's file. Has a thread of its own, because disks block. Lines wait in a bounded queue and are written many
// at a time, every tenth of a second; the disk is told to have them once a second. A file that fails costs nobody a
// request: the queue waits with what it can hold, what finds no room is counted and said in the next line, `failing`
// rings an alert, and the log says when that begins and ends. The store outlives the actor, and writes the last lines
// when no actor is left.
#pragma once

#include "actors/actors.hpp"
#include "core/audit_queue.hpp"
#include "net/audit_file.hpp"

#include <atomic>
#include <mutex>

namespace mainstay {

class audit_store {
public:
  /// Opens the file; throws audit_file_error where the daemon should not start.
  explicit audit_store(const config::audit_settings&);

  // From any thread.

  /// A run is over, which was asked that, or null. True: the keeper has to be told.
  bool add(const run_report&, const bytes_ptr& asked);
  /// Likewise of a change that was made, or refused, now.
  bool add(audit_change);
  /// Number of the last line.
  std::uint64_t seq() const noexcept { return seq_; }
  std::uint64_t lost() const;
  /// The file cannot be written, or the disk has not answered for a while.
  bool failing() const;
  const std::string& path() const noexcept { return path_; }

  // The keeper's own, or when there is none any more.

  void rotate_at(std::size_t bytes) noexcept { rotate_ = bytes; }
  /// Writes what there is. When there will be more to do; none: when something is added.
  std::optional<instant> write(instant now);
  /// All of it, whoever it still waits for.
  void last_word();

private:
  bool write_lines(); // false: not all
  bool look_after(instant now);
  void show_head(instant now);
  template <class Work>
  bool try_to(Work);

  mutable std::mutex guard_; // of queue_ and told_
  audit_queue queue_;
  bool told_ = false; // the keeper knows that there is something
  audit_file file_;
  const std::string path_;
  std::size_t rotate_;
  bool unsynced_ = false;
  instant tried_{}, looked_{}, shown_{};
  std::uint64_t seq_shown_ = 0;
  std::atomic<std::uint64_t> seq_{0};
  std::atomic<bool> failing_{false};
  std::atomic<instant> began_{instant{}}; // with the writing that is under way; nothing: none is
};

/// Adds it and tells the keeper. Without an audit nothing.
void write_change(audit_store*, const directory&, audit_change);

caf::strong_actor_ptr spawn_audit_keeper(caf::actor_system&, std::shared_ptr<audit_store>);

} // namespace mainstay
