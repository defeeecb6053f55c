// Commands typed at a terminal: line editing, completion of commands and of the names that a node knows, and a history
// that outlives the console (editline). Nothing else may read standard input meanwhile.
#pragma once

#include "tools/ctl/node.hpp"

#include <optional>
#include <string>

namespace mainstay::ctl {

class prompt {
public:
  /// One at a time: the library has a single line.
  explicit prompt(node&);
  ~prompt();
  prompt(const prompt&) = delete;
  prompt& operator=(const prompt&) = delete;

  /// None: the end (Ctrl-D).
  std::optional<std::string> read_line();

private:
  std::string file_; // of the history; empty: it has no place
};

/// $XDG_STATE_HOME/mainstay/history, else under ~/.local/state; empty where there is no home.
std::string history_file();

/// What may stand in place of the last of `words` (perhaps empty): by the commands' own help and by what the node
/// knows.
std::vector<std::string> completions(node&, const std::vector<std::string>& words);

} // namespace mainstay::ctl
