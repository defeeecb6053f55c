// What `top --all` shows: the sums of all nodes and a line for each, out of one answer to `status --all`. Requests a
// second are counted between two answers; the first shows each node's own figure, of five minutes. No line is wider
// than the screen; nodes that do not answer come first, with why; what does not fit is counted.
#pragma once

#include "tools/ctl/top_screen.hpp"

#include <map>

namespace mainstay::ctl {

class nodes_screen {
public:
  using time_point = std::chrono::steady_clock::time_point;
  /// `at`: when that answer came; the same as before: it is the same answer.
  std::vector<screen_line> draw(const std::string& status_all_json, screen_size, std::chrono::seconds silent,
                                time_point at);

private:
  struct count {
    double over = 0, rate = 0; // requests
    time_point at{};
  };
  double rate_of(const std::string& node, double over, double own_rate, time_point at);
  std::map<std::string, count> counts_; // by address
};

} // namespace mainstay::ctl
