// OpenAI's Responses API, as its callers write it, in the chat form. What needs an answer to be kept, or a tool of
// OpenAI's own, is refused by name.
#include "net/dialects/caller_body.hpp"
#include "net/dialects/responses.hpp"
#include "net/json_text.hpp"

#include <algorithm>
#include <array>

namespace mainstay {
namespace {

using json::kind;
using json::value;

constexpr std::string_view not_kept = "answers are not kept here, so each request must bring its whole conversation";

class request_reader {
public:
  explicit request_reader(const value& in) : in_(in) {}

  std::string out = "{";
  responses_echo echo;
  std::optional<request_problem> problem;

  bool read() {
    if (!in_.find("model")) return fail(missing("model"));
    if (!find_given(in_, "input")) return fail(missing("input"));
    for (const auto& member : in_.items)
      if (!top(member)) return false;
    begin_member(out, "messages");
    out += '[';
    if (const auto said = text_of(in_, "instructions"); !said.empty()) message("system", said);
    if (!input(*in_.find("input"))) return false;
    end_assistant();
    if (out.back() == '[') return fail({"Invalid 'input': empty array.", "input", "empty_array"});
    out += "]}";
    say_again();
    return true;
  }

private:
  bool fail(request_problem p) {
    problem = std::move(p);
    return false;
  }

  // -- parameters

  bool top(const value& v) {
    const auto& name = v.name;
    constexpr std::array<std::string_view, 9> same = {"model",
                                                      "temperature",
                                                      "top_p",
                                                      "parallel_tool_calls",
                                                      "user",
                                                      "safety_identifier",
                                                      "prompt_cache_key",
                                                      "service_tier",
                                                      "prompt_cache_retention"};
    constexpr std::array<std::string_view, 5> harmless = {"input", "instructions", "metadata", "stream_options",
                                                          "generate_summary"};
    constexpr std::array<std::string_view, 4> kept = {"store", "previous_response_id", "conversation", "background"};
    constexpr std::array<std::string_view, 5> beyond = {"prompt", "max_tool_calls", "top_logprobs",
                                                        "context_management", "moderation"};
    const auto one_of = [&](const auto& names) { return std::ranges::find(names, name) != names.end(); };
    if (name == "instructions" && !v.is(kind::string) && !v.is(kind::null)) return fail(wrong_type(name, "a string"));
    if (v.is(kind::null) || one_of(harmless)) return true;
    if (one_of(same)) return add_value(out, name, v), true;
    if (one_of(kept)) return is_nothing(v) || fail(unsupported(name, not_kept));
    if (one_of(beyond)) return is_nothing(v) || fail(unsupported(name, "it has no counterpart in a chat"));
    if (name == "truncation") return v.string_or_empty() == "disabled" || fail(unsupported(name, "only disabled is"));
    if (name == "stream") return stream(v);
    if (name == "max_output_tokens") return add_value(out, "max_completion_tokens", v), true;
    if (name == "text") return text(v);
    if (name == "reasoning") return copy_given(out, v, "effort", "reasoning_effort"), true;
    if (name == "tools") return tools(v);
    if (name == "tool_choice") return tool_choice(v);
    if (name == "include") return include(v);
    return fail(unknown(name));
  }

  bool stream(const value& v) {
    add_value(out, "stream", v);
    if (v.text == "true") add_json(out, "stream_options", R"({"include_usage":true})");
    return true;
  }

  bool include(const value& list) {
    for (const auto& what : list.items) {
      if (what.string_or_empty() == "message.output_text.logprobs")
        return fail(unsupported("include", "log probabilities are not told here"));
      echo.encrypted_reasoning |= what.string_or_empty() == "reasoning.encrypted_content";
    }
    return true; // the others are about tools of OpenAI's own, which are not called here
  }

  bool text(const value& v) {
    copy_given(out, v, "verbosity");
    const auto* format = find_given(v, "format");
    const auto type = format ? text_of(*format, "type") : "text";
    if (type == "text") return true;
    if (type == "json_object") return add_json(out, "response_format", R"({"type":"json_object"})"), true;
    if (type != "json_schema") return fail(unsupported("text.format.type", "text, json_object and json_schema are"));
    begin_member(out, "response_format");
    out += R"({"type":"json_schema","json_schema":{)";
    for (const auto* member : {"name", "description", "schema", "strict"}) copy_given(out, *format, member);
    out += "}}";
    return true;
  }

  bool tools(const value& list) {
    if (!list.is(kind::array)) return fail(wrong_type("tools", "an array"));
    if (list.items.empty()) return true;
    begin_member(out, "tools");
    out += '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const auto& tool = list.items[i];
      if (text_of(tool, "type") != "function")
        return fail(unsupported("tools[" + std::to_string(i) + "].type", "only functions of the caller's own are"));
      begin_item(out);
      out += R"({"type":"function","function":{)";
      for (const auto* member : {"name", "description", "parameters", "strict"}) copy_given(out, tool, member);
      out += "}}";
    }
    out += ']';
    return true;
  }

