// Reading an Anthropic-dialect call: as strict as the vendor about what it refuses, because translators are tested
// against this.
#include "tools/mock/anthropic.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <set>

namespace mainstay::mock {
namespace {

using rapidjson::Value;
using problem = std::optional<wire_error>;

wire_error bad(const std::string& message) { return {400, anthropic_error("invalid_request_error", message)}; }

const Value* field(const Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  auto found = object.FindMember(name);
  return found == object.MemberEnd() || found->value.IsNull() ? nullptr : &found->value;
}

std::string_view text_of(const Value* value) {
  if (!value || !value->IsString()) return {};
  return {value->GetString(), value->GetStringLength()};
}

std::string_view text_in(const Value& object, const char* name) { return text_of(field(object, name)); }

bool blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos; }

constexpr std::array<std::string_view, 17> known = {
    "model",       "messages",      "max_tokens",   "system",        "stream",      "stop_sequences",
    "temperature", "top_p",         "top_k",        "tools",         "tool_choice", "thinking",
    "metadata",    "output_config", "service_tier", "cache_control", "container"};

// What was said, freed of blocks: a result of a tool is said by the tool.
struct said {
  std::string role, text;
};

class conversation_reader {
public:
  explicit conversation_reader(std::vector<said>& all) : all_(all) {}

  problem read(const Value& messages) {
    for (rapidjson::SizeType i = 0; i < messages.Size(); ++i)
      if (auto wrong = message(messages[i], "messages." + std::to_string(i))) return wrong;
    if (!open_.empty())
      return bad("messages." + std::to_string(messages.Size() - 1) +
                 ": `tool_use` ids were found without `tool_result` blocks immediately after: " + *open_.begin());
    auto& last = messages[messages.Size() - 1];
    if (text_in(last, "role") != "assistant" || all_.back().text.empty()) return {};
    if (blank(std::string_view(all_.back().text).substr(all_.back().text.size() - 1)))
      return bad("messages: final assistant content cannot end with trailing whitespace");
    return {};
  }

private:
  problem message(const Value& m, const std::string& where) {
    auto role = text_in(m, "role");
    if (role == "system")
      return bad("messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not "
                 "\"system\" as an input message role.");
    if (role != "user" && role != "assistant") return bad(where + ".role: Input should be 'user' or 'assistant'");
    auto content = field(m, "content");
    if (!content || (!content->IsString() && !content->IsArray())) return bad(where + ".content: Field required");
    std::set<std::string> awaited;
    awaited.swap(open_);
    std::string text;
    if (content->IsString()) {
      text = text_of(content);
      if (blank(text)) return bad(where + ": text content blocks must be non-empty");
    } else {
      if (content->Empty()) return bad(where + ": content must not be empty");
      for (rapidjson::SizeType i = 0; i < content->Size(); ++i)
        if (auto wrong = block((*content)[i], where + ".content." + std::to_string(i), role, awaited, text))
          return wrong;
    }
    if (!awaited.empty())
      return bad(where +
                 ": `tool_use` ids were found without `tool_result` blocks immediately after: " + *awaited.begin() +
                 ". Each `tool_use` block must have a corresponding `tool_result` block in the next "
                 "message.");
    if (said_ || content->IsString()) all_.push_back({std::string(role), text});
    said_ = false;
    return {};
  }

  problem block(const Value& b, const std::string& where, std::string_view role, std::set<std::string>& awaited,
                std::string& text) {
    auto type = text_in(b, "type");
    if (type == "tool_result") return result(b, where, awaited);
    if (type == "text") {
      auto part = text_in(b, "text");
      if (blank(part)) return bad(where + ".text: text content blocks must be non-empty");
      (text += text.empty() ? "" : "\n") += part;
    } else if (type == "tool_use") {
      auto id = text_in(b, "id");
      auto input = field(b, "input");
      if (id.empty() || text_in(b, "name").empty()) return bad(where + ".tool_use: Field required");
      if (!input || !input->IsObject()) return bad(where + ".tool_use.input: Input should be a valid dictionary");
      if (!open_.emplace(id).second) return bad("messages: `tool_use` ids must be unique");
    } else if (type == "thinking") {
      if (text_in(b, "signature").empty()) return bad(where + ".thinking.signature: Field required");
    } else if (type == "image" || type == "document") {
      if (auto wrong = source(b, where + "." + std::string(type))) return wrong;
    } else if (type != "redacted_thinking") {
      return bad(where + ": Input tag '" + std::string(type) +
                 "' found using 'type' does not match any of the expected tags");
    }
    if (role == "user" && (type == "tool_use" || type.ends_with("thinking")))
      return bad(where + ": `" + std::string(type) + "` blocks can only be in `assistant` messages");
    said_ = true;
    return {};
  }

