// What a meter's limits are over a whole cluster: one share (core/quota_share) beneath each of them. Beside the meter's
// own windows, never instead of them: what fits here may be sent by any node. Of a node that is alone there is none.
#pragma once

#include "core/quota_share.hpp"

#include <memory>

namespace mainstay {

/// What one request took of them. Ends once.
class shared_tickets {
public:
  void stamp(instant at);
  /// As key_meter::give_back. Requests of a window count on, what was held is free.
  void end(bool sent, std::optional<std::uint64_t> tokens, instant at);
  /// Not sent by then: it is to be given back and taken anew.
  instant send_by() const noexcept;

private:
  friend class shared_limits;
  struct part {
    std::shared_ptr<quota_share> of;
    std::optional<quota_ticket> taken;
  };
  part rpm_, rps_, tpm_, calls_;
};

class shared_limits {
public:
  std::shared_ptr<quota_share> rpm, rps, tpm, calls; // null: nothing limits that

  bool none() const noexcept { return !rpm && !rps && !tpm && !calls; }
  struct need {
    std::uint64_t tokens = 0, withheld_tokens = 0;
    double left_free = 0; // of what is here
  };
  bool fits(const need&, instant now);
  /// When it will by time alone, on what is here now; `now` if it does; max: only others can make room.
  instant requests_fit_at(const need&, instant now);
  instant tokens_fit_at(const need&, instant now);
  instant call_fits_at(instant now);
  /// When to look again, if nobody says anything until then.
  static instant look_again(instant fits_at, instant now) { return std::min(fits_at, now + 250ms); }
  std::unique_ptr<shared_tickets> take(std::uint64_t tokens, instant now);

  /// What waits for room: so many requests, their tokens in all, those of the first.
  void set_demand(std::uint64_t requests, std::uint64_t tokens, std::uint64_t first_tokens, instant now);
  /// Some node was asked for room and has not answered yet.
  bool asking(instant now) const;
  bool idle(instant now);
};

} // namespace mainstay
