// Trees: found in, changed, written back.
#include "net/json_tree.hpp"

#include "net/json_tree_builder.hpp"

#include <charconv>

namespace mainstay::json {

const value* value::find(std::string_view member) const noexcept {
  if (!is(kind::object)) return nullptr;
  for (auto i = items.rbegin(); i != items.rend(); ++i)
    if (i->name == member) return &*i;
  return nullptr;
}

value& value::set(std::string_view member, value v) {
  v.name = member;
  if (auto have = find(member)) return *have = std::move(v);
  return items.emplace_back(std::move(v));
}

void value::erase(std::string_view member) {
  if (is(kind::object)) std::erase_if(items, [&](const value& v) { return v.name == member; });
}

std::optional<std::uint64_t> value::whole() const noexcept {
  if (!is(kind::number)) return {};
  return whole_number(text);
}

std::optional<std::uint64_t> whole_number(std::string_view spelled) noexcept {
  std::uint64_t n = 0;
  auto end = spelled.data() + spelled.size();
  auto [stop, error] = std::from_chars(spelled.data(), end, n);
  if (error == std::errc{} && stop == end) return n;
  double d = 0;
  auto [last, wrong] = std::from_chars(spelled.data(), end, d);
  if (wrong != std::errc{} || last != end || !(d >= 0 && d <= 9007199254740992.0)) return {};
  n = static_cast<std::uint64_t>(d);
  if (static_cast<double>(n) != d) return {};
  return n;
}

std::optional<value> parse(std::string_view text, std::size_t node_limit) {
  tree_builder tree(node_limit);
  if (!read(text, tree)) return {};
  return std::move(tree.root);
}

void append(std::string& out, const value& v) {
  switch (v.kind) {
  case kind::null: out += "null"; return;
  case kind::boolean:
  case kind::number: out += v.text; return;
  case kind::string: append_string(out, v.text); return;
  case kind::array:
  case kind::object: break;
  }
  bool object = v.is(kind::object);
  out += object ? '{' : '[';
  for (std::size_t i = 0; i < v.items.size(); ++i) {
    if (i > 0) out += ',';
    if (object) {
      append_string(out, v.items[i].name);
      out += ':';
    }
    append(out, v.items[i]);
  }
  out += object ? '}' : ']';
}

std::string to_text(const value& v) {
  std::string out;
  append(out, v);
  return out;
}

} // namespace mainstay::json