  static void named_function(std::string& to, const value& v) {
    to += R"({"type":"function","function":{)";
    copy_given(to, v, "name");
    to += "}}";
  }

  bool tool_choice(const value& v) {
    if (v.is(kind::string)) return add_value(out, "tool_choice", v), true;
    const auto type = text_of(v, "type");
    if (type != "function" && type != "allowed_tools")
      return fail(unsupported("tool_choice", "only functions can be chosen"));
    begin_member(out, "tool_choice");
    if (type == "function") return named_function(out, v), true;
    out += R"({"type":"allowed_tools","allowed_tools":{)";
    copy_given(out, v, "mode");
    begin_member(out, "tools");
    out += '[';
    if (const auto* allowed = v.find("tools"))
      for (const auto& tool : allowed->items) {
        if (text_of(tool, "type") != "function")
          return fail(unsupported("tool_choice", "only functions can be chosen"));
        begin_item(out);
        named_function(out, tool);
      }
    out += "]}}";
    return true;
  }

  // -- the conversation

  void message(std::string_view role, std::string_view content) {
    begin_item(out);
    out += '{';
    add_text(out, "role", role);
    add_text(out, "content", content);
    out += '}';
  }

  bool input(const value& v) {
    if (v.is(kind::string)) return message("user", v.text), true;
    if (!v.is(kind::array)) return fail(wrong_type("input", "a string or an array of items"));
    for (std::size_t i = 0; i < v.items.size(); ++i)
      if (!item(v.items[i], "input[" + std::to_string(i) + "]")) return false;
    return true;
  }

  bool item(const value& v, const std::string& where) {
    if (!v.is(kind::object)) return fail(wrong_type(where, "an object"));
    const auto type = text_of(v, "type");
    if (type == "function_call") return call(v, where);
    if (type == "reasoning") return reasoning(v);
    if (type == "message" || (type.empty() && v.find("role"))) {
      if (text_of(v, "role") == "assistant") return said_before(v, where);
      end_assistant();
      return message_item(v, where);
    }
    end_assistant();
    if (type == "function_call_output") return result(v, where);
    if (type == "item_reference") return fail(unsupported(where, not_kept));
    return fail(unsupported(where + ".type", "messages, function calls with their outputs and reasoning are"));
  }

  bool message_item(const value& v, const std::string& where) {
    const auto role = text_of(v, "role");
    if (role != "user" && role != "system" && role != "developer")
      return fail({"Invalid '" + where + ".role'.", where + ".role", "invalid_value"});
    begin_item(out);
    out += '{';
    add_text(out, "role", role);
    if (!content(v, "content", where)) return false;
    out += '}';
    return true;
  }

  bool result(const value& v, const std::string& where) {
    if (text_of(v, "call_id").empty()) return fail(missing(where + ".call_id"));
    begin_item(out);
    out += R"({"role":"tool")";
    copy_given(out, v, "call_id", "tool_call_id");
    if (!content(v, "output", where)) return false;
    out += '}';
    return true;
  }

  bool content(const value& v, std::string_view member, const std::string& where) {
    const auto* said = find_given(v, member);
    const auto place = where + "." + std::string(member);
    if (!said) return fail(missing(place));
    if (said->is(kind::string)) return add_value(out, "content", *said), true;
    if (!said->is(kind::array)) return fail(wrong_type(place, "a string or an array of parts"));
    if (said->items.size() == 1 && text_of(said->items[0], "type") == "input_text" && said->items[0].find("text"))
      return add_value(out, "content", *said->items[0].find("text")), true;
    begin_member(out, "content");
    out += '[';
    for (std::size_t i = 0; i < said->items.size(); ++i)
      if (!part(said->items[i], place + "[" + std::to_string(i) + "]")) return false;
    out += ']';
    return true;
  }

  bool part(const value& v, const std::string& where) {
    const auto type = text_of(v, "type");
    begin_item(out);
    if (type == "input_text" || type == "output_text" || type == "text") {
      out += R"({"type":"text")";
      copy_given(out, v, "text");
    } else if (type == "input_image") {
      if (!find_given(v, "image_url")) return fail(unsupported(where + ".file_id", "files are not kept here"));
      out += R"({"type":"image_url","image_url":{)";
      copy_given(out, v, "image_url", "url");
      copy_given(out, v, "detail");
      out += '}';
    } else if (type == "input_file") {
      const auto* beyond = find_given(v, "file_url") ? ".file_url" : ".file_id";
      if (!find_given(v, "file_data")) return fail(unsupported(where + beyond, "only file_data is"));
      out += R"({"type":"file","file":{)";
      copy_given(out, v, "file_data");
      copy_given(out, v, "filename");
      out += '}';
    } else if (type == "input_audio") {
      out += R"({"type":"input_audio")";
      copy_given(out, v, "input_audio");
    } else
      return fail(unsupported(where + ".type", "text, images, files and audio are"));
    out += '}';
    return true;
  }

  // -- what the assistant said: reasoning, words and calls that follow one another are one message

  struct turn {
    bool begun = false;
    std::string text, refusal, reasoning;
    std::string thinking_blocks, calls; // JSON, what stands between the brackets
    bool spoke = false;
  };

