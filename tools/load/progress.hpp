// How it goes, once a second, to standard error: one line that is written over on a terminal, else a line each.
#pragma once

#include "tools/load/tally.hpp"

#include <cstddef>

namespace mainstay::load {

class progress {
public:
  progress();
  /// About the newest second that is over; `open`: requests under way.
  void show(const tally&, std::size_t open);
  /// Makes room for what is printed next.
  void end();

private:
  bool terminal_;
  bool shown_ = false;
};

} // namespace mainstay::load
