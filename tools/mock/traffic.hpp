// Counters of what came and how it went, by model and by key, and the highest rates ever seen. Not thread-safe: the
// provider's lock guards it.
#pragma once

#include "tools/mock/limits.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace mainstay::mock {

// The most that was ever inside one sliding window. Exact while the window holds under 4096 entries; above that,
// arrivals within a millisecond share an entry, which bounds the memory.
class peak_window {
public:
  explicit peak_window(span window) : window_(window) {}
  void add(instant now, std::uint64_t tokens);
  std::uint64_t most_requests() const { return most_requests_; }
  std::uint64_t most_tokens() const { return most_tokens_; }

private:
  struct entry {
    instant at;
    std::uint64_t requests, tokens;
  };
  span window_;
  std::deque<entry> entries_;
  std::uint64_t requests_ = 0, tokens_ = 0, most_requests_ = 0, most_tokens_ = 0;
};

struct tally {
  std::uint64_t requests = 0, finished = 0, client_left = 0, tokens = 0, open = 0, most_open = 0;
  std::map<std::string, std::uint64_t, std::less<>> results; // by status sent, or by the fault's name

  void begin();
  void end(std::string_view result, bool left, std::uint64_t sent_tokens);
  void append_json(std::string& out) const; // fields without braces
};

struct key_tally : tally {
  peak_window minute{std::chrono::seconds(60)}, second{std::chrono::seconds(1)};
};

struct traffic {
  tally all;
  std::map<std::string, std::shared_ptr<tally>, std::less<>> models;
  std::map<std::string, std::shared_ptr<key_tally>, std::less<>> keys;

  void append_json(std::string& out) const; // fields without braces
};

// The entry for `name`, made if need be; beyond 10,000 different names all new ones share "(other)".
template <class Map>
auto& entry_for(Map& map, std::string_view name) {
  constexpr std::size_t most_names = 10000;
  auto found = map.find(name);
  if (found != map.end()) return found->second;
  return map[map.size() < most_names ? std::string(name) : "(other)"];
}

} // namespace mainstay::mock
