// Which node of a cluster flies for which question, as the question's owner knows it: equal requests on several nodes
// share one upstream call. Promises: of the nodes that ask under one key while somebody flies, all but the first are
// sent to the one that does; a node that is gone, or has said for too long that it flies, holds up nobody; memory is
// bounded. A wrong or lost word costs a second call, never an answer. No clock of its own.
#pragma once

#include "core/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace mainstay {

class flight_registry {
public:
  /// Whoever comes right after a landing is sent there, too: the answer is in that node's cache.
  static constexpr duration landed_for = 250ms;
  static constexpr std::size_t most = 100'000; // keys; beyond them everybody flies for himself

  /// Which node flies under this key: `node` itself if nobody does. It then does, as its flight `number`, until over()
  /// or `until`.
  std::string ask(const std::string& key, const std::string& node, std::uint64_t number, instant until, instant now);
  /// `landed`: its answer is in that node's cache.
  void over(const std::string& key, const std::string& node, std::uint64_t number, bool landed, instant now);
  /// Nothing flies there any more.
  void lost(const std::string& node);

  std::size_t size() const noexcept { return flown_.size(); }

private:
  struct flight {
    std::string node;
    std::uint64_t number = 0;
    std::multimap<instant, std::string>::iterator end;
  };
  using flights = std::unordered_map<std::string, flight>;
  void forget(flights::iterator);
  void forget_ended(instant now);

  flights flown_;                            // by key
  std::multimap<instant, std::string> ends_; // when which key is forgotten
};

} // namespace mainstay
