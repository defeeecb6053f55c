// What a chat request asks for besides its conversation, in Gemini's words. The mapping of reasoning_effort is that of
// Google's own OpenAI dialect (ai.google.dev/gemini-api/docs/openai).
#include "net/dialects/gemini_contents.hpp"
#include "net/dialects/gemini_embeddings.hpp"
#include "net/dialects/lost_members.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay {
namespace {

using json::kind;
using json::value;

constexpr std::string_view translated[] = {"model",
                                           "messages",
                                           "stream",
                                           "stream_options",
                                           "tools",
                                           "tool_choice",
                                           "stop",
                                           "max_tokens",
                                           "temperature",
                                           "top_p",
                                           "top_k",
                                           "parallel_tool_calls",
                                           "n",
                                           "seed",
                                           "logprobs",
                                           "top_logprobs",
                                           "thinking",
                                           "max_completion_tokens",
                                           "store",
                                           "presence_penalty",
                                           "frequency_penalty",
                                           "reasoning_effort",
                                           "response_format"};
/// What every model that thinks by a budget can be given; Anthropic's may be given more.
constexpr std::uint64_t largest_budget = 24576;
/// These change no answer.
constexpr std::string_view hints[] = {"user",
                                      "metadata",
                                      "service_tier",
                                      "cache_control",
                                      "prompt_cache_key",
                                      "safety_identifier",
                                      "prompt_cache_retention"};

bool is_one_of(std::string_view name, auto& list) { return std::ranges::find(list, name) != std::end(list); }

/// Says only what is so anyway.
bool changes_nothing(const value& v) {
  if (v.is(kind::null) || (v.is(kind::boolean) && v.text == "false")) return true;
  if (v.is(kind::array) && v.items.empty()) return true;
  if (v.name == "logit_bias") return v.is(kind::object) && v.items.empty();
  if (v.name == "modalities") return v.items.size() == 1 && v.items[0].string_or_empty() == "text";
  if (v.name == "verbosity") return v.string_or_empty() == "medium";
  return false;
}

class request_writer {
public:
  request_writer(const value& root, const chat_request& request, const provider_terms& terms)
    : root_(root), request_(request), terms_(terms), family_(gemini_family::of(terms.model)) {}

  provider_request_or write() {
    for (auto& lost : members_without_counterpart(root_)) {
      if (!terms_.leave_out) return no_counterpart(lost.place), std::move(*problem_);
      made_.left_out.push_back(std::move(lost.what));
    }
    auto conversation = gemini_contents(*root_.find("messages"), family_, terms_.begun);
    if (auto wrong = std::get_if<request_problem>(&conversation)) return std::move(*wrong);
    auto& said = std::get<gemini_conversation>(conversation);
    body_ = R"({"contents":)" + said.contents;
    if (!said.system.empty()) body_ += R"(,"systemInstruction":{"parts":)" + said.system + '}';
    if (!(tools() && choice_of_tools() && sampling() && stops() && format() && thinking() && rest()))
      return std::move(*problem_);
    if (!config_.empty()) body_ += R"(,"generationConfig":{)" + config_ + '}';
    body_ += '}';
    made_.path = gemini_path(terms_.model, request_.stream ? "streamGenerateContent?alt=sse" : "generateContent");
    made_.body = make_bytes(std::move(body_));
    return std::move(made_);
  }

private:
  bool fail(std::string_view param, std::string message, std::string_view code = "invalid_value") {
    problem_ = request_problem{std::move(message), std::string(param), std::string(code)};
    return false;
  }
  bool wrong_type(std::string_view param, std::string_view expected) {
    return fail(param, "Invalid type for '" + std::string(param) + "': expected " + std::string(expected) + ".",
                "invalid_type");
  }
  bool no_counterpart(std::string_view param) {
    return fail(param, "The provider of this model has no counterpart to '" + std::string(param) + "'.",
                "unsupported_parameter");
  }
  /// True: it is left out.
  bool unsupported(std::string_view param) {
    if (!terms_.leave_out) return no_counterpart(param);
    made_.left_out.emplace_back(param);
    return true;
  }

  /// A member that is there and not null.
  const value* given(std::string_view name) const {
    const auto v = root_.find(name);
    return v && !v->is(kind::null) ? v : nullptr;
  }

  std::string& config(std::string_view name) {
    if (!config_.empty()) config_ += ',';
    return ((config_ += '"') += name) += "\":";
  }

