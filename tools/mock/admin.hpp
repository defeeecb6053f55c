// The mock's own surface under /mock/: script, log, counters, kept bodies.
#pragma once

#include "tools/mock/provider.hpp"

#include <string>
#include <string_view>

namespace mainstay::mock {

struct admin_answer {
  int status = 200;
  std::string body; // JSON
};

admin_answer administer(provider& p, std::string_view method, std::string_view path, std::string_view query,
                        std::string_view body);

} // namespace mainstay::mock
