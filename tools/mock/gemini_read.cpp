// Reading a Gemini-dialect call: as strict as the vendor, which takes no member it does not know and no turns in
// disorder, because translators are tested against this.
#include "tools/mock/gemini.hpp"
#include "tools/mock/http_text.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <initializer_list>

namespace mainstay::mock {
namespace {

using rapidjson::Value;
using problem = std::optional<wire_error>;

wire_error bad(const std::string& message) { return {400, gemini_error(400, "INVALID_ARGUMENT", message)}; }

const Value* field(const Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  auto found = object.FindMember(name);
  return found == object.MemberEnd() || found->value.IsNull() ? nullptr : &found->value;
}

std::string_view text_of(const Value& value) {
  if (!value.IsString()) return {};
  return {value.GetString(), value.GetStringLength()};
}
std::string_view text_in(const Value& object, const char* name) {
  auto value = field(object, name);
  return value ? text_of(*value) : std::string_view();
}

std::string json_of(const Value& value) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> writer(out);
  value.Accept(writer);
  return {out.GetString(), out.GetSize()};
}

problem only(const Value& object, const std::string& where, std::initializer_list<std::string_view> known) {
  if (!object.IsObject()) return bad("Invalid value at '" + where + "': expected an object.");
  for (auto& member : object.GetObject()) {
    auto name = text_of(member.name);
    if (std::find(known.begin(), known.end(), name) == known.end())
      return bad("Invalid JSON payload received. Unknown name \"" + std::string(name) + "\"" +
                 (where.empty() ? "" : " at '" + where + "'") + ": Cannot find field.");
  }
  return {};
}

class conversation_reader {
public:
  conversation_reader(chat_call& call) : call_(call) {}

  problem read(const Value& body) {
    if (auto system = field(body, "systemInstruction")) {
      auto parts = field(*system, "parts");
      if (!parts || !parts->IsArray() || parts->Empty()) return bad("systemInstruction.parts must not be empty.");
      for (auto& part : parts->GetArray()) all_.push_back({"system", std::string(text_in(part, "text"))});
    }
    auto contents = field(body, "contents");
    if (!contents || !contents->IsArray() || contents->Empty())
      return bad("* GenerateContentRequest.contents: contents is not specified");
    for (rapidjson::SizeType i = 0; i < contents->Size(); ++i)
      if (auto wrong = content((*contents)[i], "contents[" + std::to_string(i) + "]")) return wrong;
    if (!called_.empty()) return bad("Please ensure that function call turn is followed by a function response turn.");
    for (auto& said : all_) call_.add_message(said.role, said.text, &said == &all_.back());
    return {};
  }

private:
  problem content(const Value& c, const std::string& where) {
    if (auto wrong = only(c, where, {"role", "parts"})) return wrong;
    auto role = text_in(c, "role");
    if (!role.empty() && role != "user" && role != "model") return bad("Please use a valid role: user, model.");
    auto parts = field(c, "parts");
    if (!parts || !parts->IsArray() || parts->Empty())
      return bad("* GenerateContentRequest." + where + ".parts: contents.parts must not be empty.");
    text_.clear();
    calls_.clear();
    answers_ = texts_ = 0;
    for (rapidjson::SizeType i = 0; i < parts->Size(); ++i)
      if (auto wrong = part((*parts)[i], where + ".parts[" + std::to_string(i) + "]", role == "model")) return wrong;
    if (answers_ != called_.size())
      return bad("Please ensure that the number of function response parts is equal to the number of function call "
                 "parts of the function call turn.");
    called_ = calls_;
    if (answers_ == 0 || texts_ > 0) all_.push_back({role == "model" ? "assistant" : "user", text_});
    return {};
  }

