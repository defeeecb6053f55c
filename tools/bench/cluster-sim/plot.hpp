// Line charts as plain SVG, for the documents.
#pragma once

#include <string>
#include <vector>

namespace mainstay::sim {

struct line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct chart {
  std::string title, x_name, y_name;
  bool log_x = false, log_y = false;
  std::vector<line> lines;
};

std::string to_svg(const chart&);

} // namespace mainstay::sim
