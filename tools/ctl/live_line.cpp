#include "tools/ctl/live_line.hpp"

#include <algorithm>
#include <iostream>
#include <random>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace mainstay::ctl {

namespace {

constexpr int bar_width = 20;

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

} // namespace

void live_line::show(std::string line) {
  line.resize(std::min(line.size(), terminal_width() - 1));
  std::cout << "\r\033[K" << line << std::flush;
  drawn_ = true;
}

void live_line::wipe() {
  if (std::exchange(drawn_, false)) std::cout << "\r\033[K" << std::flush;
}

std::string bar(double share) {
  share = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * bar_width);
  return "[" + std::string(full, '#') + std::string(bar_width - full, '.') + "] " +
         std::to_string(static_cast<int>(share * 100)) + "%";
}

std::string new_id() {
  std::random_device random;
  char text[20];
  std::snprintf(text, sizeof text, "%08x%08x", random(), random());
  return text;
}

} // namespace mainstay::ctl