  problem part(const Value& p, const std::string& where, bool models) {
    if (auto wrong = only(p, where,
                          {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall",
                           "functionResponse", "videoMetadata", "mediaResolution"}))
      return wrong;
    int data = 0;
    for (auto name : {"text", "inlineData", "fileData", "functionCall", "functionResponse"}) data += p.HasMember(name);
    if (data != 1)
      return bad("* GenerateContentRequest." + where +
                 ".data: required oneof field 'data' must have one initialized field");
    if (auto call = field(p, "functionCall")) return function_call(*call, p, where, models);
    if (auto response = field(p, "functionResponse")) return function_response(*response, where);
    if (auto blob = field(p, "inlineData"))
      if (text_in(*blob, "mimeType").empty() || text_in(*blob, "data").empty())
        return bad("Unable to process input " + where + ".inlineData.");
    if (auto file = field(p, "fileData"); file && text_in(*file, "fileUri").empty())
      return bad("Unsupported file uri at " + where + ".");
    if (!p.HasMember("text") || p.HasMember("thought")) return {};
    if (texts_++) text_ += '\n';
    text_ += text_in(p, "text");
    return {};
  }

  problem function_call(const Value& call, const Value& p, const std::string& where, bool models) {
    if (auto wrong = only(call, where + ".functionCall", {"id", "name", "args"})) return wrong;
    if (!models)
      return bad("Please ensure that function call turn comes immediately after a user turn or after a function "
                 "response turn.");
    auto args = field(call, "args");
    if (text_in(call, "name").empty() || (args && !args->IsObject()))
      return bad("* GenerateContentRequest." + where + ".function_call.name: Name cannot be empty.");
    if (is_gemini_3(call_.model) && calls_.empty() && text_in(p, "thoughtSignature").empty())
      return bad("Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                 "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                 "data, function call `default_api:" +
                 std::string(text_in(call, "name")) + "`.");
    calls_.emplace_back(text_in(call, "name"));
    return {};
  }

  problem function_response(const Value& response, const std::string& where) {
    if (auto wrong = only(response, where + ".functionResponse", {"id", "name", "response", "parts"})) return wrong;
    auto name = text_in(response, "name");
    auto said = field(response, "response");
    if (name.empty())
      return bad("* GenerateContentRequest." + where + ".function_response.name: Name cannot be empty.");
    if (!said || !said->IsObject())
      return bad("Invalid value at '" + where +
                 ".function_response.response' (type.googleapis.com/google.protobuf.Struct)");
    if (std::find(called_.begin(), called_.end(), name) == called_.end())
      return bad("Please ensure that function response turn comes immediately after a function call turn.");
    ++answers_;
    auto output = field(*said, "output");
    all_.push_back({"tool", output && output->IsString() ? std::string(text_of(*output)) : json_of(*said)});
    return {};
  }

