// The only place that matches the configuration's patterns (RE2: linear in the text, whatever the pattern).
#pragma once

#include "core/privacy_rules.hpp"

#include <cstddef>
#include <functional>
#include <string_view>

namespace mainstay {

/// The first rule that matches anywhere; null: none does.
const named_pattern* first_match(const std::vector<named_pattern>&, std::string_view text);

/// Every match that is not empty, one after the other.
void each_match(const named_pattern&, std::string_view text, const std::function<void(std::size_t, std::size_t)>&);

/// The first rule that matches a text whose beginning may be gone. Where more of it is to come, what follows may show
/// that a match at its end is none ("\\bfoo\\b" in a longer word): that is not yet taken for one.
const named_pattern* match_so_far(const std::vector<named_pattern>&, std::string_view text, bool beginning_gone,
                                  bool more);

} // namespace mainstay
