// What stands in a redacted request for what its caller wrote, and the way back: "[EMAIL_1]" for the first address of
// mail. Brackets, for no encoder of JSON, HTML or Markdown changes them on the way. Promises: equal values have equal
// placeholders, numbered by kind in the order in which they were added; a number that the caller's own text uses is
// left out. The values are a secret: they are never shown, logged, or given to anybody but the caller.
#pragma once

#include "net/bytes.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace mainstay {

/// What the text around a value asks of it.
enum class writing : std::uint8_t {
  plain,
  json // inside a string of JSON that itself is a string's text
};

class placeholders {
public:
  /// `body`: all of the request, for the placeholders that stand there already.
  explicit placeholders(std::string_view body = {}) : body_(body) {}

  /// The placeholder of that value. `kind` in capitals. `body` has to be there still.
  const std::string& add(const std::string& kind, std::string_view value);

  bool empty() const noexcept { return values_.empty(); }
  std::size_t size() const noexcept { return values_.size(); }

  /// Its callers want JSON: values have to be written so in the answer's text.
  bool in_json = false;

  /// `text` with the values in place of placeholders. False: there are none, and `out` is as it was.
  bool restore(std::string_view text, writing, std::string& out) const;
  /// How much of the beginning of `text` may be restored now, when more may follow: never a part of a placeholder.
  std::size_t whole(std::string_view text) const;
  /// The same, of a beginning that ends at `cut`, in the midst of a text.
  std::size_t whole(std::string_view text, std::size_t cut) const;

  /// As a JSON object, for who keeps it beside the request; and back. None: it is no such text.
  std::string to_text() const;
  static std::shared_ptr<const placeholders> from_text(std::string_view);

private:
  std::uint32_t next_number(const std::string& kind);
  const std::string* value_at(std::string_view text, std::size_t& length) const;

  std::string_view body_;                                  // while it is being filled
  std::map<std::string, std::string, std::less<>> values_; // by placeholder
  std::map<std::string, std::string, std::less<>> names_;  // by kind and value
  struct numbers {
    std::uint32_t last = 0;
    std::set<std::uint32_t> taken;
  };
  std::map<std::string, numbers> numbers_; // by kind
  std::size_t longest_ = 0;
};
using placeholders_ptr = std::shared_ptr<const placeholders>; // null: nothing was replaced

} // namespace mainstay
