// A caller's body of another dialect: read once into a tree, as strictly as a chat request, and written as chat JSON
// member by member. What the members mean is left to the dialects.
#pragma once

#include "net/dialects/caller_dialect.hpp"
#include "net/json_tree.hpp"

namespace mainstay {

struct caller_body {
  json::value tree;               // an object
  chat_request::span model_value; // with its quotes; empty where no string stands there
};

/// Refuses what is no UTF-8, no JSON or no object, what has more than 250,000 values (about 30 MB as a tree), half
/// characters, and top-level members that are given twice or are more than 250.
std::variant<caller_body, request_problem> read_caller_body(const bytes_ptr&);

/// "Unknown parameter", "unsupported" and the like; always the caller's fault.
request_problem missing(std::string param);
request_problem wrong_type(std::string param, std::string_view expected);
request_problem unsupported(std::string param, std::string_view why);
request_problem unknown(std::string param);

/// Null, or no member of that name.
const json::value* find_given(const json::value& object, std::string_view member) noexcept;
/// Says nothing: null, false or 0 or "" or empty.
bool is_nothing(const json::value&) noexcept;

// -- text of an object or list that is being written; a comma where one is due

void begin_member(std::string& out, std::string_view name);
void begin_item(std::string& out);
void add_json(std::string& out, std::string_view name, std::string_view json);
void add_text(std::string& out, std::string_view name, std::string_view text);
void add_value(std::string& out, std::string_view name, const json::value& v);
/// The member of that name, under the same name or another, unless it is null.
void copy_given(std::string& out, const json::value& from, std::string_view member, std::string_view as = {});

} // namespace mainstay
