// The exact sliding log: what was sent in the last window, entry by entry. The hard cap of a rate limit.
// Every operation is O(1) amortised except fits_at, which looks at as many entries as must age out first; memory is
// bounded by the limit itself: one slot per entry that counts, whatever order they were stamped or withdrawn in.
#pragma once

#include "core/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mainstay {

class sliding_log {
public:
  explicit sliding_log(duration window) noexcept : window_(window) {}
  /// Entries that already aged out stay forgotten.
  void set_window(duration window) noexcept { window_ = window; }
  duration window() const noexcept { return window_; }

  /// Records `amount` as reserved: it counts, whatever its age, until it is stamped or withdrawn. Returns its ticket,
  /// never 0. Absurd amounts (over 2^48) are cut, so that sums cannot overflow.
  std::uint64_t reserve(std::uint64_t amount);
  /// The send completed at `at`: from then on the entry ages. A second stamp of the same ticket changes nothing.
  void stamp(std::uint64_t ticket, instant at);
  /// Corrects the amount (tokens, once the provider's usage is known). Of an entry that already aged out: nothing.
  void correct(std::uint64_t ticket, std::uint64_t amount);
  /// Takes an entry back, stamped or not. Of an entry that is gone: nothing.
  void withdraw(std::uint64_t ticket);

  /// The sum that counts at `now`: everything unstamped, and everything stamped in (now - window, now].
  std::uint64_t used(instant now);
  /// The part of it that is not stamped yet.
  std::uint64_t unstamped() const noexcept { return unstamped_; }
  /// The earliest time at which `amount` more fits below `limit`, `now` if it does already; instant::max() if only an
  /// unstamped entry's end can make room. An amount over the limit fits when nothing is in use; below a limit of zero
  /// nothing ever fits.
  instant fits_at(std::uint64_t amount, std::uint64_t limit, instant now);
  /// When the last stamped entry will have aged out, `now` if none counts. Unstamped ones are not foreseen.
  instant empty_at(instant now);

  /// Entries that count now.
  std::size_t size() const noexcept { return slots_.size() - free_.size(); }

private:
  static constexpr std::uint32_t none = 0xffffffff;
  enum class slot_state : std::uint8_t { free, reserved, stamped };
  struct slot {
    std::uint64_t amount = 0;
    instant at{};
    std::uint32_t generation = 0; // tells a ticket of this slot from those of its earlier tenants
    std::uint32_t older = none, newer = none;
    slot_state state = slot_state::free;
  };
  slot* find(std::uint64_t ticket) noexcept;
  void link(std::uint32_t index) noexcept;
  void unlink(std::uint32_t index) noexcept;
  void release(std::uint32_t index);
  void forget(instant now);

  duration window_;
  std::vector<slot> slots_;
  std::vector<std::uint32_t> free_;
  std::uint32_t oldest_ = none,
                newest_ = none; // the stamped ones, a list through the slots in the order of their times
  std::uint64_t sum_ = 0, unstamped_ = 0;
};

} // namespace mainstay
