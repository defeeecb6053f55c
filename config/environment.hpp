// "${NAME}" and "${NAME:-default}" inside the configuration's values.
// Promises: what a variable holds is never read for further variables, and no error text repeats a value.
#pragma once

#include "config/load.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mainstay::config {

struct expansion {
  std::string text;
  std::string defaulted;            // the first variable that was unset or empty and gave its default; else empty
  bool changed = false;             // the text is not what was written
  std::vector<std::string> errors;  // a missing variable, a brace left open
  std::vector<std::string> secrets; // values of variables whose names say so: KEY, SECRET, TOKEN, PASSWORD
};

/// As in a shell, `:-` gives the default also where the variable is set but empty. A default ends at the first "}".
expansion expand(std::string_view written, const environment&);

} // namespace mainstay::config
