// A string that never prints itself: provider keys and client keys. Whoever needs the characters says `reveal()`.
// Streams, formatters and test frameworks see "[redacted]".
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace mainstay {

class secret {
public:
  secret() = default;
  explicit secret(std::string value) : value_(std::move(value)) {}

  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }

  friend bool operator==(const secret& a, const secret& b) noexcept { return a.value_ == b.value_; }

private:
  std::string value_;
};

inline std::ostream& operator<<(std::ostream& out, const secret&) { return out << "[redacted]"; }

} // namespace mainstay
