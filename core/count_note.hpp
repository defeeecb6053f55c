// How a count is written down by somebody who is slower than the counting: a little ahead of it, so that whoever is
// killed comes back having counted too much rather than too little, and exactly as soon as it has stood still for a
// moment. Owns what was noted last; whoever writes it down, and when a moment is over, is the shell's business.
// Promise: a note never says less than was counted; as long as the count is covered, nothing is lost by being killed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace mainstay {

class count_note {
public:
  /// What is written says at least so much.
  bool covers(std::uint64_t used) const noexcept { return used <= noted_.value_or(0); }

  /// What is written says more: to be set right when a moment has passed without counting.
  bool ahead_of(std::uint64_t used) const noexcept { return noted_.value_or(0) > used; }

  /// The count is not covered: what to write now, twice as far ahead as the last time. `most`: there is no counting
  /// beyond that.
  std::uint64_t at_once(std::uint64_t used, std::uint64_t most) noexcept {
    const auto missed = noted_ ? used - std::min(used, *noted_) : 0;
    ahead_ = std::max<std::uint64_t>({1, 2 * ahead_, 2 * missed});
    return *(noted_ = limited(used, most));
  }

  /// A moment is over: what to write, if that is not what is written. Ahead by half more than came in the last moment,
  /// and not at all if nothing came.
  std::optional<std::uint64_t> after_a_moment(std::uint64_t used, std::uint64_t most) noexcept {
    const auto came = used - std::min(used, seen_);
    seen_ = used;
    ahead_ = came + came / 2;
    const auto next = limited(used, most);
    if (noted_ == next) return std::nullopt;
    return noted_ = next;
  }

  /// So much is written already.
  void begin_at(std::uint64_t noted) noexcept { noted_ = seen_ = noted, ahead_ = 0; }
  /// What was to be written may not have been: nothing is covered until it is noted again.
  void forget() noexcept { noted_.reset(); }

private:
  std::uint64_t limited(std::uint64_t used, std::uint64_t most) const noexcept {
    return std::max(used, std::min(used + ahead_, most));
  }
  std::optional<std::uint64_t> noted_ = 0;
  std::uint64_t seen_ = 0, ahead_ = 0; // the count at the last moment's end
};

} // namespace mainstay
