// Reading an OpenAI-dialect chat call: as strict as the vendor about types, indifferent to fields it does not know.
#include "tools/mock/openai.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>

namespace mainstay::mock {
namespace {

using rapidjson::Value;

wire_error bad(std::string_view message, std::string_view param, std::string_view code) {
  return {400, openai_error(message, "invalid_request_error", param, code)};
}

wire_error wrong_type(const std::string& param, std::string_view expected) {
  return bad("Invalid type for '" + param + "': expected " + std::string(expected) + ".", param, "invalid_type");
}

// A field that is there and not null.
const Value* field(const Value& object, const char* name) {
  auto found = object.FindMember(name);
  return found == object.MemberEnd() || found->value.IsNull() ? nullptr : &found->value;
}

std::string_view text_of(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

// A content's text: the string itself, or the text parts of a list, a line each.
std::optional<std::string_view> content_text(const Value* content, std::string& joined) {
  if (!content) return std::string_view();
  if (content->IsString()) return text_of(*content);
  if (!content->IsArray()) return {};
  bool first = true;
  for (auto& part : content->GetArray()) {
    if (!part.IsObject()) return {};
    auto text = field(part, "text");
    if (!text || !text->IsString()) continue; // an image, a sound
    if (!first) joined += '\n';
    first = false;
    joined.append(text->GetString(), text->GetStringLength());
  }
  return joined;
}

constexpr std::array<std::string_view, 6> roles = {"system", "assistant", "user", "function", "tool", "developer"};

std::optional<wire_error> read_messages(const Value& body, chat_call& call) {
  auto messages = field(body, "messages");
  if (!messages) return bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
  if (!messages->IsArray()) return wrong_type("messages", "an array of objects");
  if (messages->Empty())
    return bad("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
               "instead.",
               "messages", "empty_array");
  for (rapidjson::SizeType i = 0; i < messages->Size(); ++i) {
    auto& message = (*messages)[i];
    auto where = [i](const char* what) { return "messages[" + std::to_string(i) + "]" + what; };
    if (!message.IsObject()) return wrong_type(where(""), "an object");
    auto role = field(message, "role");
    if (!role || !role->IsString())
      return bad("Missing required parameter: '" + where(".role") + "'.", where(".role"), "missing_required_parameter");
    if (std::find(roles.begin(), roles.end(), text_of(*role)) == roles.end())
      return bad("Invalid value: '" + std::string(text_of(*role)) +
                     "'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                 where(".role"), "invalid_value");
    std::string joined;
    auto text = content_text(field(message, "content"), joined);
    if (!text) return wrong_type(where(".content"), "one of a string or array of objects");
    call.add_message(text_of(*role), *text, i + 1 == messages->Size());
  }
  return {};
}

std::optional<wire_error> read_flag(const Value& body, const char* name, bool& flag) {
  auto value = field(body, name);
  if (!value) return {};
  if (!value->IsBool()) return wrong_type(name, "a boolean");
  flag = value->GetBool();
  return {};
}

std::optional<wire_error> read_count(const Value& body, const char* name, std::optional<std::uint64_t>& count) {
  auto value = field(body, name);
  if (!value) return {};
  if (!value->IsInt64() && !value->IsUint64()) return wrong_type(name, "an integer");
  if (!value->IsUint64() || value->GetUint64() == 0)
    return bad("Invalid '" + std::string(name) + "': integer below minimum value. Expected a value >= 1.", name,
               "integer_below_min_value");
  count = value->GetUint64();
  return {};
}

std::optional<wire_error> read_stream(const Value& body, chat_call& call) {
  if (auto error = read_flag(body, "stream", call.stream)) return error;
  auto options = field(body, "stream_options");
  if (!options) return {};
  if (!call.stream)
    return bad("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", "");
  if (!options->IsObject()) return wrong_type("stream_options", "an object");
  return read_flag(*options, "include_usage", call.include_usage);
}

// The function's name and that of its first parameter: required ones before others.
void read_tool(const Value& tool, chat_call& call) {
  auto function = tool.IsObject() ? field(tool, "function") : nullptr;
  auto name = function && function->IsObject() ? field(*function, "name") : nullptr;
  if (!name || !name->IsString()) return;
  auto& to_call = call.calls.emplace_back(tool_to_call{std::string(text_of(*name)), "city"});
  auto parameters = field(*function, "parameters");
  if (!parameters || !parameters->IsObject()) return;
  auto required = field(*parameters, "required");
  auto properties = field(*parameters, "properties");
  if (required && required->IsArray() && !required->Empty() && (*required)[0].IsString())
    to_call.field = text_of((*required)[0]);
  else if (properties && properties->IsObject() && properties->MemberCount() > 0)
    to_call.field = text_of(properties->MemberBegin()->name);
}

void read_stops(const Value& stop, chat_call& call) {
  if (stop.IsString()) call.stops.emplace_back(text_of(stop));
  if (!stop.IsArray()) return;
  for (auto& one : stop.GetArray())
    if (one.IsString()) call.stops.emplace_back(text_of(one));
}

// Questions that a gateway has merged: numbered parts in the last line of the last message.
void read_parts(const Value& format, chat_call& call) {
  auto schema = field(format, "json_schema");
  auto name = schema && schema->IsObject() ? field(*schema, "name") : nullptr;
  if (name && name->IsString() && text_of(*name) == "mainstay_batch") call.read_parts();
}

std::optional<wire_error> read_rest(const Value& body, chat_call& call) {
  std::optional<std::uint64_t> n;
  if (auto error = read_count(body, "n", n)) return error;
  if (n && *n > 128)
    return bad("Invalid 'n': integer above maximum value. Expected a value <= 128.", "n", "integer_above_max_value");
  call.n = static_cast<std::uint32_t>(n.value_or(1));
  if (auto error = read_count(body, "max_tokens", call.max_tokens)) return error;
  if (auto error = read_count(body, "max_completion_tokens", call.max_tokens)) return error;
  if (auto user = field(body, "user"); user && user->IsString()) call.user = text_of(*user);
  if (auto format = field(body, "response_format"); format && format->IsObject()) {
    auto type = field(*format, "type");
    call.wants_json = type && type->IsString() && text_of(*type).starts_with("json_");
    read_parts(*format, call);
  }
  auto choice = field(body, "tool_choice");
  bool may = !choice || !choice->IsString() || text_of(*choice) != "none";
  auto tools = field(body, "tools");
  call.has_tools = tools && tools->IsArray() && !tools->Empty();
  if (auto stop = field(body, "stop")) read_stops(*stop, call);
  if (auto effort = field(body, "reasoning_effort"))
    call.thinks = effort->IsString() && text_of(*effort) != "none" && text_of(*effort) != "minimal";
  if (call.has_tools && may)
    for (std::size_t i = 0; i < call.tools_asked(tools->Size()); ++i)
      read_tool((*tools)[static_cast<rapidjson::SizeType>(i)], call);
  return {};
}

} // namespace

std::optional<wire_error> openai::read_chat(const target&, std::string_view text, chat_call& call) const {
  char pool_bytes[8192];
  rapidjson::MemoryPoolAllocator<> pool(pool_bytes, sizeof pool_bytes);
  rapidjson::Document body(&pool);
  body.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size()); // iterative: depth costs heap, not stack
  if (body.HasParseError() || !body.IsObject())
    return bad("We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
               "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If "
               "you have trouble figuring out how to fix this, please contact us through our help center at "
               "help.openai.com.)",
               "", "");
  auto model = field(body, "model");
  if (!model) return bad("you must provide a model parameter", "", "");
  if (!model->IsString()) return wrong_type("model", "a string");
  call.model = text_of(*model);
  if (auto error = read_messages(body, call)) return error;
  if (auto error = read_stream(body, call)) return error;
  return read_rest(body, call);
}

} // namespace mainstay::mock
