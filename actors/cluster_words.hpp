// The heads of what nodes say to each other about themselves, as JSON: who they are, why not, and beats. Members that
// are not known are ignored, those that are missing are empty.
#pragma once

#include "core/membership.hpp"

#include <optional>
#include <string>

namespace mainstay::words {

std::string identity(const node_identity&);
/// None: it is not JSON.
std::optional<node_identity> identity_in(const std::string& head);

std::string reason(const std::string& why);
std::string reason_in(const std::string& head);

std::string beat(std::uint64_t number);
/// 0: none.
std::uint64_t beat_in(const std::string& head);

} // namespace mainstay::words
