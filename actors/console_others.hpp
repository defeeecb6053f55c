// Which of an operator's words are for other nodes than the one whose console took them, and how several nodes' answers
// become one. Pure.
#pragma once

#include "core/clock.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay {

/// `on NODE WORDS...`: there. `status --all`: everywhere, summed. `trace ID`: wherever it is known, here first.
struct others_order {
  enum class way : std::uint8_t { there, everywhere, wherever };
  way what = way::there;
  std::string node;               // its name or address
  std::vector<std::string> words; // what each is told
};
/// None: this node alone is meant.
std::optional<others_order> for_others(const std::vector<std::string>& words);

/// Their answer has a client's key in it, which nodes do not tell each other.
bool hands_out_a_key(const std::vector<std::string>& words);

/// A node's answer to `status`, or why there is none.
struct node_status {
  std::string node, address, why;
  std::string json; // empty: none
};
/// One row for each, and the sums.
std::string all_nodes(const std::vector<node_status>&);

/// The object with one more member, the first.
std::string with_member(const std::string& object, const std::string& name, const std::string& value);

/// How long an answer of another node is waited for.
inline constexpr auto peer_patience = 2s;

} // namespace mainstay