  problem result(const Value& b, const std::string& where, std::set<std::string>& awaited) {
    auto id = text_in(b, "tool_use_id");
    if (!awaited.erase(std::string(id)))
      return bad(where + ": unexpected `tool_use_id` found in `tool_result` blocks: " + std::string(id) +
                 ". Each `tool_result` block must have a corresponding `tool_use` block in the previous message.");
    auto content = field(b, "content");
    std::string text(text_of(content));
    if (content && content->IsArray())
      for (auto& part : content->GetArray()) {
        if (text_in(part, "type") == "text" && blank(text_in(part, "text")))
          return bad(where + ".content: text content blocks must be non-empty");
        (text += text.empty() ? "" : "\n") += text_in(part, "text");
      }
    all_.push_back({"tool", text});
    return {};
  }

  static problem source(const Value& b, const std::string& where) {
    auto from = field(b, "source");
    if (!from) return bad(where + ".source: Field required");
    auto type = text_in(*from, "type");
    bool fine = type == "base64" ? !text_in(*from, "data").empty() && !text_in(*from, "media_type").empty()
                : type == "text" ? text_in(*from, "media_type") == "text/plain" && !text_in(*from, "data").empty()
                                 : type == "url" && text_in(*from, "url").starts_with("https://");
    if (!fine) return bad(where + ".source: Input should be a valid source");
    return {};
  }

  std::vector<said>& all_;
  std::set<std::string> open_; // calls that wait for their results
  bool said_ = false;          // the message has something besides results
};

problem read_system(const Value& body, std::vector<said>& all) {
  auto system = field(body, "system");
  if (!system) return {};
  if (system->IsString()) {
    all.push_back({"system", std::string(text_of(system))});
    return {};
  }
  if (!system->IsArray()) return bad("system: Input should be a valid list");
  for (auto& block : system->GetArray()) {
    if (text_in(block, "type") != "text" || blank(text_in(block, "text")))
      return bad("system: text content blocks must be non-empty");
    all.push_back({"system", std::string(text_in(block, "text"))});
  }
  return {};
}

problem read_tools(const Value& body, chat_call& call) {
  auto tools = field(body, "tools");
  auto choice = field(body, "tool_choice");
  if (choice && !tools) return bad("tool_choice: may only be specified while providing tools");
  if (!tools) return {};
  if (!tools->IsArray()) return bad("tools: Input should be a valid list");
  for (rapidjson::SizeType i = 0; i < tools->Size(); ++i) {
    auto where = "tools." + std::to_string(i);
    auto& tool = (*tools)[i];
    auto name = text_in(tool, "name");
    if (name.empty() || name.size() > 128)
      return bad(where + ".name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'");
    if (auto type = text_in(tool, "type"); !type.empty() && type != "custom") continue;
    auto schema = field(tool, "input_schema");
    if (!schema || text_in(*schema, "type") != "object")
      return bad(where + ".custom.input_schema.type: Input should be 'object'");
  }
  call.has_tools = !tools->Empty();
  if (choice && text_in(*choice, "type") == "none") return {};
  for (std::size_t i = 0; i < call.tools_asked(tools->Size()); ++i) {
    auto& tool = (*tools)[static_cast<rapidjson::SizeType>(i)];
    auto schema = field(tool, "input_schema");
    auto required = schema ? field(*schema, "required") : nullptr;
    auto properties = schema ? field(*schema, "properties") : nullptr;
    std::string argument = "city";
    if (required && required->IsArray() && !required->Empty())
      argument = text_of(&(*required)[0]);
    else if (properties && properties->IsObject() && properties->MemberCount() > 0)
      argument = text_of(&properties->MemberBegin()->name);
    call.calls.push_back({std::string(text_in(tool, "name")), argument});
    auto one = choice ? field(*choice, "disable_parallel_tool_use") : nullptr;
    if (one && one->IsBool() && one->GetBool()) break;
  }
  return {};
}

problem read_thinking(const Value& body, chat_call& call) {
  auto thinking = field(body, "thinking");
  if (!thinking) return {};
  auto type = text_in(*thinking, "type");
  if (type != "enabled" && type != "adaptive" && type != "disabled")
    return bad("thinking.type: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'");
  call.thinks = type != "disabled";
  if (!call.thinks) return {};
  if (type == "enabled") {
    auto budget = field(*thinking, "budget_tokens");
    if (!budget || !budget->IsUint64()) return bad("thinking.enabled.budget_tokens: Field required");
    if (budget->GetUint64() < 1024)
      return bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
    if (budget->GetUint64() >= *call.max_tokens)
      return bad("`max_tokens` must be greater than `thinking.budget_tokens`.");
  }
  if (auto t = field(body, "temperature"); t && t->IsNumber() && t->GetDouble() != 1)
    return bad("`temperature` may only be set to 1 when thinking is enabled.");
  if (field(body, "top_k")) return bad("`top_k` must be unset when thinking is enabled.");
  if (auto p = field(body, "top_p"); p && p->IsNumber() && p->GetDouble() < 0.95)
    return bad("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.");
  if (auto choice = field(body, "tool_choice")) {
    auto how = text_in(*choice, "type");
    if (how == "any" || how == "tool") return bad("Thinking may not be enabled when tool_choice forces tool use.");
  }
  if (call.prefill)
    return bad("messages: pre-filling the `assistant` response is not supported when thinking is enabled");
  return {};
}

// A gateway's merged questions are known by their schema, for formats have no names here.
void read_format(const Value& body, chat_call& call) {
  auto config = field(body, "output_config");
  auto format = config ? field(*config, "format") : nullptr;
  if (!format) return;
  call.wants_json = true;
  call.read_parts();
}

problem read_numbers(const Value& body, chat_call& call, bool counting) {
  auto most = field(body, "max_tokens");
  if (!most && !counting) return bad("max_tokens: Field required");
  if (most && (!most->IsUint64() || most->GetUint64() == 0))
    return bad("max_tokens: Input should be greater than or equal to 1");
  if (most) call.max_tokens = most->GetUint64();
  for (auto name : {"temperature", "top_p"}) {
    auto value = field(body, name);
    if (value && (!value->IsNumber() || value->GetDouble() < 0 || value->GetDouble() > 1))
      return bad(std::string(name) + ": range: 0..1");
  }
  auto stops = field(body, "stop_sequences");
  if (stops && stops->IsArray())
    for (auto& stop : stops->GetArray()) {
      if (blank(text_of(&stop))) return bad("stop_sequences: each stop sequence must contain non-whitespace");
      call.stops.emplace_back(text_of(&stop));
    }
  return {};
}

} // namespace