  bool tools() {
    const auto list = given("tools");
    if (!list) return true;
    if (!list->is(kind::array)) return wrong_type("tools", "an array");
    std::string declared;
    bool others = false;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const auto function = list->items[i].find("function");
      if (text_of(list->items[i], "type") != "function" || !function) {
        if (!std::exchange(others, true) && !unsupported("tools[" + std::to_string(i) + "].type")) return false;
        continue;
      }
      if (!declared.empty()) declared += ',';
      append_declaration(declared, *function);
      const auto strict = function->find("strict");
      strict_ |= strict && strict->text == "true";
    }
    has_tools_ = !declared.empty();
    if (has_tools_) body_ += R"(,"tools":[{"functionDeclarations":[)" + declared + "]}]";
    return true;
  }

  static void append_declaration(std::string& out, const value& function) {
    out += R"({"name":)";
    json::append_string(out, text_of(function, "name"));
    if (const auto description = text_of(function, "description"); !description.empty()) {
      out += R"(,"description":)";
      json::append_string(out, description);
    }
    if (const auto parameters = function.find("parameters"); parameters && parameters->is(kind::object)) {
      out += R"(,"parametersJsonSchema":)";
      json::append(out, *parameters);
    }
    out += '}';
  }

  bool choice_of_tools() {
    if (const auto parallel = given("parallel_tool_calls"); parallel && parallel->text == "false" && has_tools_)
      if (!unsupported("parallel_tool_calls")) return false;
    if (!has_tools_) return true;
    const auto choice = given("tool_choice");
    const auto word = choice ? choice->string_or_empty() : "auto";
    // Arguments follow their schema in every mode but AUTO; VALIDATED lets the model say something instead, too.
    if (word == "auto") return !strict_ || call_mode("VALIDATED", "");
    if (word == "none") return call_mode("NONE", "");
    if (word == "required") return call_mode("ANY", "");
    if (const auto function = choice->find("function"); text_of(*choice, "type") == "function" && function)
      return call_mode("ANY", name_of(*function));
    const auto allowed = choice->find("allowed_tools");
    const auto list = allowed ? allowed->find("tools") : nullptr;
    if (text_of(*choice, "type") != "allowed_tools" || !list)
      return fail("tool_choice", "Invalid value: expected none, auto, required, a function or allowed_tools.");
    std::string names;
    for (auto& tool : list->items) {
      const auto function = tool.find("function");
      (names += names.empty() ? "" : ",") += name_of(function ? *function : tool);
    }
    // Of the modes that let the model say something instead, only VALIDATED knows allowed names.
    return call_mode(text_of(*allowed, "mode") == "required" ? "ANY" : "VALIDATED", names);
  }

  static std::string name_of(const value& function) {
    std::string name;
    json::append_string(name, text_of(function, "name"));
    return name;
  }

