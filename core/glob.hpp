// Names by pattern, as the config writes them: '*' is any run of characters, '?' is one, all else is itself.
#pragma once

#include <string_view>

namespace mainstay {

/// The whole of `text` matches. O(pattern * text) at worst, no recursion, so that no pattern can hang us.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

} // namespace mainstay
