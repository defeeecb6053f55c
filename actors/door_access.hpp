// Who a caller is, by the head of its request alone. Pure.
#pragma once

#include "core/secret.hpp"
#include "net/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

/// What stands in `authorization` after that scheme (in lower case); none: it is of another.
std::optional<std::string_view> credentials(std::string_view authorization, std::string_view scheme);

/// In constant time, but for their lengths.
bool same_key(std::string_view a, std::string_view b) noexcept;

/// Whether `authorization` brings the token: as a bearer's, or as the password of HTTP Basic, whoever's it is: a
/// browser asks for that and then sends it with everything.
bool brings_token(const header_list&, const secret& token);

/// Whether the header `host` names this machine by an address, as localhost, or as what the door listens at. Any other
/// name may be one that a stranger's page resolves to this machine, so as to read what only a browser here can reach
/// (DNS rebinding). Without the header no browser is asking.
bool names_this_machine(const header_list&, const std::string& listens_at);

} // namespace mainstay
