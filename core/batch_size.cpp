#include "core/batch_size.hpp"

#include <algorithm>

namespace mainstay {

namespace {
constexpr int calls_between_changes = 2; // what a size brings shows in its own calls
} // namespace

duration batch_size::mean() const noexcept {
  const auto n = std::min(seen_, latest_.size());
  if (n == 0) return {};
  duration sum{};
  for (std::size_t i = 0; i < n; ++i) sum += latest_[i];
  return sum / static_cast<duration::rep>(n);
}

void batch_size::answered(duration took, duration limit) noexcept {
  latest_[seen_++ % latest_.size()] = took;
  if (++since_change_ < calls_between_changes) return;
  const auto longest = std::max(mean(), took); // a size's own time comes into the mean one by one
  if (longest > limit / 3 * 2)
    change(std::max(least, size_ / 2));
  else if (longest > limit / 3)
    return; // twice as many might take twice as long
  else if (mean() > slow)
    change(std::min(most, size_ * 2));
  else if (size_ > usual)
    change(std::max(usual, size_ / 2));
  else
    change(std::min(usual, size_ * 2));
}

void batch_size::too_large() noexcept { change(std::max(least, size_ / 2)); }

void batch_size::change(std::size_t to) noexcept {
  if (to == size_) return;
  size_ = to;
  since_change_ = 0;
}

} // namespace mainstay