  struct said {
    std::string role, text;
  };
  chat_call& call_;
  std::vector<said> all_;
  std::vector<std::string> called_, calls_; // functions, by the turn before and by this one
  std::size_t answers_ = 0, texts_ = 0;     // in this turn
  std::string text_;
};

problem read_count(const Value& config, const char* name, std::optional<std::uint64_t>& count) {
  auto value = field(config, name);
  if (!value) return {};
  if (!value->IsUint64() || value->GetUint64() > INT32_MAX)
    return bad("Invalid value at 'generation_config." + std::string(name) + "' (TYPE_INT32)");
  if (value->GetUint64() == 0)
    return bad("* GenerateContentRequest.generation_config." + std::string(name) + ": must be positive.");
  count = value->GetUint64();
  return {};
}

problem read_thinking(const Value& config, chat_call& call) {
  auto thinking = field(config, "thinkingConfig");
  if (!thinking) return {};
  if (auto wrong =
          only(*thinking, "generation_config.thinking_config", {"includeThoughts", "thinkingBudget", "thinkingLevel"}))
    return wrong;
  auto level = text_in(*thinking, "thinkingLevel");
  if (!level.empty() && thinking->HasMember("thinkingBudget"))
    return bad("You can only set only one of thinking budget and thinking level.");
  if (!level.empty() && !is_gemini_3(call.model)) return bad("Thinking level is not supported for this model.");
  for (auto known : {"", "MINIMAL", "LOW", "MEDIUM", "HIGH"})
    if (level == known) level = "";
  if (!level.empty()) return bad("Invalid value at 'generation_config.thinking_config.thinking_level'");
  auto aloud = field(*thinking, "includeThoughts");
  call.thinks = aloud && aloud->IsBool() && aloud->GetBool();
  return {};
}

problem read_config(const Value& body, chat_call& call) {
  auto config = field(body, "generationConfig");
  if (!config) return {};
  if (auto wrong = only(*config, "generation_config",
                        {"candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed",
                         "responseMimeType", "responseSchema", "responseJsonSchema", "presencePenalty",
                         "frequencyPenalty", "responseLogprobs", "logprobs", "responseModalities", "speechConfig",
                         "thinkingConfig", "mediaResolution"}))
    return wrong;
  std::optional<std::uint64_t> n;
  if (auto wrong = read_count(*config, "candidateCount", n)) return wrong;
  if (n.value_or(1) > 8) return bad("Multiple candidates is not enabled for this model");
  call.n = static_cast<std::uint32_t>(n.value_or(1));
  if (auto wrong = read_count(*config, "maxOutputTokens", call.max_tokens)) return wrong;
  if (auto stops = field(*config, "stopSequences")) {
    if (!stops->IsArray() || stops->Size() > 5)
      return bad("* GenerateContentRequest.generation_config.stop_sequences: at most 5 are allowed.");
    for (auto& stop : stops->GetArray()) call.stops.emplace_back(text_of(stop));
  }
  auto schema = field(*config, "responseJsonSchema");
  call.wants_json = text_in(*config, "responseMimeType") == "application/json";
  if (schema && !call.wants_json)
    return bad("Function calling or a schema needs the response mime type 'application/json'.");
  if (auto properties = schema ? field(*schema, "properties") : nullptr; properties && field(*properties, "parts"))
    call.read_parts();
  return read_thinking(*config, call);
}

// A declaration's name and that of its first parameter: required ones before others.
problem read_declaration(const Value& declared, const std::string& where, tool_to_call& tool) {
  if (auto wrong = only(
          declared, where,
          {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"}))
    return wrong;
  tool = {std::string(text_in(declared, "name")), "city"};
  auto fine = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.' || c == ':';
  };
  if (tool.name.empty() || tool.name.size() > 64 || !std::all_of(tool.name.begin(), tool.name.end(), fine))
    return bad("* GenerateContentRequest." + where +
               ".name: Invalid function name. Must start with a letter or an "
               "underscore.");
  if (declared.HasMember("parameters") && declared.HasMember("parametersJsonSchema"))
    return bad("* GenerateContentRequest." + where + ": parameters and parameters_json_schema are mutually exclusive.");
  auto schema = field(declared, "parametersJsonSchema");
  if (!schema) schema = field(declared, "parameters");
  if (!schema) return {};
  auto required = field(*schema, "required");
  auto properties = field(*schema, "properties");
  if (required && required->IsArray() && !required->Empty())
    tool.field = text_of((*required)[0]);
  else if (properties && properties->IsObject() && properties->MemberCount() > 0)
    tool.field = text_of(properties->MemberBegin()->name);
  return {};
}

problem read_tools(const Value& body, chat_call& call) {
  std::vector<tool_to_call> all;
  if (auto tools = field(body, "tools"); tools && tools->IsArray())
    for (auto& tool : tools->GetArray()) {
      auto declared = field(tool, "functionDeclarations");
      if (!declared || !declared->IsArray()) continue;
      for (rapidjson::SizeType i = 0; i < declared->Size(); ++i) {
        auto where = "tools[0].function_declarations[" + std::to_string(i) + "]";
        if (auto wrong = read_declaration((*declared)[i], where, all.emplace_back())) return wrong;
      }
    }
  call.has_tools = !all.empty();
  if (call.has_tools && call.wants_json && !is_gemini_3(call.model))
    return bad("Function calling with a response mime type: 'application/json' is unsupported");
  auto config = field(body, "toolConfig");
  auto calling = config ? field(*config, "functionCallingConfig") : nullptr;
  auto mode = calling ? text_in(*calling, "mode") : std::string_view();
  auto allowed = calling ? field(*calling, "allowedFunctionNames") : nullptr;
  if (allowed && mode != "ANY" && mode != "VALIDATED")
    return bad("Function calling config: allowed_function_names may only be set in the modes ANY and VALIDATED.");
  if (mode == "NONE") return {};
  if (allowed && allowed->IsArray())
    std::erase_if(all, [&](const tool_to_call& tool) {
      return std::none_of(allowed->Begin(), allowed->End(), [&](auto& name) { return text_of(name) == tool.name; });
    });
  auto wanted = call.tools_asked(all.size());
  if (mode == "ANY" && call.last_role == "user")
    wanted = std::max<std::size_t>(wanted, std::min<std::size_t>(all.size(), 1));
  call.calls.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(wanted));
  return {};
}

// ".../models/NAME:method", with what is escaped in it.
std::string model_in(std::string_view path) {
  constexpr std::string_view before = "/models/";
  auto name = path.substr(path.find(before) + before.size());
  return percent_decoded(name.substr(0, name.rfind(':')));
}

problem parse(std::string_view text, rapidjson::Document& body) {
  body.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size()); // iterative: depth costs heap, not stack
  if (body.HasParseError() || !body.IsObject()) return bad("Invalid JSON payload received. Unexpected token.");
  return {};
}

} // namespace

