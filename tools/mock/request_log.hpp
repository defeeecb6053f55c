// The requests seen, the newest 100,000 of them, with what became of each. Not thread-safe: the provider's lock
// guards it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

struct log_entry {
  std::uint64_t n = 0; // from 1, never used twice, not even after a reset
  double time = 0;     // seconds since the mock's start
  double ended = -1;   // the same; below zero: not yet
  std::string method, path, model, key, idempotency_key, user, text;
  std::string fault; // empty: none
  int status = 0;    // sent; 0: none
  std::uint64_t tokens = 0, body_hash = 0, body_bytes = 0, connection = 0, parts = 0;
  bool stream = false, client_left = false;
};

struct log_query {
  std::string model, key;           // globs; empty: all
  std::uint64_t since = 0;          // entries with a greater n
  double since_time = -1;           // entries at or after it
  std::uint64_t limit = UINT64_MAX; // the newest so many
};

class request_log {
public:
  static constexpr std::size_t capacity = 200000;

  // The entry to fill in for the next request; its strings keep the memory of the one it replaces.
  log_entry& add();
  // The entry with that number, if it is still held.
  log_entry* find(std::uint64_t n);
  void clear();
  std::string as_json(const log_query& query) const; // a list, oldest first

private:
  std::vector<log_entry> ring_; // entry n is at n % capacity, once it has grown
  std::uint64_t last_ = 0, first_ = 1;
};

} // namespace mainstay::mock
