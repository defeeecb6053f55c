// What an operator's words about a client come to: `clients create NAME [OPTIONS]`, `rotate NAME [--keep TIME]`,
// `revoke NAME`, `restore NAME`. Judges the words by the configuration in force; whether the client may be changed so
// is core/client_changes' to say.
#pragma once

#include "config/settings.hpp"
#include "core/client_changes.hpp"

#include <string>
#include <vector>

namespace mainstay {

/// Without a key. Throws console_error.
client_order client_order_of(const std::vector<std::string>& words, const config::settings&);

} // namespace mainstay