std::optional<wire_error> gemini::read_chat(const target& at, std::string_view text, chat_call& call) const {
  rapidjson::Document body;
  if (auto wrong = parse(text, body)) return wrong;
  call.model = model_in(at.path);
  call.stream = at.path.ends_with(":streamGenerateContent");
  if (call.stream && query_value(at.query, "alt") != "sse")
    return bad("This mock streams server-sent events only: alt=sse.");
  if (auto wrong = only(body, "",
                        {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings",
                         "cachedContent"}))
    return wrong;
  if (auto wrong = conversation_reader(call).read(body)) return wrong;
  if (auto wrong = read_config(body, call)) return wrong;
  return read_tools(body, call);
}

std::optional<wire_error> gemini::read_embeddings(const target& at, std::string_view text, chat_call& call,
                                                  texts_to_embed& what) const {
  rapidjson::Document body;
  if (auto wrong = parse(text, body)) return wrong;
  call.model = model_in(at.path);
  auto requests = field(body, "requests");
  if (!requests || !requests->IsArray() || requests->Empty())
    return bad("* BatchEmbedContentsRequest.requests: requests is not specified");
  std::optional<std::uint64_t> most;
  for (auto& one : requests->GetArray()) {
    if (auto wrong = only(one, "requests", {"model", "content", "taskType", "title", "outputDimensionality"}))
      return wrong;
    if (text_in(one, "model") != "models/" + call.model)
      return bad("* BatchEmbedContentsRequest.requests: model must be the same as in the batch");
    auto content = field(one, "content");
    auto parts = content ? field(*content, "parts") : nullptr;
    if (!parts || !parts->IsArray() || parts->Empty() || text_in((*parts)[0], "text").empty())
      return bad("* EmbedContentRequest.content: content is empty");
    what.texts.emplace_back(text_in((*parts)[0], "text"));
    if (auto wrong = read_count(one, "outputDimensionality", most)) return wrong;
  }
  what.most = most.value_or(SIZE_MAX);
  call.last_user_text = what.texts.front();
  return {};
}

} // namespace mainstay::mock
