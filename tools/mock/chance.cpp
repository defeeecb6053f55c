// The distributions behind a scripted delay.
#include "tools/mock/chance.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace mainstay::mock {
namespace {

double draw_ms(const delay& d, dice& random) {
  switch (d.dist) {
  case delay::shape::constant: return d.first;
  case delay::shape::uniform: return d.first + (d.second - d.first) * random.unit();
  case delay::shape::normal: return d.second > 0 ? std::normal_distribution<>(d.first, d.second)(random) : d.first;
  case delay::shape::lognormal:
    if (d.first <= 0 || d.second <= 0) return d.first;
    return std::lognormal_distribution<>(std::log(d.first), d.second)(random);
  case delay::shape::exponential: return -d.first * std::log1p(-random.unit());
  }
  return 0;
}

} // namespace

std::chrono::nanoseconds delay::draw(dice& random) const {
  if (none()) return {};
  return milliseconds_of(std::clamp(draw_ms(*this, random), 0.0, longest));
}

} // namespace mainstay::mock
