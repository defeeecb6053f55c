#include "net/redaction/placeholders.hpp"

#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay {

namespace {

constexpr std::string_view in_json_mark = "json"; // no placeholder: those begin with a bracket

/// As a JSON string has it, without its quotes.
void append_escaped(std::string& out, std::string_view value) {
  std::string quoted;
  json::append_string(quoted, value);
  out.append(quoted, 1, quoted.size() - 2);
}

} // namespace

std::uint32_t placeholders::next_number(const std::string& kind) {
  auto [it, fresh] = numbers_.try_emplace(kind);
  auto& n = it->second;
  if (fresh) { // what the caller wrote itself stays its own
    const auto begin = "[" + kind + "_";
    for (auto at = body_.find(begin); at != body_.npos; at = body_.find(begin, at + 1)) {
      std::uint32_t number = 0;
      const auto* from = body_.data() + at + begin.size();
      if (std::from_chars(from, body_.data() + body_.size(), number).ec == std::errc{}) n.taken.insert(number);
    }
  }
  do ++n.last;
  while (n.taken.count(n.last));
  return n.last;
}

const std::string& placeholders::add(const std::string& kind, std::string_view value) {
  auto name = kind + " ";
  name += value;
  const auto [it, fresh] = names_.try_emplace(std::move(name));
  if (!fresh) return it->second;
  it->second = "[" + kind + "_" + std::to_string(next_number(kind)) + "]";
  longest_ = std::max(longest_, it->second.size());
  values_.emplace(it->second, value);
  return it->second;
}

/// Of the placeholder that `text` begins with; null: with none.
const std::string* placeholders::value_at(std::string_view text, std::size_t& length) const {
  const auto end = text.substr(0, longest_).find(']');
  if (end == text.npos) return nullptr;
  length = end + 1;
  const auto it = values_.find(text.substr(0, length));
  return it == values_.end() ? nullptr : &it->second;
}

bool placeholders::restore(std::string_view text, writing how, std::string& out) const {
  std::size_t done = 0, length = 0;
  bool any = false;
  for (auto at = text.find('['); at != text.npos; at = text.find('[', at)) {
    const auto* value = value_at(text.substr(at), length);
    if (!value) {
      ++at;
      continue;
    }
    if (!any) out.clear();
    any = true;
    out.append(text, done, at - done);
    if (how == writing::json || in_json)
      append_escaped(out, *value);
    else
      out += *value;
    done = at += length;
  }
  if (any) out.append(text, done);
  return any;
}

std::size_t placeholders::whole(std::string_view text) const {
  const auto from = text.size() > longest_ ? text.size() - longest_ : 0;
  for (auto at = text.find('[', from); at != text.npos; at = text.find('[', at + 1)) {
    const auto tail = text.substr(at);
    const auto it = values_.lower_bound(tail);
    if (it != values_.end() && it->first.size() > tail.size() && it->first.starts_with(tail)) return at;
  }
  return text.size();
}

std::size_t placeholders::whole(std::string_view text, std::size_t cut) const {
  const auto from = cut > longest_ ? cut - longest_ : 0;
  std::size_t length = 0;
  for (auto at = text.find('[', from); at < cut; at = text.find('[', at + 1))
    if (value_at(text.substr(at), length) && at + length > cut) return at;
  return cut == text.size() ? whole(text) : std::min(cut, whole(text));
}

std::string placeholders::to_text() const {
  auto all = json::value::make_object();
  const auto add = [&](std::string_view name, std::string value) {
    all.items.push_back(json::value::make_string(std::move(value)));
    all.items.back().name = name;
  };
  if (in_json) add(in_json_mark, "yes");
  for (auto& [name, value] : values_) add(name, value);
  return json::to_text(all);
}

std::shared_ptr<const placeholders> placeholders::from_text(std::string_view text) {
  const auto all = json::parse(text);
  if (!all || !all->is(json::kind::object)) return nullptr;
  auto out = std::make_shared<placeholders>();
  for (auto& member : all->items) {
    if (member.name == in_json_mark) {
      out->in_json = true;
      continue;
    }
    out->longest_ = std::max(out->longest_, member.name.size());
    out->values_.emplace(member.name, member.text);
  }
  return out->empty() ? nullptr : out;
}

} // namespace mainstay
