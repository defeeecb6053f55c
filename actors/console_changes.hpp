// Which of an operator's words change something, and what the audit says of it: whom, and how. Whether it worked is
// known only later. Nothing that the console takes is a secret; what it gives out is not here.
#pragma once

#include "core/audit_chain.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay {

/// None: they only look.
std::optional<audit_change> change_asked(const std::vector<std::string>& words);

} // namespace mainstay
