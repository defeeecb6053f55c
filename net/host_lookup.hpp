// Looks up a host's addresses without blocking the thread that asks: the system's resolver may take many seconds.
// Numeric addresses are their own answer. At most one lookup runs at a time, on a thread that nobody has to wait for.
#pragma once

#include "net/wakeup.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mainstay {

class host_lookup {
public:
  host_lookup(std::string host, std::shared_ptr<wakeup> asker);

  /// Begins a lookup unless one is running or the host is numeric.
  void begin();
  /// True once the last lookup is over: then `addresses` (numeric, may be empty) or `error` are set.
  bool done(std::vector<std::string>& addresses, std::string& error);

private:
  struct state;
  const std::string host_;
  const bool numeric_;
  const std::shared_ptr<wakeup> asker_;
  std::shared_ptr<state> state_;
};

} // namespace mainstay
