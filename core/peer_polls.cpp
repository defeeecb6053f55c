#include "core/peer_polls.hpp"

#include <algorithm>

namespace mainstay {

peer_polls::number peer_polls::begin(poll p) {
  if (all_.size() >= most_) return 0;
  all_.emplace(++last_, std::move(p));
  return last_;
}

const peer_polls::poll* peer_polls::find(number n) const noexcept {
  const auto found = all_.find(n);
  return found == all_.end() ? nullptr : &found->second;
}

bool peer_polls::answered(number n, const std::string& peer) {
  const auto found = all_.find(n);
  return found != all_.end() && found->second.awaited.erase(peer) > 0;
}

bool peer_polls::fell_silent(number n, const std::string& peer, const std::string& why) {
  if (!answered(n, peer)) return false;
  all_.at(n).silent[peer] = why;
  return true;
}

std::vector<peer_polls::number> peer_polls::lost(const std::string& peer, const std::string& why) {
  std::vector<number> told;
  for (auto& [n, p] : all_)
    if (p.awaited.erase(peer) > 0) {
      p.silent[peer] = why;
      told.push_back(n);
    }
  return told;
}

std::vector<peer_polls::number> peer_polls::late(instant now, const std::string& why) {
  std::vector<number> told;
  for (auto& [n, p] : all_) {
    if (p.until > now || p.over()) continue;
    for (auto& peer : p.awaited) p.silent[peer] = why;
    p.awaited.clear();
    told.push_back(n);
  }
  return told;
}

instant peer_polls::due() const noexcept {
  auto next = instant::max();
  for (auto& [n, p] : all_)
    if (!p.over()) next = std::min(next, p.until);
  return next;
}

} // namespace mainstay
