// The way to a node's console: one command line there, its answer back. A node whose admin actor dies over a question
// is asked the same again; one that does not answer, or goes away meanwhile, is said so once, and at once.
#pragma once

#include "actors/actors.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mainstay::ctl {

class node {
public:
  node(caf::actor_system& sys, console_actor console) : sys_(sys), console_(std::move(console)) {}
  /// Another node, through this one. By its name or address.
  node at(const std::string& other) const {
    node there = *this;
    there.before_ = {"on", other};
    return there;
  }
  bool elsewhere() const noexcept { return !before_.empty(); }
  /// As they are said to the console.
  std::vector<std::string> line(std::vector<std::string> words) const {
    words.insert(words.begin(), before_.begin(), before_.end());
    return words;
  }
  /// None: no answer, and stderr says why.
  std::optional<console_reply> ask(std::vector<std::string> words);

private:
  struct heard {
    std::optional<console_reply> reply;
    caf::error why; // none came
  };
  heard ask_once(const console_ask&);

  caf::actor_system& sys_;
  console_actor console_;
  std::vector<std::string> before_; // every command's words
};

} // namespace mainstay::ctl
