// How the console writes values that several of its tables have, and what it says when it cannot.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace mainstay {

/// An error the operator should read: becomes {"error": "..."}.
class console_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline double ratio(std::uint64_t part, std::uint64_t of) {
  return of > 0 ? static_cast<double>(part) / static_cast<double>(of) : 0;
}

/// To one decimal.
inline double percent(double ratio) { return std::round(ratio * 1000) / 10; }

/// A caller's id may be any bytes.
inline std::string printable(const std::string& id) {
  std::string out;
  for (unsigned char c : id) out += c > 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  return out;
}

} // namespace mainstay
