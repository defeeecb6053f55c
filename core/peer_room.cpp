#include "core/peer_room.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace mainstay {

namespace {

constexpr std::array<std::string_view, 5> reasons{"draining", "overloaded", "queue", "waiting", "shared"};

} // namespace

std::string_view to_string(move_reason why) noexcept { return reasons[static_cast<std::size_t>(why)]; }

std::optional<move_reason> move_reason_named(std::string_view text) noexcept {
  const auto found = std::find(reasons.begin(), reasons.end(), text);
  if (found == reasons.end()) return std::nullopt;
  return static_cast<move_reason>(found - reasons.begin());
}

void peer_room::heard(const std::string& peer, node_room said, std::uint64_t taken, instant now) {
  auto& p = peers_[peer];
  p.said = std::move(said);
  p.at = now;
  p.taken = taken;
}

void peer_room::lost(const std::string& peer) { peers_.erase(peer); }

std::optional<std::string> peer_room::choose(const std::vector<std::string>& providers, move_reason why, instant now) {
  using rank = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>; // free calls, places, seldom asked
  std::optional<rank> best;
  const std::string* chosen = nullptr;
  for (const auto& [name, p] : peers_) {
    if (!p.counts(now)) continue;
    const auto under_way = p.under_way();
    if (p.said.places <= under_way) continue;
    std::uint64_t slots = 0;
    for (const auto& provider : providers)
      if (const auto found = p.said.slots.find(provider); found != p.said.slots.end()) slots += found->second;
    slots -= std::min(slots, under_way);
    if (slots == 0 && why == move_reason::waiting) continue; // it would only wait there
    const rank its{slots, slots > 0 ? 0 : p.said.places - under_way, ~p.sent};
    if (best && its <= *best) continue;
    best = its;
    chosen = &name;
  }
  if (!chosen) return std::nullopt;
  ++peers_[*chosen].sent;
  return *chosen;
}

bool peer_room::take(const std::string& peer, instant now) {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || !found->second.counts(now)) return false;
  auto& p = found->second;
  if (p.said.places <= p.under_way()) return false;
  ++p.sent;
  return true;
}

void peer_room::over(const std::string& peer) {
  if (const auto found = peers_.find(peer); found != peers_.end()) ++found->second.over;
}

void peer_room::give_back(const std::string& peer) {
  const auto found = peers_.find(peer);
  if (found != peers_.end() && found->second.sent > 0) --found->second.sent;
}

bool peer_room::any(instant now) const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [&](auto& p) { return p.second.counts(now) && p.second.said.places > p.second.under_way(); });
}

const node_room* peer_room::of(const std::string& peer, instant now) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || found->second.at == instant{} || now - found->second.at > word_counts) return nullptr;
  return &found->second.said;
}

} // namespace mainstay
