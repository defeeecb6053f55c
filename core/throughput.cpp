#include "core/throughput.hpp"

#include <algorithm>

namespace mainstay {

void throughput::count(instant now) {
  if (begun_ == instant::min()) begun_ = now;
  const auto n = number_of(now);
  auto& s = slices_[static_cast<std::size_t>(n) % steps];
  if (s.number != n) s = {n, 0};
  ++s.count;
}

throughput::stretch throughput::since(std::int64_t oldest, instant now) const {
  stretch out;
  for (auto& s : slices_)
    if (s.number >= oldest && s.number <= number_of(now)) out.count += s.count;
  out.seconds = std::chrono::duration<double>(now - std::max(begun_, instant(oldest * step))).count();
  return out;
}

std::optional<double> throughput::per_second(instant now) const {
  constexpr std::uint32_t least = 5;
  if (begun_ == instant::min() || now - begun_ < step) return {};
  const auto newest = number_of(now);
  const auto minute = since(newest - static_cast<std::int64_t>(steps) + 1, now);
  if (minute.count < least) return {};
  return std::max(minute.rate(), since(newest - 1, now).rate()); // this step and the one before: 5 to 10 s
}

} // namespace mainstay
