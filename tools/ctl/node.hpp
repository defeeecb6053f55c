// The way to a node's console: one command line there, its answer back. A node whose admin actor dies over a question
// is asked the same again; a node that does not answer is said so once.
#pragma once

#include "actors/actors.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay::ctl {

class node {
public:
  node(caf::scoped_actor& self, console_actor console) : self_(self), console_(std::move(console)) {}
  /// None: no answer, and stderr says why.
  std::optional<console_reply> ask(std::vector<std::string> words);

private:
  caf::scoped_actor& self_;
  console_actor console_;
};

} // namespace mainstay::ctl
