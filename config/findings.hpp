// What was found wrong in one file: collected while reading, handed out in file order.
// Promises: one line per problem, whatever the file holds; a secret that was read never stands in a text, not even
// where somebody wrote it in the wrong place as well.
#pragma once

#include "config/load.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mainstay::config {

/// Where something is written.
struct spot {
  int line = 0, column = 0; // 1-based; 0: the file as a whole
  std::string key;          // its path: "providers[0].base_url"

  /// The place of something that should stand beneath it and does not.
  spot beneath(std::string_view name) const;
};

class findings {
public:
  explicit findings(std::string file) : file_(std::move(file)) {}

  void error(const spot&, std::string what);
  void warn(const spot&, std::string what);
  void keep_out(const std::string& secret_value);
  bool any_error() const noexcept { return !errors_.empty(); }

  /// Moves everything into the result.
  void hand_over(loaded&);

private:
  problem make(const spot&, std::string what) const;
  void finish(std::vector<problem>&) const;
  std::string file_;
  std::vector<problem> errors_, warnings_;
  std::vector<std::string> secrets_;
};

/// "a", "a or b", "a, b or c": for lists in messages.
std::string join(const std::vector<std::string>&, std::string_view last_word);

} // namespace mainstay::config
