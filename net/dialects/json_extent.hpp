// Whether a JSON value that comes in pieces is all there, judged by its brackets and quotes alone.
#pragma once

#include <string_view>

namespace mainstay {

class json_extent {
public:
  void feed(std::string_view text) noexcept {
    for (char c : text) feed(c);
  }
  /// An object, an array or a string has begun and ended. Of numbers and words nobody can say.
  bool complete() const noexcept { return begun_ && depth_ == 0 && !in_string_; }

private:
  void feed(char c) noexcept {
    if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"')
        in_string_ = false;
      return;
    }
    if (c == '"') begun_ = in_string_ = true;
    if (c == '{' || c == '[') begun_ = true, ++depth_;
    if ((c == '}' || c == ']') && depth_ > 0) --depth_;
  }

  unsigned depth_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false;
};

} // namespace mainstay
