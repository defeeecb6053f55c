// Time as the policies see it. Policies never read a clock: every function of core/ that depends on time takes `now`.
// The monotonic clock orders events and measures waits; UTC is only for dates that people or providers write.
#pragma once

#include <chrono>

namespace mainstay {

using clock = std::chrono::steady_clock;
using instant = clock::time_point;
using duration = clock::duration;
using utc_time = std::chrono::system_clock::time_point;

using namespace std::chrono_literals;

} // namespace mainstay
