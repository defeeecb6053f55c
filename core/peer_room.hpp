// Which peer has room for a request that this node has none for: what peers said of themselves, less what was sent
// there since, so that thousands do not all go to the one that was free a moment ago. A peer says with its word how
// many it has had from here, which makes what is still under way exact. Promises: a peer's word counts for a second,
// and nothing goes to one that drains. Pure: leaves speaking and the clock to its owner.
#pragma once

#include "core/clock.hpp"

#include <algorithm>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// Why a request goes to a peer.
enum class move_reason : std::uint8_t {
  draining,   // this node takes no more
  overloaded, // too many are in flight here
  queue,      // its queue is full, or too long for the request's deadline
  waiting,    // it has waited for a free call for a while
  shared      // an equal one is under way there
};
std::string_view to_string(move_reason) noexcept;
std::optional<move_reason> move_reason_named(std::string_view) noexcept;

/// What a node says of itself.
struct node_room {
  bool draining = false;
  std::map<std::string, std::uint32_t> slots; // calls that could begin at once, by provider, less those who wait
  std::uint64_t places = 0;                   // requests that it would accept
  friend bool operator==(const node_room&, const node_room&) = default;
};

class peer_room {
public:
  static constexpr duration word_counts = 1s;

  /// `taken`: of all that was sent from here since the peer came up, so many had arrived when it spoke.
  void heard(const std::string& peer, node_room, std::uint64_t taken, instant now);
  /// It is gone, or another: nothing is known of it, and nothing under way to it.
  void lost(const std::string& peer);

  /// The one with most free calls at any of these providers or, where waiting there is better than here, with most
  /// places; of equals whoever had fewer from here. It counts as sent there until it is heard of, or given back.
  std::optional<std::string> choose(const std::vector<std::string>& providers, move_reason, instant now);
  /// To that one, if it would take it; counts as sent there likewise.
  bool take(const std::string& peer, instant now);
  /// One that was sent there is over: it is under way no more, whether the peer has spoken since or not.
  void over(const std::string& peer);
  /// It was not sent there after all.
  void give_back(const std::string& peer);

  /// Somebody would take a request that is refused here.
  bool any(instant now) const;
  /// Null: it said nothing of late.
  const node_room* of(const std::string& peer, instant now) const;

private:
  struct standing {
    node_room said;
    instant at{};
    std::uint64_t sent = 0, taken = 0, over = 0;
    std::uint64_t under_way() const noexcept { return sent - std::min(sent, std::max(taken, over)); }
    bool counts(instant now) const noexcept { return at != instant{} && now - at <= word_counts && !said.draining; }
  };
  std::map<std::string, standing> peers_;
};

} // namespace mainstay
