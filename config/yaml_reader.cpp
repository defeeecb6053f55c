// Mappings and lists: where things stand, which keys nobody knows, which are written twice.
#include "config/yaml_reader.hpp"

#include "config/spelling.hpp"

#include <algorithm>
#include <cctype>

namespace mainstay::config {
namespace {

// yaml-cpp's marks count from 0, and an absent value is marked where the next token stands: its key's place is kept
// then.
spot place(const YAML::Node& node, const spot& otherwise, std::string key) {
  const auto mark = node.Mark();
  if (node.IsNull() || mark.is_null()) return {otherwise.line, otherwise.column, std::move(key)};
  return {mark.line + 1, mark.column + 1, std::move(key)};
}

bool is_word(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

// `{ name: a, secret sk-123 }` is a key too, to YAML: only what looks like a setting's name is repeated in a message.
bool may_be_shown(const std::string& key) {
  const auto digits = std::count_if(key.begin(), key.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return !key.empty() && key.size() <= 32 && digits <= 2 && is_word(key) && key.rfind("sk-", 0) != 0;
}

std::string path_of(const std::string& parent, const std::string& key) {
  if (key.size() > 256 || !is_word(key)) return parent + "[\"" + key.substr(0, 256) + "\"]";
  return parent.empty() ? key : parent + "." + key;
}

} // namespace

std::vector<cursor> cursor::items() const {
  std::vector<cursor> out;
  if (!node_.IsSequence()) {
    error(node_.IsNull() ? "is empty: give a list, or leave it out" : "must be a list");
    return out;
  }
  if (node_.size() == 0) error("is an empty list: give at least one entry, or leave it out");
  for (const auto& item : node_)
    out.emplace_back(item, place(item, where_, where_.key + "[" + std::to_string(out.size()) + "]"), *shared_);
  return out;
}

section::section(const cursor& from, std::initializer_list<std::string_view> known) : at_(from) {
  const std::vector<std::string_view> words(known);
  read(from, &words);
}

section::section(const cursor& from) : at_(from) { read(from, nullptr); }

void section::read(const cursor& from, const std::vector<std::string_view>* known) {
  if (!from.is_mapping()) {
    from.error(from.node().IsNull() ? "is empty: fill it, or leave it out" : "must be a mapping (key: value)");
    return;
  }
  valid_ = true;
  for (const auto& entry : from.node()) {
    const auto &key_node = entry.first, &value = entry.second;
    const auto mark = key_node.Mark();
    const spot at_key{mark.line + 1, mark.column + 1, from.where().key};
    if (!key_node.IsScalar()) {
      from.shared().found.error(at_key, "a key must be a plain word");
      continue;
    }
    const std::string& key = key_node.Scalar();
    const bool unknown = known && std::find(known->begin(), known->end(), key) == known->end();
    if (unknown && !may_be_shown(key)) {
      from.shared().found.error(at_key, "has an unknown key (not shown, it may hold a secret; is a colon missing?)");
    } else if (const spot full{at_key.line, at_key.column, path_of(from.where().key, key)}; unknown) {
      from.shared().found.error(full, "unknown key" + did_you_mean(key, *known));
    } else if (!index_.emplace(key, entries_.size()).second) {
      from.shared().found.error(full, "is given twice");
    } else {
      entries_.emplace_back(key, cursor(value, place(value, full, full.key), from.shared()));
    }
  }
}

const cursor* section::find(std::string_view key) const noexcept {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second].second;
}

const cursor* section::need(std::string_view key) const {
  const auto* found = find(key);
  if (!found && valid_) at_.shared().found.error(at_.where().beneath(key), "is missing");
  return found;
}

void section::number(std::string_view key, double& out, double min, double max) const {
  if (const auto* c = find(key)) out = c->number(min, max).value_or(out);
}

void section::weight(std::string_view key, double& out) const {
  if (const auto* c = find(key)) out = c->weight().value_or(out);
}

void section::time(std::string_view key, duration& out, duration min, duration max) const {
  if (const auto* c = find(key)) out = c->time(min, max).value_or(out);
}

void section::size(std::string_view key, std::size_t& out, std::uint64_t min, std::uint64_t max) const {
  if (const auto* c = find(key)) out = c->size(min, max).value_or(out);
}

void section::flag(std::string_view key, bool& out) const {
  if (const auto* c = find(key)) out = c->flag().value_or(out);
}

bool unique_names::claim(const std::string& name, const cursor& where) {
  const auto [it, fresh] = line_of_.emplace(name, where.where().line);
  if (!fresh) where.error("the " + kind_ + " " + name + " is already defined in line " + std::to_string(it->second));
  return fresh;
}

std::string read_name(const section& from, unique_names& names) {
  const auto* at = from.need("name");
  const auto name = at ? at->name() : std::nullopt;
  return name && names.claim(*name, *at) ? *name : std::string();
}

} // namespace mainstay::config
