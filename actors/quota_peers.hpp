// The governor among its like: says to the other nodes what is to be asked of them, and takes what they ask, grant and
// know. Promise: nothing a peer says breaks anything; what makes no sense is counted and dropped. Lives in the store of
// the governor, so that who is there is known to whoever follows a governor that died. Policy: core/quota_book.
#pragma once

#include "actors/actors.hpp"

#include <functional>

namespace mainstay {

class quota_peers {
public:
  using send = std::function<void(send_to)>;

  /// True: somebody who waits may go now.
  bool said(governor&, const peer_said&, instant now, const send&);
  void changed(governor&, const peer_changed&, instant now, const send&);
  void refused(governor&, const peer_refused&, instant now);
  void ask(const std::vector<quota_book::message>&, const quota_cluster&, const send&);

  std::uint64_t dropped() const noexcept { return dropped_; }

private:
  std::uint64_t dropped_ = 0;
};

} // namespace mainstay
