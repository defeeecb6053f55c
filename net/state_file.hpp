// What must outlive a restart, in one SQLite file: what keys have used of their month, the week's load, what calls
// cost, what operators changed of the clients, and what a node of a cluster leaves for the next process. Owns the
// file's form and its version; what to write, and when, is its user's business. Every call may block on the disk: for
// threads that may. Promises: a file that is no database, or a damaged one, is kept under another name and a new one
// begun; a database of another program, or of a later version, is not touched.
#pragma once

#include "core/client_changes.hpp"
#include "core/cost_ledger.hpp"
#include "core/load_pattern.hpp"
#include "core/month_quota.hpp"
#include "core/quota_note.hpp"
#include "net/sqlite_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay {

class state_file {
public:
  /// Opens it, or begins a new one; who else has it is waited for, at most for `patience`. `now` names what is moved
  /// aside. Throws sqlite::error: locked by another process, no such folder, not ours.
  state_file(const std::string& path, utc_time now, duration patience = 1s);

  const std::string& path() const noexcept { return db_->path(); }
  /// The file that was found in its place and moved aside; empty: none was.
  const sqlite::broken_file& found_broken() const noexcept { return broken_; }

  std::vector<month_count> months();
  /// Writes them over those of the same keys, all or none; the others stay. Throws sqlite::error.
  void keep(const std::vector<month_count>&);

  load_pattern::cells load();
  /// Writes those that were seen, in whole tokens, all or none. Throws sqlite::error.
  void keep(const load_pattern::cells&);

  std::vector<cost_ledger::row> costs();
  /// Writes them over those of the same place, all or none, and deletes what is older than the ledger keeps. Throws
  /// sqlite::error.
  void keep(const std::vector<cost_ledger::row>&);

  std::vector<client_change> clients();
  /// Writes it over that of the same client; one that says nothing is deleted. Times in whole seconds. Throws
  /// sqlite::error.
  void keep(const client_change&);

  /// The latest; none: no process of a cluster ran with this file, or another one since.
  std::optional<quota_note> quotas();
  /// Writes it over the one before, times in whole milliseconds; none deletes it. Throws sqlite::error.
  void keep(const std::optional<quota_note>&);

private:
  explicit state_file(sqlite::opened_file opened) : broken_(std::move(opened.broken)), db_(std::move(opened.db)) {}
  sqlite::broken_file broken_;
  std::unique_ptr<sqlite::database> db_;
};

} // namespace mainstay
