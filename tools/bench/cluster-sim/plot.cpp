#include "tools/bench/cluster-sim/plot.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace mainstay::sim {

namespace {

constexpr double width = 760, height = 340, left = 64, right = 150, top = 34, bottom = 46;
constexpr const char* colours[] = {"#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a"};

struct axis {
  bool log;
  double low, high;
  double part(double v) const {
    return log ? (std::log10(v) - std::log10(low)) / (std::log10(high) - std::log10(low)) : (v - low) / (high - low);
  }
  std::vector<double> ticks() const {
    std::vector<double> found;
    if (log) {
      for (auto t = low; t <= high * 1.001; t *= 10) found.push_back(t);
      return found;
    }
    const auto rough = (high - low) / 6, power = std::pow(10, std::floor(std::log10(rough)));
    const auto each = rough / power > 5 ? 10 * power : rough / power > 2 ? 5 * power : 2 * power;
    for (auto t = std::ceil(low / each) * each; t <= high * 1.0001; t += each) found.push_back(t);
    return found;
  }
};

axis fit(const chart& c, bool log, bool of_x) {
  auto low = 1e300, high = -1e300;
  for (const auto& l : c.lines) {
    for (const auto& [x, y] : l.points) {
      low = std::min(low, of_x ? x : y);
      high = std::max(high, of_x ? x : y);
    }
  }
  if (log) return {true, std::pow(10, std::floor(std::log10(low))), std::pow(10, std::ceil(std::log10(high)))};
  return {false, of_x ? low : 0, high};
}

} // namespace

std::string to_svg(const chart& c) {
  const auto x = fit(c, c.log_x, true), y = fit(c, c.log_y, false);
  const auto at_x = [&](double v) { return left + x.part(v) * (width - left - right); };
  const auto at_y = [&](double v) { return height - bottom - y.part(v) * (height - top - bottom); };
  std::ostringstream s;
  s.precision(4);
  s << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
    << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text "
       "x=\""
    << left << "\" y=\"20\" font-size=\"14\">" << c.title << "</text>\n";
  for (const auto t : x.ticks())
    s << "<path d=\"M" << at_x(t) << ' ' << top << 'V' << height - bottom << "\" stroke=\"#eee\"/><text x=\"" << at_x(t)
      << "\" y=\"" << height - bottom + 16 << "\" text-anchor=\"middle\">" << t << "</text>\n";
  for (const auto t : y.ticks())
    s << "<path d=\"M" << left << ' ' << at_y(t) << 'H' << width - right << "\" stroke=\"#ddd\"/><text x=\"" << left - 6
      << "\" y=\"" << at_y(t) + 4 << "\" text-anchor=\"end\">" << t << "</text>\n";
  s << "<text x=\"" << (left + width - right) / 2 << "\" y=\"" << height - 10 << "\" text-anchor=\"middle\">"
    << c.x_name << "</text>\n<text transform=\"translate(14 " << (top + height - bottom) / 2
    << ") rotate(-90)\" text-anchor=\"middle\">" << c.y_name << "</text>\n";
  for (std::size_t i = 0; i < c.lines.size(); ++i) {
    const auto colour = colours[i % std::size(colours)];
    s << "<path fill=\"none\" stroke-width=\"2\" stroke=\"" << colour << "\" d=\"";
    auto move = 'M';
    for (const auto& [px, py] : c.lines[i].points) {
      s << move << at_x(px) << ' ' << at_y(py);
      move = 'L';
    }
    s << "\"/>\n<text x=\"" << width - right + 8 << "\" y=\"" << top + 14 + 18 * static_cast<double>(i) << "\" fill=\""
      << colour << "\">" << c.lines[i].name << "</text>\n";
  }
  s << "</svg>\n";
  return s.str();
}

} // namespace mainstay::sim
