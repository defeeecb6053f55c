// RFC 4648, with padding and without line ends.
#pragma once

#include <string>
#include <string_view>

namespace mainstay {

std::string to_base64(std::string_view bytes);

} // namespace mainstay
