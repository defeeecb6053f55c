#include "core/error_rate.hpp"

namespace mainstay {

namespace {

std::int64_t second_of(instant t) {
  return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count();
}

} // namespace

void error_rate::count(bool failed, instant now) {
  const auto second = second_of(now);
  auto& s = slices_[static_cast<std::size_t>(second) % seconds];
  if (s.second != second) s = {second, 0, 0};
  ++s.calls;
  s.failed += failed;
}

double error_rate::share(instant now) const {
  const auto oldest = second_of(now) - static_cast<std::int64_t>(seconds);
  std::uint64_t calls = 0, failed = 0;
  for (const auto& s : slices_)
    if (s.second > oldest) {
      calls += s.calls;
      failed += s.failed;
    }
  return calls < settings_.calls ? 0 : static_cast<double>(failed) / static_cast<double>(calls);
}

} // namespace mainstay
