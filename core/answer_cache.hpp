// Complete answers in memory, bounded by entries and by bytes. What stays is decided by S3-FIFO (Yang, Zhang, Qiu, Yue,
// Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023): new answers wait in a small queue, and only
// those that are asked for again there, or soon after they had to go, get into the main one. A question asked once thus
// never pushes out one that is asked often. Mainstay's own addition: an answer that took its provider longer per byte
// than those here on average gets one more round. Every operation is O(1), spread over many.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <deque>
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
    duration kept = 1h; // from its birth on; then an entry is gone
  };
  struct item {
    std::shared_ptr<const std::string> value;
    instant born{};         // when the provider gave it
    std::uint32_t cost = 0; // what it would take to have it again: milliseconds of a provider's time; 0: unknown
  };

  explicit answer_cache(settings);
  /// Smaller bounds evict at once.
  void reconfigure(settings);

  /// Null: not there, or too old (it is dropped then). Valid until the next call.
  const item* find(const std::string& key, instant now);
  /// Stores, or replaces what is not younger. A value larger than a sixteenth of the byte bound is not kept.
  void put(const std::string& key, item);
  void clear();

  std::size_t size() const noexcept { return index_.size(); }
  std::size_t bytes() const noexcept { return small_.bytes + main_.bytes; }
  std::uint64_t evictions() const noexcept { return evictions_; }

private:
  enum class home : std::uint8_t { small, main };
  struct entry {
    std::string key;
    item what;
    home where = home::small;
    std::uint8_t uses = 0; // since it came or last got away, at most most_uses
  };
  using place = std::list<entry>::iterator;
  struct queue {
    std::list<entry> entries; // the newest first
    std::size_t bytes = 0;
  };
  /// Of those that had to leave the small queue, so that they are known if they come again soon.
  class ghosts {
  public:
    void add(std::uint64_t who, std::size_t most);
    bool forget(std::uint64_t who); // false: it was not there
    void clear();

  private:
    struct gone {
      std::uint64_t who, turn;
    };
    std::deque<gone> order_;
    std::unordered_map<std::uint64_t, std::uint64_t> turns_; // of who is still one
    std::uint64_t next_ = 0;
  };

  queue& queue_of(const entry& e) noexcept { return e.where == home::small ? small_ : main_; }
  void drop(place);
  void evict(place);
  void promote(place);
  void shrink();
  bool too_much() const noexcept;
  bool small_has_its_share() const noexcept;
  void make_room_in_small();
  void make_room_in_main();
  bool dear(const entry&) const noexcept;
  void count(const entry&, bool comes) noexcept;

  settings settings_;
  queue small_, main_;
  ghosts ghosts_;
  std::unordered_map<std::string_view, place> index_; // the keys live in the queues
  std::uint64_t cost_ = 0;                            // of all entries
  std::uint64_t evictions_ = 0;
};

} // namespace mainstay
