// What is replaced in a client's requests before anything leaves, and what may neither come in nor go out. Read and
// compiled with the configuration, once; the patterns are RE2's and may be matched by any number of threads.
#pragma once

#include "core/personal_data.hpp"

#include <memory>
#include <string>
#include <vector>

namespace re2 {
class RE2;
}

namespace mainstay {

struct named_pattern {
  std::string name;
  std::shared_ptr<const re2::RE2> expression;
};

struct privacy_rules {
  personal_kinds kinds;
  std::vector<named_pattern> custom; // replaced as well
  std::vector<named_pattern> deny_in, deny_out;

  bool redacts() const noexcept { return !kinds.none() || !custom.empty(); }
  bool none() const noexcept { return !redacts() && deny_in.empty() && deny_out.empty(); }
};
using privacy_rules_ptr = std::shared_ptr<const privacy_rules>; // null: none

} // namespace mainstay
