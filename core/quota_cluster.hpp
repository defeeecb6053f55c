// The nodes of a cluster as the shares of all limits of one node see them: who is configured, who can be reached now
// and in which incarnation. All nodes have the same list, in the same order; who is reachable may differ at any time,
// and nothing that must hold depends on it.
#pragma once

#include "core/quota_messages.hpp"
#include "core/rendezvous.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

class quota_cluster {
public:
  /// `addresses` are sorted; `self` is one of them.
  quota_cluster(std::vector<std::string> addresses, node_index self, std::uint64_t incarnation, quota_times times = {})
    : times_(times), self_(self), incarnation_(incarnation) {
    for (auto& a : addresses) {
      const auto hash = stable_hash(a);
      peers_.push_back({std::move(a), hash});
    }
  }

  const quota_times& times() const noexcept { return times_; }
  node_index self() const noexcept { return self_; }
  std::uint64_t incarnation() const noexcept { return incarnation_; }
  node_index size() const noexcept { return static_cast<node_index>(peers_.size()); }
  const std::string& address(node_index n) const { return peers_[n].address; }

  void set_peer(node_index n, bool up, std::uint64_t incarnation) {
    auto& p = peers_[n];
    if (p.up != up) ++version_;
    p.up = up;
    if (!up) return;
    p.began_anew = p.began_anew || (p.incarnation != 0 && p.incarnation != incarnation);
    p.incarnation = incarnation;
  }
  bool up(node_index n) const noexcept { return n == self_ || peers_[n].up; }
  /// As it was last told; 0 before.
  std::uint64_t incarnation_of(node_index n) const noexcept { return peers_[n].incarnation; }
  /// It was told in more than one.
  bool began_anew(node_index n) const noexcept { return peers_[n].began_anew; }
  /// Whose address that is; none: nobody's here.
  std::optional<node_index> index_of(std::string_view address) const {
    const auto at = std::lower_bound(peers_.begin(), peers_.end(), address,
                                     [](const peer& p, std::string_view a) { return p.address < a; });
    if (at == peers_.end() || at->address != address) return std::nullopt;
    return static_cast<node_index>(at - peers_.begin());
  }
  /// Changes whenever an owner may have changed.
  std::uint64_t version() const noexcept { return version_; }

  /// The first reachable node in the order of this name.
  node_index owner(std::uint64_t name) const noexcept {
    auto best = self_;
    auto weight = rendezvous_weight(name, peers_[self_].hash);
    for (node_index n = 0; n < size(); ++n) {
      if (!peers_[n].up) continue;
      const auto w = rendezvous_weight(name, peers_[n].hash);
      if (w > weight || (w == weight && n < best)) best = n, weight = w;
    }
    return best;
  }

  std::uint64_t next_seq() noexcept { return ++seq_; } // of all limits: one that was forgotten does not begin anew

private:
  struct peer {
    std::string address;
    std::uint64_t hash = 0, incarnation = 0;
    bool up = false, began_anew = false;
  };
  quota_times times_;
  std::vector<peer> peers_;
  node_index self_;
  std::uint64_t incarnation_, seq_ = 0, version_ = 1;
};

} // namespace mainstay
