// The cache's file: complete answers in SQLite, by key. Every call may block on the disk: for threads that may. What is
// written may be lost with the machine's power, never with the process. Bounded by age, entries and bytes in small
// steps: whoever has been here longest goes first. Throws sqlite::error; after one of fault::broken the file is to be
// closed and moved aside.
#pragma once

#include "net/cached_answer.hpp"
#include "net/sqlite_file.hpp"

#include <vector>

namespace mainstay {

class cache_file {
public:
  cache_file(const std::string& path, utc_time now, duration patience = 1s);
  const sqlite::broken_file& found_broken() const noexcept { return broken_; }

  cached_answer find(const std::string& key);

  struct entry {
    std::string key;
    cached_answer what;
  };
  /// All or none, over those of the same keys.
  void put(const std::vector<entry>&);

  struct bounds {
    std::size_t entries = 1'000'000, bytes = std::size_t{1} << 30;
    duration kept = 25h;
  };
  /// Deletes what is too old or too much, at most so many; returns how many it were.
  std::size_t prune(const bounds&, utc_time now, std::size_t most);

  std::size_t entries() const noexcept { return entries_; }
  /// Of the file that are in use.
  std::size_t bytes() { return usage_.bytes(); }

private:
  explicit cache_file(sqlite::opened_file);
  sqlite::broken_file broken_;
  std::unique_ptr<sqlite::database> db_;
  sqlite::statement find_, has_, put_, oldest_, remove_;
  sqlite::usage usage_;
  std::size_t entries_ = 0;
};

} // namespace mainstay
