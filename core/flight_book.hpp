// Equal requests that share one upstream call, a flight: who leads, who joins, who is left. Promises: of those who come
// under one key while a flight is open, one leads and the others join it; a flight without anybody left is cancelled
// once; it lives by the latest deadline and the highest level of all who ever joined. Who looked into the cache before
// a flight's answer was put there, and asks for a seat after, is told to look again: nobody falls in between and buys a
// second call. Asking and leaving again change nothing. No clock of its own.
#pragma once

#include "core/clock.hpp"
#include "core/priority.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace mainstay {

class flight_book {
public:
  using number = std::uint64_t; // of requests and flights alike, never used twice

  /// What a request brings to its flight.
  struct terms {
    instant until{}; // its deadline
    priority level = priority::normal;
  };
  struct seat {
    number flight = 0;
    bool leads = false;
    bool look_again = false;      // no seat: the answer is in the cache by now
    std::optional<terms> changed; // what the flight lives by from now on, where that is new
  };

  static constexpr duration landed_for = 250ms; // longer than a look into any tier of the cache takes

  /// A seat on the open flight under this key; none if there is none. `looked`: when it looked into the cache.
  std::optional<seat> join(const std::string& key, number who, const terms&, instant looked, instant now);
  /// Nobody flies under this key: `who` leads a new flight.
  void lead(const std::string& key, number flight, number who, const terms&);
  /// The flight whose last one left: it is to be cancelled, and nobody joins it any more. None: somebody is left.
  std::optional<number> leave(number who);
  /// Nobody may join it any more: they would not get all of it.
  void close(number flight);
  /// It is over. `landed`: its answer was given to the cache.
  void over(number flight, bool landed, instant now);

  std::size_t under_way() const noexcept { return flights_.size(); }
  std::size_t callers() const noexcept { return seats_.size(); }
  std::uint64_t saved() const noexcept { return saved_; } // calls that nobody had to make

private:
  struct flight {
    std::string key;
    number leader = 0;
    terms lives_by;
    std::unordered_set<number> callers;
  };
  void forget(number);
  void forget_landed(instant now);

  std::unordered_map<std::string, number> open_; // by key
  std::unordered_map<number, flight> flights_;
  std::unordered_map<number, number> seats_;          // by who
  std::unordered_map<std::string, instant> landed_;   // by key: when last
  std::deque<std::pair<std::string, instant>> queue_; // of landings, the oldest in front
  std::uint64_t saved_ = 0;
};

} // namespace mainstay
