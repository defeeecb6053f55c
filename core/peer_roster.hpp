// Which peers are up, and as which process: another one at the same address knows nothing of what was said to the one
// before. Leaves what is to be given up with a peer to its owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mainstay {

class peer_roster {
public:
  /// As the cluster tells it. True: whoever may have been there is no more.
  bool change(const std::string& peer, bool up, std::uint64_t incarnation) {
    const auto before = up_.find(peer);
    const bool another = before != up_.end() && before->second != incarnation;
    if (up)
      up_[peer] = incarnation;
    else
      up_.erase(peer);
    return !up || another;
  }
  bool up(const std::string& peer) const { return up_.contains(peer); }

private:
  std::map<std::string, std::uint64_t> up_; // and its incarnation
};

} // namespace mainstay
