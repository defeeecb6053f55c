// Anthropic's Messages API, as its callers write it, in the chat form. What the form has no place for keeps its own
// name and shape, and is noted as only_native.
#include "net/dialects/base64.hpp"
#include "net/dialects/caller_body.hpp"
#include "net/dialects/messages.hpp"
#include "net/json_text.hpp"

#include <algorithm>
#include <array>

namespace mainstay {
namespace {

using json::kind;
using json::value;

// Of the chat form, but not of this dialect: under one of these names something would become what it is not.
constexpr std::array<std::string_view, 34> chat_only = {"n",
                                                        "seed",
                                                        "stop",
                                                        "max_completion_tokens",
                                                        "response_format",
                                                        "functions",
                                                        "user",
                                                        "function_call",
                                                        "logprobs",
                                                        "top_logprobs",
                                                        "presence_penalty",
                                                        "frequency_penalty",
                                                        "logit_bias",
                                                        "modalities",
                                                        "audio",
                                                        "prediction",
                                                        "reasoning_effort",
                                                        "verbosity",
                                                        "store",
                                                        "stream_options",
                                                        "grammar",
                                                        "structured_outputs",
                                                        "guided_json",
                                                        "guided_regex",
                                                        "guided_choice",
                                                        "guided_grammar",
                                                        "parallel_tool_calls",
                                                        "web_search_options",
                                                        "prompt_cache_key",
                                                        "min_p",
                                                        "safety_identifier",
                                                        "repetition_penalty",
                                                        "native",
                                                        "extra_body"};

class request_reader {
public:
  request_reader(const value& in, bool counting) : in_(in), counting_(counting) {}

  std::string out = "{";
  std::vector<std::string> only_native;
  std::optional<request_problem> problem;

  bool read() {
    const auto* messages = in_.find("messages");
    if (!in_.find("model")) return fail(missing("model"));
    if (!messages) return fail(missing("messages"));
    if (!messages->is(kind::array)) return fail(wrong_type("messages", "an array"));
    if (!counting_ && !find_given(in_, "max_tokens")) return fail(missing("max_tokens"));
    for (const auto& member : in_.items)
      if (!top(member)) return false;
    begin_member(out, "messages");
    out += '[';
    if (const auto* system = find_given(in_, "system"); system && !add_system(*system)) return false;
    for (std::size_t i = 0; i < messages->items.size(); ++i)
      if (!message(messages->items[i], "messages[" + std::to_string(i) + "]")) return false;
    out += "]}";
    return true;
  }

private:
  using numbered = std::vector<std::pair<const value*, std::size_t>>; // blocks, and where they stand

  bool fail(request_problem p) {
    problem = std::move(p);
    return false;
  }
  bool invalid(const std::string& where, const std::string& why) {
    return fail({"Invalid '" + where + "': " + why + ".", where, "invalid_value"});
  }

  bool top(const value& v) {
    const auto& name = v.name;
    if (v.is(kind::null) && name != "model") return true;
    if (name == "messages" || name == "system") return true;
    if (name == "stream") return stream(v);
    if (name == "stop_sequences") return stops(v);
    if (name == "metadata") return metadata(v);
    if (name == "tools") return tools(v);
    if (name == "tool_choice") return tool_choice(v);
    if (name == "output_config") return output_config(v);
    if (name == "service_tier") {
      add_text(out, name, v.string_or_empty() == "standard_only" ? "default" : v.string_or_empty());
      return true;
    }
    constexpr std::array<std::string_view, 7> same = {"model", "max_tokens", "temperature",  "top_p",
                                                      "top_k", "thinking",   "cache_control"};
    if (std::ranges::find(same, name) == same.end()) {
      if (std::ranges::find(chat_only, name) != chat_only.end()) return fail(unknown(name));
      only_native.push_back(name);
    }
    add_value(out, name, v);
    return true;
  }

  bool stream(const value& v) {
    add_value(out, "stream", v);
    if (v.text == "true") add_json(out, "stream_options", R"({"include_usage":true})");
    return true;
  }

