// The answer to a merged request (net/batch_prompt) taken apart again. Promises: a part has the answer that stands
// under its number, once and whole, or none; nothing is guessed. The usage of the call is shared out to the token among
// the parts that have one.
#pragma once

#include "core/clock.hpp"
#include "net/chat_answer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// A request that became a part.
struct batch_part {
  std::string name;         // x-request-id, goes into its answer's id
  std::uint64_t tokens = 0; // of its own text, estimated
  std::uint64_t cap = 0;    // of its answer; 0: none
};

struct split_answer {
  std::vector<bytes_ptr> completions; // one for each part: a chat.completion of its own; null: it has to be asked alone
  std::optional<token_usage> usage;   // of the call
  bool cut_short = false;             // it ended for want of room
};

/// `shared_tokens`: of what all parts have in common, estimated. Parts have none where: the number is missing, there
/// twice, or its entry is not of the form asked for; the answer is blank, or may be longer than its cap; and all of
/// them where the answer is no such object, ended for another reason than its end or its cap, names a part that there
/// is not, or lacks the last one though it was not cut short (then parts may have been passed over and the others
/// renumbered).
split_answer split_batch(std::string_view completion, const std::vector<batch_part>& parts, std::uint64_t shared_tokens,
                         utc_time now);

} // namespace mainstay
