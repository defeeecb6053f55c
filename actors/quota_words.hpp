// What nodes say to each other about their shared limits, as JSON: many limits in one message. Whatever is not as these
// functions write it is dropped: a name that is too long, a number beyond any limit, a loan for longer than any.
//   quota.word   {"of": "incarnation", "knew": false}: whether the peer was known in another incarnation
//   quota.ask    {"by": "incarnation", "asks": [[name, seq, holding, want, first, least, spare, collect], ...]}
//   quota.grant  {"to": "incarnation", "grants": [[name, seq, amount, milliseconds, held, held_seq], ...]}
// Incarnations are text, for not every reader of JSON keeps 64 bits. What is behind the last of a list is ignored, so
// that later versions may say more.
#pragma once

#include "core/quota_messages.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay::words {

inline constexpr std::size_t most_limits = 1000; // in one message

struct quota_word {
  std::uint64_t of = 0; // the incarnation of who is told
  bool knew = false;
};
std::string word(const quota_word&);
std::optional<quota_word> word_in(const std::string& head);

using named_ask = std::pair<std::string, quota_ask>;
using named_grant = std::pair<std::string, quota_grant>;

/// All of one incarnation; at most most_limits.
std::string asks(const std::vector<named_ask>&);
std::string grants(const std::vector<named_grant>&);
/// `bad` counts what was dropped.
std::vector<named_ask> asks_in(const std::string& head, std::uint64_t& bad);
std::vector<named_grant> grants_in(const std::string& head, std::uint64_t& bad);

} // namespace mainstay::words