  bool stops(const value& v) {
    if (!v.is(kind::array)) return fail(wrong_type("stop_sequences", "an array of strings"));
    if (!v.items.empty()) add_value(out, "stop", v);
    return true;
  }

  bool metadata(const value& v) {
    copy_given(out, v, "user_id", "user");
    return true;
  }

  bool output_config(const value& v) {
    if (!v.is(kind::object)) return fail(wrong_type("output_config", "an object"));
    bool only_here = false;
    for (const auto& member : v.items) {
      if (member.is(kind::null)) continue;
      if (member.name == "effort")
        add_value(out, "reasoning_effort", member);
      else if (member.name == "format" && member.find("schema"))
        output_format(member);
      else {
        only_here = true;
        only_native.push_back("output_config." + member.name);
      }
    }
    if (only_here) add_value(out, "output_config", v);
    return true;
  }

  void output_format(const value& format) {
    begin_member(out, "response_format");
    out += R"({"type":"json_schema","json_schema":{"name":"answer")";
    copy_given(out, format, "schema");
    out += R"(,"strict":true}})";
  }

  // -- tools

  bool tools(const value& list) {
    if (!list.is(kind::array)) return fail(wrong_type("tools", "an array"));
    if (list.items.empty()) return true;
    begin_member(out, "tools");
    out += '[';
    for (std::size_t i = 0; i < list.items.size(); ++i)
      if (!tool(list.items[i], "tools[" + std::to_string(i) + "]")) return false;
    out += ']';
    return true;
  }

  bool tool(const value& t, const std::string& where) {
    if (!t.is(kind::object)) return fail(wrong_type(where, "an object"));
    begin_item(out);
    const auto* type = find_given(t, "type");
    if (type && type->string_or_empty() != "custom") return verbatim(t, where + ".type");
    out += R"({"type":"function","function":{)";
    for (const auto& member : t.items) {
      if (member.is(kind::null)) continue;
      if (member.name == "name" || member.name == "description" || member.name == "strict")
        add_value(out, member.name, member);
      if (member.name == "input_schema") add_value(out, "parameters", member);
    }
    out += '}';
    for (const auto& member : t.items) {
      constexpr std::array<std::string_view, 6> read = {"name",         "description", "strict",
                                                        "input_schema", "type",        "function"};
      if (member.is(kind::null) || std::ranges::find(read, member.name) != read.end()) continue;
      add_value(out, member.name, member);
      if (member.name != "cache_control" && member.name != "eager_input_streaming")
        only_native.push_back(where + "." + member.name);
    }
    out += '}';
    return true;
  }

  bool tool_choice(const value& v) {
    const auto* type = v.find("type");
    const auto word = type ? type->string_or_empty() : std::string_view();
    if (word == "auto" || word == "none")
      add_text(out, "tool_choice", word);
    else if (word == "any")
      add_text(out, "tool_choice", "required");
    else if (word == "tool" && v.find("name")) {
      begin_member(out, "tool_choice");
      out += R"({"type":"function","function":{)";
      copy_given(out, v, "name");
      out += "}}";
    } else
      return invalid("tool_choice", "type must be auto, any, tool (with a name) or none");
    if (const auto* one = v.find("disable_parallel_tool_use"); one && one->text == "true")
      add_json(out, "parallel_tool_calls", "false");
    return true;
  }

  // -- messages

  bool verbatim(const value& v, std::string where) {
    json::append(out, v);
    only_native.push_back(std::move(where));
    return true;
  }

  bool add_system(const value& v) {
    if (v.is(kind::string) && v.text.empty()) return true;
    if (v.is(kind::array) && v.items.empty()) return true;
    begin_item(out);
    out += R"({"role":"system")";
    if (!content(v, "system")) return false;
    out += '}';
    return true;
  }

  bool message(const value& m, const std::string& where) {
    if (!m.is(kind::object)) return fail(wrong_type(where, "an object"));
    const auto* role = m.find("role");
    const auto* said = m.find("content");
    const auto who = role ? role->string_or_empty() : std::string_view();
    if (who != "user" && who != "assistant") return invalid(where + ".role", "must be user or assistant");
    if (!said) return fail(missing(where + ".content"));
    if (!said->is(kind::string) && !said->is(kind::array))
      return fail(wrong_type(where + ".content", "a string or an array of blocks"));
    if (who == "assistant") return assistant(*said, where + ".content");
    return user(*said, where + ".content");
  }

