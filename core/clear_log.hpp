// Which orders to clear the caches of all nodes there were lately, and who has carried them out: so that a node that
// was away, or has just started with a file of answers, does it when it comes, and nobody does it twice who is known to
// have done it. Bounded to the last `most` orders: each clears everything, so that whoever does a later one misses
// nothing of those that are forgotten. Of what was done here more is remembered, or two sides of a split that both gave
// many orders would tell each other those they forgot, for ever. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace mainstay {

class clear_log {
public:
  static constexpr std::size_t most = 16, most_remembered = 2048;

  /// `own`: this node's address. True: it is to be done here. The id names the node that was asked, its incarnation and
  /// a number.
  bool ordered(const std::string& id, const std::string& own) {
    if (!known_.insert(id).second) return false;
    remembered_.push_back(id);
    if (remembered_.size() > most_remembered) {
      known_.erase(remembered_.front());
      remembered_.pop_front();
    }
    if (orders_.size() == most) orders_.pop_front();
    orders_.push_back({id, {own}});
    return true;
  }

  /// That node has done it. Of orders that are not known nothing is kept.
  void done(const std::string& id, const std::string& who) {
    for (auto& o : orders_)
      if (o.id == id) o.done.insert(who);
  }

  /// What that node, which has come, is to be told to do: in their order.
  std::vector<std::string> missing_at(const std::string& who) const {
    std::vector<std::string> out;
    for (const auto& o : orders_)
      if (!o.done.contains(who)) out.push_back(o.id);
    return out;
  }

private:
  struct order {
    std::string id;
    std::set<std::string> done; // only names of peers: bounded by the configuration
  };
  std::deque<order> orders_;
  std::deque<std::string> remembered_; // ids: orders that were done here
  std::set<std::string> known_;        // the same
};

} // namespace mainstay