  bool call_mode(std::string_view mode, std::string_view names) {
    ((body_ += R"(,"toolConfig":{"functionCallingConfig":{"mode":")") += mode) += '"';
    if (!names.empty()) ((body_ += R"(,"allowedFunctionNames":[)") += names) += ']';
    body_ += "}}";
    return true;
  }

  bool sampling() {
    cap();
    return number("temperature", "temperature") && number("top_p", "topP") && number("top_k", "topK") && seed() &&
           penalty("presence_penalty", "presencePenalty") && penalty("frequency_penalty", "frequencyPenalty") &&
           choices() && logprobs();
  }

  /// Of two caps OpenAI's newer one is meant. Both count what is thought.
  void cap() {
    const auto given_cap = given("max_completion_tokens") ? given("max_completion_tokens") : given("max_tokens");
    const auto tokens = given_cap ? given_cap->whole() : std::nullopt;
    if (!tokens) return;
    const auto taken = terms_.begun ? terms_.begun->tokens : 0;
    config("maxOutputTokens") += std::to_string(*tokens > taken ? *tokens - taken : 1);
  }

  bool number(std::string_view name, std::string_view geminis) {
    const auto v = given(name);
    if (!v) return true;
    if (!v->is(kind::number)) return wrong_type(name, "a number");
    config(geminis) += v->text;
    return true;
  }

  bool penalty(std::string_view name, std::string_view geminis) {
    const auto v = given(name);
    if (v && v->is(kind::number) && v->text.find_first_of("123456789") == std::string::npos) return true; // zero
    return number(name, geminis);
  }

  /// Gemini's has 31 bits: what matters of a seed is that the same stays the same.
  bool seed() {
    const auto v = given("seed");
    if (!v) return true;
    std::int64_t n = 0;
    const auto [end, wrong] = std::from_chars(v->text.data(), v->text.data() + v->text.size(), n);
    if (!v->is(kind::number) || wrong != std::errc{} || end != v->text.data() + v->text.size())
      return wrong_type("seed", "an integer");
    config("seed") += std::to_string(static_cast<std::uint64_t>(n) & 0x7fffffff);
    return true;
  }

  bool choices() {
    if (request_.choices > 1) config("candidateCount") += std::to_string(request_.choices);
    return true;
  }

  bool logprobs() {
    const auto wanted = given("logprobs");
    if (!wanted || wanted->text == "false") {
      const auto top = given("top_logprobs");
      return !top || top->text == "0" ||
             fail("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true.");
    }
    if (!wanted->is(kind::boolean)) return wrong_type("logprobs", "a boolean");
    config("responseLogprobs") += "true";
    return number("top_logprobs", "logprobs");
  }

  bool stops() {
    const auto stop = given("stop");
    if (!stop || (stop->is(kind::array) && stop->items.empty())) return true;
    if (!stop->is(kind::string) && !stop->is(kind::array)) return wrong_type("stop", "a string or an array of strings");
    auto& out = config("stopSequences") += '[';
    const auto add = [&](const value& one) {
      if (out.back() != '[') out += ',';
      json::append_string(out, one.text);
      return one.is(kind::string);
    };
    bool strings = true;
    if (stop->is(kind::string))
      add(*stop);
    else
      for (auto& one : stop->items) strings &= add(one);
    out += ']';
    return strings || wrong_type("stop", "a string or an array of strings");
  }

  bool format() {
    const auto wanted = given("response_format");
    if (!wanted) return true;
    if (!wanted->is(kind::object)) return wrong_type("response_format", "an object");
    const auto type = text_of(*wanted, "type");
    if (type == "text") return true;
    if (type != "json_object" && type != "json_schema")
      return fail("response_format.type", "Invalid value: expected text, json_object or json_schema.");
    config("responseMimeType") += R"("application/json")";
    if (const auto schema = schema_asked_for(*wanted)) json::append(config("responseJsonSchema"), *schema);
    return true;
  }

  /// Anthropic's `thinking` says it by the token, `reasoning_effort` by the word.
  bool thinking() {
    const auto exact = given("thinking");
    const auto effort = given("reasoning_effort");
    if (exact) {
      const auto type = text_of(*exact, "type");
      const auto budget = exact->find("budget_tokens");
      if (type == "enabled" && budget && budget->whole())
        return budget_of(std::to_string(std::min<std::uint64_t>(*budget->whole(), largest_budget)), true);
      if (type == "adaptive") return effort ? by_effort(effort->string_or_empty()) : budget_of("-1", true);
      if (type == "disabled") return by_effort("none");
      return fail("thinking", "Invalid value: expected enabled with budget_tokens, adaptive or disabled.");
    }
    return !effort || by_effort(effort->string_or_empty());
  }

  bool by_effort(std::string_view effort) {
    const bool none = effort == "none", minimal = effort == "minimal", medium = effort == "medium";
    const bool high = effort == "high" || effort == "xhigh";
    if (!none && !minimal && !medium && !high && effort != "low")
      return fail("reasoning_effort", "Invalid value: expected none, minimal, low, medium, high or xhigh.");
    if (family_.third) { // the pro models do not go below LOW, the first of them not between it and HIGH
      if (high || (medium && family_.pro && family_.first_of_third)) return level_of("HIGH", true);
      if (medium) return level_of("MEDIUM", true);
      return level_of((none || minimal) && !family_.pro ? "MINIMAL" : "LOW", !none);
    }
    if (none) return budget_of(family_.pro_of_25 ? "128" : "0", false); // that model thinks always
    return budget_of(high ? "24576" : medium ? "8192" : "1024", true);
  }

  bool budget_of(std::string_view tokens, bool told) {
    auto& out = config("thinkingConfig");
    (out += R"({"thinkingBudget":)") += tokens;
    out += told ? R"(,"includeThoughts":true})" : "}";
    return true;
  }
  bool level_of(std::string_view level, bool told) {
    auto& out = config("thinkingConfig");
    ((out += R"({"thinkingLevel":")") += level) += '"';
    out += told ? R"(,"includeThoughts":true})" : "}";
    return true;
  }

  bool rest() {
    if (const auto store = given("store"); store && store->text != "false" && !unsupported("store")) return false;
    for (auto& member : root_.items) {
      if (is_one_of(member.name, translated) || is_one_of(member.name, hints) || changes_nothing(member)) continue;
      if (!unsupported(member.name)) return false;
    }
    return true;
  }

  const value& root_;
  const chat_request& request_;
  const provider_terms& terms_;
  const gemini_family family_;
  provider_request made_;
  std::optional<request_problem> problem_;
  std::string body_, config_; // the request so far, and the members of its generationConfig
  bool has_tools_ = false;
  bool strict_ = false; // a tool's arguments must follow its schema
};

} // namespace

provider_request_or gemini_request(const chat_request& request, const provider_terms& terms) {
  const auto root = json::parse(*request.bytes);
  if (!root) return request_problem{"The body has too many values to be translated.", "", "invalid_value"};
  return request_writer(*root, request, terms).write();
}

} // namespace mainstay
