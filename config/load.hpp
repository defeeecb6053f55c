// Reads the YAML configuration into settings, with every error at once: file, line, column, key and what is wrong.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace mainstay::config {

struct problem {
  std::string file;
  int line = 0, column = 0; // 1-based; 0: the file as a whole
  std::string key;          // "providers[0].keys[1].secret"
  std::string what;         // never contains a secret's value
};
/// "file:line:column: key: what is wrong"
std::string to_string(const problem&);

struct loaded {
  settings_ptr value;          // null if there are errors
  std::vector<problem> errors; // in file order
  std::vector<problem>
      warnings; // a model that depends on one provider alone, a fallback cycle, a provider left out for want of a key
};

using environment = std::function<std::optional<std::string>(const std::string& name)>;
environment process_environment();

/// Reads and validates. An unreadable or empty file is an error.
loaded load_file(const std::string& path, const environment& = process_environment());
loaded load_text(const std::string& yaml, const std::string& file_name, const environment&);

} // namespace mainstay::config
