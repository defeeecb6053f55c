// One line of a terminal that is written again and again.
#pragma once

#include <string>

namespace mainstay::ctl {

class live_line {
public:
  ~live_line() { wipe(); }
  /// In place of what stood there; cut to the terminal's width.
  void show(std::string);
  void wipe();

private:
  bool drawn_ = false;
};

/// "[####....] 50%", of a share from 0 to 1.
std::string bar(double share);

/// Names one warming or drill, so that the node knows its console's questions again.
std::string new_id();

} // namespace mainstay::ctl
