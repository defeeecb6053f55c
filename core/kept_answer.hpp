// An answer that is kept to be given again, and which answers may be kept: a durable request's until somebody collects
// it, a repeated request's for whoever repeats it. Standard library only, so that policies may hold answers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay {

struct kept_answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers; // names in lower case
  std::shared_ptr<const std::string> body;                  // a whole completion, or {"error":{...}}

  /// What it occupies, about.
  std::size_t bytes() const noexcept;
};
using kept_answer_ptr = std::shared_ptr<const kept_answer>;

/// Whether a durable request has its answer with this, or waiting can still bring a better one. Refusals of the
/// caller's own fault are answers; what stands in for one (stale, similar, canned, or without the tools that were asked
/// for) is not, and neither is any failure of providers, limits or the node.
bool settles(const kept_answer&) noexcept;

/// Whether whoever repeats a request gets this again: as above, and not what is labelled degraded.
bool may_be_repeated(const kept_answer&) noexcept;

} // namespace mainstay
