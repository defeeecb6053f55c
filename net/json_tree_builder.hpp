// A tree from the reader's events. For json::parse, and for readers that want more of the same pass than the tree: they
// hide an event, look, and call this one's.
#pragma once

#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <string>
#include <vector>

namespace mainstay::json {

struct tree_builder : handler {
  explicit tree_builder(std::size_t nodes) : nodes_left(nodes) {}

  value root;
  std::vector<value*> open; // pointers stay valid: a container grows only while it is the innermost
  std::string name;
  std::size_t nodes_left;

  value* add(json::kind kind, std::string_view text = {}) {
    if (nodes_left == 0) return nullptr;
    --nodes_left;
    auto& made = open.empty() ? root : open.back()->items.emplace_back();
    made.kind = kind;
    made.text = text;
    made.name = std::move(name);
    name.clear();
    return &made;
  }
  bool enter(json::kind kind) {
    auto made = add(kind);
    if (made) open.push_back(made);
    return made != nullptr;
  }
  bool leave() { return open.pop_back(), true; }

  bool key(std::string_view text) { return name = text, true; }
  bool string(std::string_view text) { return add(kind::string, text) != nullptr; }
  bool number(std::string_view text) { return add(kind::number, text) != nullptr; }
  bool boolean(bool b) { return add(kind::boolean, b ? "true" : "false") != nullptr; }
  bool null() { return add(kind::null) != nullptr; }
  bool begin_object() { return enter(kind::object); }
  bool begin_array() { return enter(kind::array); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
};

} // namespace mainstay::json
