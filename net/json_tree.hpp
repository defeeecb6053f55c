// A JSON value as a tree, for the paths that rebuild answers (cache, continuation, errors); the hot path reads without
// one. Promises: members keep their order, numbers their spelling; depth is at most json::depth_limit, so walking it
// recursively is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay::json {

enum class kind : std::uint8_t { null, boolean, number, string, array, object };

struct value {
  json::kind kind = kind::null;
  std::string name;         // as a member of an object
  std::string text;         // a string unescaped, a number as spelled, "true" or "false"
  std::vector<value> items; // of an array or object

  static value make_string(std::string text) { return {kind::string, {}, std::move(text), {}}; }
  static value make_number(std::uint64_t n) { return {kind::number, {}, std::to_string(n), {}}; }
  static value make_array() { return {kind::array, {}, {}, {}}; }
  static value make_object() { return {kind::object, {}, {}, {}}; }

  bool is(json::kind k) const noexcept { return kind == k; }
  /// The member of that name; of several the last, as most readers have it. Null if there is none, or this is no
  /// object.
  const value* find(std::string_view member) const noexcept;
  value* find(std::string_view member) noexcept { return const_cast<value*>(std::as_const(*this).find(member)); }
  /// Replaces the member or appends it. The reference is valid until the next change of this object.
  value& set(std::string_view member, value v);
  void erase(std::string_view member);
  /// A string's text, else empty.
  std::string_view string_or_empty() const noexcept {
    return is(kind::string) ? std::string_view(text) : std::string_view();
  }
  /// A number's value if it is a whole one that fits.
  std::optional<std::uint64_t> whole() const noexcept;
};

/// The text of the member of that name, if it is a string, else empty.
inline std::string_view text_of(const value& v, std::string_view member) noexcept {
  const auto* found = v.find(member);
  return found ? found->string_or_empty() : std::string_view();
}

/// None if `text` is not JSON, or has more than `node_limit` values (a value takes about 100 bytes).
std::optional<value> parse(std::string_view text, std::size_t node_limit = 1'000'000);

/// Compact, without the name of `v` itself.
void append(std::string& out, const value& v);
std::string to_text(const value&);

/// A JSON number that is a whole one: "12", and "12.0" or "1e3" where some write so.
std::optional<std::uint64_t> whole_number(std::string_view spelled) noexcept;

} // namespace mainstay::json
