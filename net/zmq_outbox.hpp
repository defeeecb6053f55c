// Answers on their way out, and what they are allowed to occupy. Promises: bodies are handed over without a copy; what
// waits for one client is bounded, and what waits for all of them together, however many threads answer at once.
#pragma once

#include "net/bytes.hpp"

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <sys/uio.h>

namespace mainstay::mq {

/// One answer, ready for the wire.
struct outgoing {
  std::string lead;      // everything before the bytes of the last frame
  bytes_ptr body;        // the last frame's bytes; may be null
  std::size_t added = 0; // by encryption, which comes after the accounting

  std::size_t size() const noexcept { return lead.size() + (body ? body->size() : 0); }
  /// What it is accounted with: its bytes and their bookkeeping.
  std::size_t cost() const noexcept { return size() - added + 256; }
};

/// Frames: `id` and `kind` and `headers` and `body`, behind an empty delimiter for a REQ client.
outgoing make_outgoing(std::string_view id, std::string_view kind, std::string_view headers, bytes_ptr body,
                       bool delimiter);

/// What waits for all clients together.
struct total_flow {
  explicit total_flow(std::size_t most) : ceiling(most) {}
  const std::size_t ceiling;
  std::atomic<std::size_t> waiting{0};
};

/// What waits for one client: counted from the answering thread until the network has it. Gives back what is left when
/// it goes.
class flow {
public:
  /// What everybody may have waiting even while the total is used up.
  static constexpr std::size_t share = 64u << 10;

  /// Above `limit` the client should not be listened to; above sixteen times that it is too much.
  flow(std::shared_ptr<total_flow> all, std::size_t limit) : all_(std::move(all)), limit_(limit) {}
  ~flow() { all_->waiting.fetch_sub(waiting_); }
  flow(const flow&) = delete;
  flow& operator=(const flow&) = delete;

  /// Reserves room for a message; false: this client has too much waiting. A single message always fits.
  bool admit(std::size_t cost) noexcept;
  void release(std::size_t cost) noexcept;
  /// The client should read before it asks for more. While much waits for all together, that is so much earlier.
  bool crowded() const noexcept { return waiting_ > patience(); }
  /// Enough has gone that it may ask again.
  bool relieved() const noexcept { return waiting_ <= patience() / 2; }
  bool above_limit() const noexcept { return waiting_ > limit_; }
  /// True the first time.
  bool overflows() noexcept { return !overflowed_.exchange(true); }

private:
  std::size_t patience() const noexcept;

  const std::shared_ptr<total_flow> all_;
  const std::size_t limit_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<bool> overflowed_{false};
};

} // namespace mainstay::mq