  static std::string_view type_of(const value& block) {
    const auto* type = block.find("type");
    return type ? type->string_or_empty() : std::string_view();
  }
  static std::string element(const std::string& where, std::size_t i) { return where + "[" + std::to_string(i) + "]"; }

  /// Results of tools are messages of their own; what stands between them is the user's.
  bool user(const value& said, const std::string& where) {
    if (said.is(kind::string)) {
      begin_item(out);
      out += R"({"role":"user")";
      add_value(out, "content", said);
      out += '}';
      return true;
    }
    for (std::size_t i = 0; i < said.items.size();) {
      if (type_of(said.items[i]) == "tool_result") {
        if (!tool_result(said.items[i], element(where, i))) return false;
        ++i;
        continue;
      }
      numbered these;
      for (; i < said.items.size() && type_of(said.items[i]) != "tool_result"; ++i)
        these.emplace_back(&said.items[i], i);
      begin_item(out);
      out += R"({"role":"user")";
      if (!parts(these, where)) return false;
      out += '}';
    }
    if (said.items.empty()) return invalid(where, "must not be empty");
    return true;
  }

  bool tool_result(const value& block, const std::string& where) {
    if (!find_given(block, "tool_use_id")) return fail(missing(where + ".tool_use_id"));
    begin_item(out);
    out += R"({"role":"tool")";
    copy_given(out, block, "tool_use_id", "tool_call_id");
    const auto* said = find_given(block, "content");
    if (!said)
      add_json(out, "content", R"("")");
    else if (!content(*said, where + ".content"))
      return false;
    if (const auto* wrong = block.find("is_error"); wrong && wrong->text == "true") add_json(out, "is_error", "true");
    copy_given(out, block, "cache_control");
    out += '}';
    return true;
  }

  bool content(const value& said, const std::string& where) {
    if (said.is(kind::string)) {
      add_value(out, "content", said);
      return true;
    }
    if (!said.is(kind::array)) return fail(wrong_type(where, "a string or an array of blocks"));
    numbered all;
    for (std::size_t i = 0; i < said.items.size(); ++i) all.emplace_back(&said.items[i], i);
    return parts(all, where);
  }

  static bool plain_text(const value& block) {
    return type_of(block) == "text" && block.find("text") && std::ranges::all_of(block.items, [](const value& member) {
             return member.name == "type" || member.name == "text" || member.is(kind::null);
           });
  }

  /// One block that is text and nothing else becomes a string: not every provider takes a list everywhere.
  bool parts(const numbered& blocks, const std::string& where) {
    if (blocks.size() == 1 && plain_text(*blocks.front().first)) {
      add_value(out, "content", *blocks.front().first->find("text"));
      return true;
    }
    begin_member(out, "content");
    out += '[';
    for (auto& [block, i] : blocks)
      if (!part(*block, element(where, i))) return false;
    out += ']';
    return true;
  }

  bool part(const value& block, const std::string& where) {
    if (!block.is(kind::object)) return fail(wrong_type(where, "an object"));
    const auto type = type_of(block);
    if (type.empty()) return fail(missing(where + ".type"));
    begin_item(out);
    if (type == "text") {
      if (!block.find("text")) return fail(missing(where + ".text"));
      json::append(out, block); // as it is in the chat form, hints and all
      return true;
    }
    if (type == "image" && image(block)) return true;
    if (type == "document" && document(block, where)) return true;
    return verbatim(block, where + ".type");
  }

  static std::string data_url(std::string_view media_type, std::string_view base64) {
    std::string out = "data:";
    out.reserve(media_type.size() + base64.size() + 16);
    return out.append(media_type).append(";base64,").append(base64);
  }

