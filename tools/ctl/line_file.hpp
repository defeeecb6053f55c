// A text file, line by line, without ever holding more of it than one line: blank ones are passed over, too long ones
// are read past.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace mainstay::ctl {

class line_file {
public:
  explicit line_file(const std::string& path) : in_(path, std::ios::binary) {}
  bool is_open() const { return in_.is_open(); }

  struct line {
    std::uint64_t number = 0; // in the file, from 1
    std::string text;
    bool too_long = false; // its text is not given
  };
  std::optional<line> next(std::size_t longest);

  /// How many lines that are not blank; none where it cannot be read twice.
  static std::optional<std::uint64_t> count(const std::string& path);

private:
  std::ifstream in_;
  std::uint64_t number_ = 0;
};

} // namespace mainstay::ctl