std::optional<wire_error> anthropic::read_chat(const target& at, std::string_view text, chat_call& call) const {
  char pool_bytes[8192];
  rapidjson::MemoryPoolAllocator<> pool(pool_bytes, sizeof pool_bytes);
  rapidjson::Document body(&pool);
  body.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size()); // iterative: depth costs heap, not stack
  if (!at.names_version) return bad("anthropic-version: header is required");
  if (body.HasParseError() || !body.IsObject()) return bad("The request body is not valid JSON");
  for (auto& member : body.GetObject())
    if (auto name = text_of(&member.name); std::find(known.begin(), known.end(), name) == known.end())
      return bad(std::string(name) + ": Extra inputs are not permitted");
  call.model = text_in(body, "model");
  if (call.model.empty()) return bad("model: Field required");
  auto messages = field(body, "messages");
  if (!messages || !messages->IsArray()) return bad("messages: Field required");
  if (messages->Empty()) return bad("messages: at least one message is required");
  std::vector<said> all;
  if (auto wrong = read_system(body, all)) return wrong;
  if (auto wrong = conversation_reader(all).read(*messages)) return wrong;
  for (auto& one : all) call.add_message(one.role, one.text, &one == &all.back());
  if (auto wrong = read_numbers(body, call, at.path.ends_with("/count_tokens"))) return wrong;
  if (auto stream = field(body, "stream"); stream && stream->IsBool()) call.stream = stream->GetBool();
  if (auto metadata = field(body, "metadata")) call.user = text_in(*metadata, "user_id");
  if (auto wrong = read_tools(body, call)) return wrong;
  if (!at.path.ends_with("/count_tokens"))
    if (auto wrong = read_thinking(body, call)) return wrong;
  read_format(body, call);
  return {};
}

} // namespace mainstay::mock