  /// False: of a source that the chat form does not know.
  bool image(const value& block) {
    const auto* source = block.find("source");
    const auto type = source ? type_of(*source) : std::string_view();
    if (type != "base64" && type != "url") return false;
    out += R"({"type":"image_url","image_url":{)";
    if (type == "url")
      copy_given(out, *source, "url");
    else
      add_text(out, "url", data_url(text_of(*source, "media_type"), text_of(*source, "data")));
    out += '}';
    copy_given(out, block, "cache_control");
    out += '}';
    return true;
  }

  bool document(const value& block, const std::string& where) {
    const auto* source = block.find("source");
    const auto type = source ? type_of(*source) : std::string_view();
    if (type != "base64" && type != "text") return false;
    const auto data = text_of(*source, "data");
    out += R"({"type":"file","file":{)";
    add_text(out, "file_data",
             data_url(text_of(*source, "media_type"), type == "text" ? to_base64(data) : std::string(data)));
    copy_given(out, block, "title", "filename");
    out += '}';
    for (const auto& member : block.items) {
      if (member.name == "type" || member.name == "source" || member.name == "title" || member.is(kind::null)) continue;
      const auto* enabled = member.name == "citations" ? member.find("enabled") : nullptr;
      if (enabled && enabled->text == "false") continue;
      add_value(out, member.name, member);
      if (member.name != "cache_control") only_native.push_back(where + "." + member.name);
    }
    out += '}';
    return true;
  }

  // -- what the assistant said

  bool assistant(const value& said, const std::string& where) {
    begin_item(out);
    out += R"({"role":"assistant")";
    if (said.is(kind::string)) {
      add_value(out, "content", said);
      out += '}';
      return true;
    }
    numbered words;
    std::string calls = "[", thoughts = "[", reasoning;
    for (std::size_t i = 0; i < said.items.size(); ++i) {
      const auto& block = said.items[i];
      const auto type = type_of(block);
      if (type == "tool_use") {
        if (!tool_use(block, calls, element(where, i))) return false;
      } else if (type == "thinking" && text_of(block, "signature").empty()) {
        reasoning += text_of(block, "thinking"); // of a provider that does not sign: ours made a block of it
      } else if (type == "thinking" || type == "redacted_thinking") {
        begin_item(thoughts);
        json::append(thoughts, block);
      } else
        words.emplace_back(&block, i);
    }
    if (!words.empty()) {
      if (!parts(words, where)) return false;
    } else
      add_json(out, "content", calls.size() > 1 ? "null" : R"("")");
    if (!reasoning.empty()) add_text(out, "reasoning_content", reasoning);
    if (thoughts.size() > 1) add_json(out, "thinking_blocks", thoughts + "]");
    if (calls.size() > 1) add_json(out, "tool_calls", calls + "]");
    out += '}';
    return true;
  }

  bool tool_use(const value& block, std::string& calls, const std::string& where) {
    for (const char* needed : {"id", "name", "input"})
      if (!find_given(block, needed)) return fail(missing(where + "." + needed));
    begin_item(calls);
    calls += '{';
    copy_given(calls, block, "id");
    calls += R"(,"type":"function","function":{)";
    copy_given(calls, block, "name");
    add_text(calls, "arguments", json::to_text(*block.find("input")));
    calls += '}';
    copy_given(calls, block, "cache_control");
    calls += '}';
    return true;
  }

  const value& in_;
  const bool counting_;
};

caller_request_or read(const bytes_ptr& body, bool counting) {
  auto understood = read_caller_body(body);
  if (auto* no = std::get_if<request_problem>(&understood)) return std::move(*no);
  auto& in = std::get<caller_body>(understood);
  request_reader reader(in.tree, counting);
  if (!reader.read()) return std::move(*reader.problem);
  caller_request out;
  out.chat = make_bytes(std::move(reader.out));
  out.native = std::make_shared<native_request>(
      native_request{dialect::anthropic, body, in.model_value, std::move(reader.only_native), {}});
  out.teller = messages_teller();
  return out;
}

} // namespace

caller_request_or read_messages(const bytes_ptr& body) { return read(body, false); }
caller_request_or read_token_count(const bytes_ptr& body) { return read(body, true); }

} // namespace mainstay