  bool said_before(const value& v, const std::string& where) {
    if (turn_.spoke || !turn_.calls.empty()) end_assistant();
    turn_.begun = turn_.spoke = true;
    const auto* said = find_given(v, "content");
    if (!said) return fail(missing(where + ".content"));
    if (said->is(kind::string)) turn_.text = said->text;
    for (const auto& p : said->items) {
      const auto type = text_of(p, "type");
      if (type == "refusal")
        turn_.refusal += text_of(p, "refusal");
      else if (type == "output_text" || type == "input_text" || type == "text")
        turn_.text += text_of(p, "text");
      else
        return fail(unsupported(where + ".content", "output_text and refusal are"));
    }
    return true;
  }

  bool reasoning(const value& v) {
    if (turn_.spoke || !turn_.calls.empty()) end_assistant();
    turn_.begun = true;
    const auto* content = find_given(v, "content");
    const auto* words = content && !content->items.empty() ? content : find_given(v, "summary");
    if (words)
      for (const auto& p : words->items) turn_.reasoning += text_of(p, "text");
    // Ours are a provider's own signed blocks; what others encrypted nobody here can read.
    const auto sealed = text_of(v, "encrypted_content");
    if (const auto blocks = json::parse(sealed); blocks && blocks->is(kind::array))
      for (const auto& block : blocks->items)
        begin_item(turn_.thinking_blocks), json::append(turn_.thinking_blocks, block);
    return true;
  }

  bool call(const value& v, const std::string& where) {
    for (const char* needed : {"call_id", "name", "arguments"})
      if (!find_given(v, needed)) return fail(missing(where + "." + needed));
    turn_.begun = true;
    begin_item(turn_.calls);
    turn_.calls += '{';
    copy_given(turn_.calls, v, "call_id", "id");
    turn_.calls += R"(,"type":"function","function":{)";
    copy_given(turn_.calls, v, "name");
    copy_given(turn_.calls, v, "arguments");
    turn_.calls += "}}";
    return true;
  }

  void end_assistant() {
    if (!turn_.begun) return;
    begin_item(out);
    out += R"({"role":"assistant")";
    if (turn_.text.empty() && !turn_.calls.empty())
      add_json(out, "content", "null");
    else
      add_text(out, "content", turn_.text);
    if (!turn_.refusal.empty()) add_text(out, "refusal", turn_.refusal);
    if (!turn_.thinking_blocks.empty())
      add_json(out, "thinking_blocks", "[" + turn_.thinking_blocks + "]");
    else if (!turn_.reasoning.empty())
      add_text(out, "reasoning_content", turn_.reasoning);
    if (!turn_.calls.empty()) add_json(out, "tool_calls", "[" + turn_.calls + "]");
    out += '}';
    turn_ = {};
  }

  // -- the response says the request's parameters again

  void say_again() {
    auto& to = echo.members;
    const auto again = [&](std::string_view name, std::string_view otherwise) {
      const auto* given = find_given(in_, name);
      if (given)
        add_value(to, name, *given);
      else
        add_json(to, name, otherwise);
    };
    again("instructions", "null");
    again("max_output_tokens", "null");
    add_json(to, "max_tool_calls", "null");
    again("parallel_tool_calls", "true");
    add_json(to, "previous_response_id", "null");
    again("prompt_cache_key", "null");
    begin_member(to, "reasoning");
    to += '{';
    const auto* reasoning = find_given(in_, "reasoning");
    for (const auto* member : {"effort", "summary"}) {
      const auto* given = reasoning ? find_given(*reasoning, member) : nullptr;
      if (given)
        add_value(to, member, *given);
      else
        add_json(to, member, "null");
    }
    to += '}';
    again("safety_identifier", "null");
    again("service_tier", R"("auto")");
    add_json(to, "store", "false");
    again("temperature", "1.0");
    say_text_again(to);
    again("tool_choice", R"("auto")");
    again("tools", "[]");
    add_json(to, "top_logprobs", "0");
    again("top_p", "1.0");
    add_json(to, "truncation", R"("disabled")");
    if (const auto* user = find_given(in_, "user")) add_value(to, "user", *user);
    again("metadata", "{}");
  }

  void say_text_again(std::string& to) const {
    const auto* text = find_given(in_, "text");
    const auto* format = text ? find_given(*text, "format") : nullptr;
    begin_member(to, "text");
    to += '{';
    if (format)
      add_value(to, "format", *format);
    else
      add_json(to, "format", R"({"type":"text"})");
    if (text) copy_given(to, *text, "verbosity");
    to += '}';
  }

  const value& in_;
  turn turn_;
};

} // namespace

caller_request_or read_responses(const bytes_ptr& body) {
  auto understood = read_caller_body(body);
  if (auto* no = std::get_if<request_problem>(&understood)) return std::move(*no);
  request_reader reader(std::get<caller_body>(understood).tree);
  if (!reader.read()) return std::move(*reader.problem);
  return caller_request{make_bytes(std::move(reader.out)), nullptr, responses_teller(std::move(reader.echo))};
}

} // namespace mainstay
