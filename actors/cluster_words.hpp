// The heads of what nodes say to each other about themselves, as JSON: who they are, why not, and beats. Members that
// are not known are ignored, those that are missing are empty. Texts come from strangers and are shown: they are cut to
// 255 bytes, and hold no control characters.
#pragma once

#include "core/membership.hpp"

#include <optional>
#include <string>

namespace mainstay::words {

/// Longer heads of these words are nobody's.
inline constexpr std::size_t longest_head = 64u << 10;

/// `link`: the number of the link that it is said over first, of those that this process made.
std::string identity(const node_identity&, std::uint64_t link);
/// None: it is not JSON.
std::optional<node_identity> identity_in(const std::string& head);
/// 0: none.
std::uint64_t link_in(const std::string& head);

std::string reason(const std::string& why);
std::string reason_in(const std::string& head);

std::string beat(std::uint64_t number);
/// 0: none.
std::uint64_t beat_in(const std::string& head);

} // namespace mainstay::words
