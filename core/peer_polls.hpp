// Questions that wait for other nodes: who is still to answer which, who cannot and why, and until when. Promises: what
// is kept is bounded; a node that is lost, or late, is silent at once and never waited for again; an answer counts
// once, and only from whom it is awaited. Leaves asking, and what answers mean, to its owner.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mainstay {

class peer_polls {
public:
  using number = std::uint64_t; // of a question, never used twice
  struct poll {
    std::set<std::string> awaited;             // peers, by address
    std::map<std::string, std::string> silent; // who cannot answer, and why not
    instant until{};                           // for whoever is awaited
    bool over() const noexcept { return awaited.empty(); }
  };

  /// `last`: the number of the last question there was, before these.
  explicit peer_polls(std::size_t most, number last = 0) : most_(most), last_(last) {}

  /// 0: too many wait already.
  number begin(poll);
  /// Null: it has ended.
  const poll* find(number) const noexcept;
  void end(number n) { all_.erase(n); }

  /// False: nobody awaits that of it.
  bool answered(number, const std::string& peer);
  bool fell_silent(number, const std::string& peer, const std::string& why);
  /// All that waited for it.
  std::vector<number> lost(const std::string& peer, const std::string& why);
  /// All whose time is over: who is awaited is silent.
  std::vector<number> late(instant now, const std::string& why);
  /// The end of the next one's time; never, if there is none.
  instant due() const noexcept;
  std::size_t size() const noexcept { return all_.size(); }

private:
  std::map<number, poll> all_;
  std::size_t most_;
  number last_;
};

} // namespace mainstay
