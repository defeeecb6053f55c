// Complete answers in memory: least recently used goes first, bounded by entries and by bytes, each entry for its time
// to live.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mainstay {

class answer_cache {
public:
  struct settings {
    std::size_t entries = 10000;
    std::size_t bytes = 256u << 20;
    duration ttl = 1h;
  };

  explicit answer_cache(settings);
  /// Smaller bounds evict at once; entries keep the time to live they were stored with.
  void reconfigure(settings);

  /// Null: not there, or too old (it is dropped then).
  std::shared_ptr<const std::string> get(const std::string& key, instant now);
  /// Stores or replaces. A value larger than a sixteenth of the byte bound is not kept.
  void put(const std::string& key, std::shared_ptr<const std::string> value, instant now);
  std::size_t clear();

  std::size_t size() const noexcept { return index_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::uint64_t evictions() const noexcept { return evictions_; }

private:
  struct entry {
    std::string key;
    std::shared_ptr<const std::string> value;
    instant until;
  };
  using place = std::list<entry>::iterator;
  void drop(place);
  void shrink();
  settings settings_;
  std::list<entry> order_;                            // most recently used first
  std::unordered_map<std::string_view, place> index_; // the keys live in order_
  std::size_t bytes_ = 0;
  std::uint64_t evictions_ = 0;
};

} // namespace mainstay
