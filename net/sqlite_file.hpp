// A SQLite file of Mainstay's own: which one it is stands in its head (application_id, user_version). Promises: a file
// that is no database, or a damaged one, is kept under another name and a new one begun; a database of another program,
// or of a later version of ours, is not touched; one of an earlier version is brought up to date, wholly or not at all.
#pragma once

#include "net/sqlite.hpp"

#include <span>

namespace mainstay::sqlite {

struct file_form {
  std::int64_t mark, version;                 // `file` and SQLite show the mark as application_id
  const char* schema;                         // of a new one
  bool check_whole;                           // when it is opened; else what is broken is found when it is read
  std::span<const char* const> upgrades = {}; // the first makes version 2 of version 1, and so on
};

/// What was found in the file's place and moved aside.
struct broken_file {
  std::string what, moved_to; // what was wrong with it; empty: nothing was
};

struct opened_file {
  std::unique_ptr<database> db;
  broken_file broken;
};

/// Opens it, or begins a new one; who else has it is waited for, at most for `patience`. `now` names what is moved
/// aside. Throws sqlite::error: locked by another process, no such folder, not ours.
opened_file open_file(const std::string& path, const file_form&, utc_time now, duration patience);

/// Renames it and what SQLite keeps beside it; returns the new name. It must not be open.
std::string move_aside(const std::string& path, utc_time now);
/// Deletes it and what SQLite keeps beside it. It must not be open.
void remove_file(const std::string& path);

} // namespace mainstay::sqlite
