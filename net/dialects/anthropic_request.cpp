// What a chat request asks for besides its conversation, in Anthropic's words
// (docs.claude.com/en/api/messages).
#include "net/dialects/anthropic_messages.hpp"
#include "net/dialects/lost_members.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

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
                                           "parallel_tool_calls",
                                           "stop",
                                           "max_tokens",
                                           "max_completion_tokens",
                                           "temperature",
                                           "top_p",
                                           "top_k",
                                           "n",
                                           "thinking",
                                           "reasoning_effort",
                                           "response_format",
                                           "cache_control"};
/// These change no answer.
constexpr std::string_view hints[] = {
    "user", "metadata", "service_tier", "prompt_cache_key", "safety_identifier", "prompt_cache_retention",
};

constexpr std::uint64_t least_budget = 1024; // of tokens to think with; Anthropic takes no less
constexpr std::size_t longest_user = 256;    // bytes of metadata.user_id

bool is_one_of(std::string_view name, auto& list) { return std::ranges::find(list, name) != std::end(list); }

double number_of(const value& v) {
  double n = 0;
  std::from_chars(v.text.data(), v.text.data() + v.text.size(), n);
  return n;
}

/// Says only what is so anyway.
bool changes_nothing(const value& v) {
  if (v.is(kind::null) || (v.is(kind::boolean) && v.text == "false")) return true;
  if (v.is(kind::array) && v.items.empty()) return true;
  if (v.name == "logit_bias") return v.is(kind::object) && v.items.empty();
  if (v.name == "modalities") return v.items.size() == 1 && v.items[0].string_or_empty() == "text";
  if (v.name == "verbosity") return v.string_or_empty() == "medium";
  if (v.name == "presence_penalty" || v.name == "frequency_penalty" || v.name == "top_logprobs")
    return v.is(kind::number) && number_of(v) == 0;
  return false;
}

/// Anthropic insists that objects have no members but those named.
void close_objects(value& schema) {
  if (schema.is(kind::object) && text_of(schema, "type") == "object" && !schema.find("additionalProperties"))
    schema.set("additionalProperties", value{kind::boolean, {}, "false", {}});
  for (auto& inner : schema.items) close_objects(inner);
}

class request_writer {
public:
  request_writer(const value& root, const chat_request& request, const provider_terms& terms)
    : root_(root), request_(request), terms_(terms), family_(anthropic_family::of(terms.model)) {}

  provider_request_or write() {
    if (terms_.begun && !family_.takes_prefill())
      return request_problem{"This model takes no beginning of an answer.", "messages", "unsupported_parameter"};
    for (auto& lost : members_without_counterpart(root_)) {
      if (!terms_.leave_out) return no_counterpart(lost.place), std::move(*problem_);
      made_.left_out.push_back(std::move(lost.what));
    }
    auto conversation = anthropic_messages(*root_.find("messages"), terms_.begun, request_.bytes->size());
    if (auto wrong = std::get_if<request_problem>(&conversation)) return std::move(*wrong);
    said_ = std::move(std::get<anthropic_conversation>(conversation));
    if (said_.messages.empty()) return request_problem{"Nobody says anything.", "messages", "invalid_value"};
    body_.reserve(said_.messages.size() + said_.system.size() + 2000);
    body_ = R"({"model":)";
    json::append_string(body_, terms_.model);
    if (!said_.system.empty()) member("system") += said_.system;
    member("messages") += said_.messages;
    if (!(tools() && choice_of_tools() && thinking() && sampling() && stops() && format() && choices() && rest()))
      return std::move(*problem_);
    cap();
    hint();
    if (!output_.empty()) member("output_config") += '{' + output_ + '}';
    if (request_.stream) member("stream") += "true";
    body_ += '}';
    made_.path = "/messages";
    made_.headers = {{"anthropic-version", "2023-06-01"}};
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
  bool no_counterpart(std::string_view param, std::string_view why = {}) {
    auto message = "The provider of this model has no counterpart to '" + std::string(param) + "'";
    (message += why) += '.';
    return fail(param, std::move(message), "unsupported_parameter");
  }
  /// True: it is left out.
  bool unsupported(std::string_view param, std::string_view why = {}) {
    if (!terms_.leave_out) return no_counterpart(param, why);
    if (made_.left_out.empty() || made_.left_out.back() != param) made_.left_out.emplace_back(param);
    return true;
  }

  /// A member that is there and not null.
  const value* given(std::string_view name) const {
    const auto v = root_.find(name);
    return v && !v->is(kind::null) ? v : nullptr;
  }

  std::string& member(std::string_view name) { return ((body_ += ",\"") += name) += "\":"; }
  std::string& output(std::string_view name) {
    if (!output_.empty()) output_ += ',';
    return ((output_ += '"') += name) += "\":";
  }

  // --- tools ---------------------------------------------------------------------------------------------------------

  bool tools() {
    const auto list = given("tools");
    if (list && !list->is(kind::array)) return wrong_type("tools", "an array");
    std::string declared;
    bool others = false;
    const auto allowed = allowed_tools();
    for (std::size_t i = 0; list && i < list->items.size(); ++i) {
      auto& tool = list->items[i];
      const auto place = "tools[" + std::to_string(i) + "]";
      const auto function = tool.find("function");
      if (text_of(tool, "type") != "function" || !function) {
        if (!std::exchange(others, true) && !unsupported(place + ".type")) return false;
        continue;
      }
      if (allowed && std::ranges::find(*allowed, text_of(*function, "name")) == allowed->end()) continue;
      if (!declared.empty()) declared += ',';
      if (!append_declaration(declared, tool, *function, place)) return false;
    }
    has_tools_ = !declared.empty();
    if (!has_tools_) { // Anthropic reads no calls of tools that it is not told of
      for (auto& name : said_.called) {
        declared += declared.empty() ? R"({"name":)" : R"(,{"name":)";
        json::append_string(declared, name);
        declared += R"(,"input_schema":{"type":"object"}})";
      }
      if (!declared.empty()) member("tool_choice") += R"({"type":"none"})";
    }
    if (!declared.empty()) member("tools") += '[' + declared + ']';
    return true;
  }

  bool append_declaration(std::string& out, const value& tool, const value& function, const std::string& place) {
    out += R"({"name":)";
    json::append_string(out, text_of(function, "name"));
    if (const auto description = text_of(function, "description"); !description.empty()) {
      out += R"(,"description":)";
      json::append_string(out, description);
    }
    out += R"(,"input_schema":)";
    append_schema(out, function.find("parameters"));
    if (const auto strict = function.find("strict"); strict && strict->text == "true") {
      if (family_.structured())
        out += R"(,"strict":true)";
      else if (!unsupported(place + ".function.strict"))
        return false;
    }
    const auto hint = tool.find("cache_control") ? tool.find("cache_control") : function.find("cache_control");
    if (hint && hint->is(kind::object)) {
      out += R"(,"cache_control":)";
      json::append(out, *hint);
    }
    out += '}';
    return true;
  }

  /// Anthropic wants the schema of an object, also where there are no parameters.
  static void append_schema(std::string& out, const value* parameters) {
    if (!parameters || !parameters->is(kind::object)) {
      out += R"({"type":"object","properties":{}})";
      return;
    }
    const auto begin = out.size();
    json::append(out, *parameters);
    if (!parameters->find("type"))
      out.insert(begin + 1, parameters->items.empty() ? R"("type":"object")" : R"("type":"object",)");
  }

  /// The names in {"type":"allowed_tools"}: only those are declared.
  std::optional<std::vector<std::string>> allowed_tools() const {
    const auto choice = given("tool_choice");
    const auto allowed = choice ? choice->find("allowed_tools") : nullptr;
    const auto list = allowed ? allowed->find("tools") : nullptr;
    if (!list) return std::nullopt;
    std::vector<std::string> names;
    for (auto& tool : list->items) {
      const auto function = tool.find("function");
      names.emplace_back(text_of(function ? *function : tool, "name"));
    }
    return names;
  }

  bool choice_of_tools() {
    if (!has_tools_) return true;
    const auto parallel = given("parallel_tool_calls");
    const std::string_view one_by_one =
        parallel && parallel->text == "false" ? R"(,"disable_parallel_tool_use":true})" : "}";
    const auto choice = given("tool_choice");
    const auto word = choice ? choice->string_or_empty() : std::string_view("auto");
    const auto allowed = choice ? choice->find("allowed_tools") : nullptr;
    forced_ = word == "required" || (allowed && text_of(*allowed, "mode") == "required");
    if (word == "none") return member("tool_choice") += R"({"type":"none"})", true;
    if (forced_) return (member("tool_choice") += R"({"type":"any")") += one_by_one, true;
    if (word == "auto" || allowed) {
      if (one_by_one.size() > 1) (member("tool_choice") += R"({"type":"auto")") += one_by_one;
      return true;
    }
    const auto function = choice->find("function");
    if (text_of(*choice, "type") != "function" || !function)
      return fail("tool_choice", "Invalid value: expected none, auto, required, a function or allowed_tools.");
    forced_ = true;
    auto& out = member("tool_choice") += R"({"type":"tool","name":)";
    json::append_string(out, text_of(*function, "name"));
    out += one_by_one;
    return true;
  }

  // --- thinking ------------------------------------------------------------------------------------------------------

  /// Anthropic's `thinking` says it by the token and goes as it is, `reasoning_effort` by the word. What was begun is
  /// gone on with without thinking: the time for it is over, and Anthropic takes no beginning beside it.
  bool thinking() {
    if (const auto exact = given("thinking")) return thinking_as_said(*exact);
    const auto effort = given("reasoning_effort");
    if (!effort || terms_.begun) return true;
    const auto word = effort->string_or_empty();
    constexpr std::string_view words[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
    if (!is_one_of(word, words))
      return fail("reasoning_effort", "Invalid value: expected none, minimal, low, medium, high or xhigh.");
    if (family_.thinks_by_effort()) return effort_of(word);
    return word == "none" || budget_of(word);
  }

  bool thinking_as_said(const value& exact) {
    const auto type = text_of(exact, "type");
    if (type != "enabled" && type != "adaptive" && type != "disabled")
      return fail("thinking", "Invalid value: expected enabled with budget_tokens, adaptive or disabled.");
    const bool on = type != "disabled";
    if (terms_.begun || (!on && !family_.thinks())) return true;
    if (!family_.thinks()) return unsupported("thinking");
    if (on && forced_) return unsupported("thinking", " beside a tool that must be called");
    if (type == "enabled" && said_.unsigned_call)
      return unsupported("thinking", " after a call of a tool that came without thoughts");
    thinks_ = on;
    if (const auto budget = exact.find("budget_tokens"); budget && budget->whole()) budget_ = *budget->whole();
    json::append(member("thinking"), exact);
    if (const auto effort = given("reasoning_effort"); effort && family_.thinks_by_effort())
      return effort_alone(*effort);
    return true;
  }

  bool effort_alone(const value& effort) {
    if (effort.string_or_empty() != "none") output("effort") += level_of(effort.string_or_empty());
    return true;
  }

  std::string level_of(std::string_view word) const {
    if (word == "minimal") word = "low";
    if (word == "xhigh" && !family_.extra_effort()) word = "max";
    return '"' + std::string(word) + '"';
  }

  bool effort_of(std::string_view word) {
    if (word == "none") return member("thinking") += R"({"type":"disabled"})", true;
    output("effort") += level_of(word);
    if (forced_) return true; // the effort is made, but not in thoughts: they cannot stand beside a forced call
    thinks_ = true;
    member("thinking") += R"({"type":"adaptive"})";
    return true;
  }

  /// As many tokens as Google's own OpenAI dialect gives its models for the word, but at most half of the cap: what is
  /// thought counts against it, and an answer must be left.
  bool budget_of(std::string_view word) {
    if (!family_.thinks()) return unsupported("reasoning_effort");
    if (forced_) return unsupported("reasoning_effort", " beside a tool that must be called");
    if (said_.unsigned_call)
      return unsupported("reasoning_effort", " after a call of a tool that came without thoughts");
    const auto most = given_cap();
    if (most && *most <= least_budget) return unsupported("reasoning_effort", " under so low a cap");
    budget_ = word == "medium" ? 8192 : word == "minimal" || word == "low" ? least_budget : 24576;
    if (most) budget_ = std::min(budget_, std::max(least_budget, *most / 2));
    thinks_ = true;
    member("thinking") += R"({"type":"enabled","budget_tokens":)" + std::to_string(budget_) + '}';
    return true;
  }

  // --- sampling ------------------------------------------------------------------------------------------------------

  /// Anthropic's default of either is 1, and its temperatures end there.
  bool sampling() {
    bool chosen = false;
    if (const auto t = given("temperature")) {
      if (!t->is(kind::number)) return wrong_type("temperature", "a number");
      const auto n = number_of(*t);
      if (n != 1 && (!family_.samples() || thinks_)) {
        if (!unsupported("temperature", thinks_ ? " beside thinking" : "")) return false;
      } else if (n > 1 || n < 0) {
        if (!unsupported("temperature", " above 1")) return false;
      } else if (n != 1) {
        member("temperature") += t->text;
        chosen = true;
      }
    }
    if (const auto p = given("top_p")) {
      if (!p->is(kind::number)) return wrong_type("top_p", "a number");
      const auto n = number_of(*p);
      if (n != 1 && (!family_.samples() || (chosen && family_.one_of_sampling()) || (thinks_ && n < 0.95))) {
        if (!unsupported("top_p", chosen ? " beside 'temperature'" : thinks_ ? " beside thinking" : "")) return false;
      } else if (n != 1) {
        member("top_p") += p->text;
      }
    }
    if (const auto k = given("top_k")) {
      if (!k->is(kind::number)) return wrong_type("top_k", "an integer");
      if (!family_.samples() || thinks_) return unsupported("top_k", thinks_ ? " beside thinking" : "");
      member("top_k") += k->text;
    }
    return true;
  }

  bool stops() {
    const auto stop = given("stop");
    if (!stop) return true;
    if (!stop->is(kind::string) && !stop->is(kind::array)) return wrong_type("stop", "a string or an array of strings");
    std::string all;
    const auto add = [&](const value& one) {
      if (!one.is(kind::string)) return wrong_type("stop", "a string or an array of strings");
      if (one.text.find_first_not_of(" \t\r\n\v\f") == one.text.npos) return unsupported("stop", " made of blanks");
      if (!all.empty()) all += ',';
      json::append_string(all, one.text);
      return true;
    };
    if (stop->is(kind::string) ? !add(*stop) : !std::ranges::all_of(stop->items, add)) return false;
    if (!all.empty()) member("stop_sequences") += '[' + all + ']';
    return true;
  }

  bool format() {
    const auto wanted = given("response_format");
    if (!wanted) return true;
    if (!wanted->is(kind::object)) return wrong_type("response_format", "an object");
    const auto type = text_of(*wanted, "type");
    if (type == "text") return true;
    if (type != "json_object" && type != "json_schema")
      return fail("response_format.type", "Invalid value: expected text, json_object or json_schema.");
    auto schema = schema_asked_for(*wanted);
    if (!schema || !family_.structured()) return unsupported("response_format");
    close_objects(*schema);
    json::append(output("format") += R"({"type":"json_schema","schema":)", *schema);
    output_ += '}';
    return true;
  }

  /// Not even left out: who waits for several answers is not served with one.
  bool choices() { return request_.choices <= 1 || no_counterpart("n"); }

  // --- the rest ------------------------------------------------------------------------------------------------------

  /// Of two caps OpenAI's newer one is meant. Both count what is thought.
  std::optional<std::uint64_t> given_cap() const {
    const auto cap = given("max_completion_tokens") ? given("max_completion_tokens") : given("max_tokens");
    return cap ? cap->whole() : std::nullopt;
  }

  /// Anthropic insists on one. Without the caller's: what every model of that generation can say, and room to think.
  void cap() {
    const auto usual = family_.version >= 307 ? 32000u : family_.version >= 305 ? 8192u : 4096u;
    auto tokens = given_cap().value_or(thinks_ && budget_ >= usual / 2 ? budget_ + usual : usual);
    const auto taken = terms_.begun ? terms_.begun->tokens : 0;
    member("max_tokens") += std::to_string(tokens > taken ? tokens - taken : 1);
  }

  /// Anthropic refuses a user's name that looks like an address.
  void hint() {
    const auto metadata = given("metadata");
    for (auto user : {metadata ? text_of(*metadata, "user_id") : std::string_view(), text_of(root_, "user"),
                      text_of(root_, "safety_identifier")}) {
      if (user.empty() || user.size() > longest_user || user.find('@') != user.npos) continue;
      json::append_string(member("metadata") += R"({"user_id":)", user);
      body_ += '}';
      break;
    }
    if (text_of(root_, "service_tier") == "default") member("service_tier") += R"("standard_only")";
    if (const auto cache = given("cache_control"); cache && cache->is(kind::object))
      json::append(member("cache_control"), *cache);
  }

  bool rest() {
    for (auto& other : root_.items) {
      if (is_one_of(other.name, translated) || is_one_of(other.name, hints) || changes_nothing(other)) continue;
      if (!unsupported(other.name)) return false;
    }
    return true;
  }

  const value& root_;
  const chat_request& request_;
  const provider_terms& terms_;
  const anthropic_family family_;
  anthropic_conversation said_;
  provider_request made_;
  std::optional<request_problem> problem_;
  std::string body_, output_; // the request so far, and the members of its output_config
  bool has_tools_ = false, forced_ = false, thinks_ = false;
  std::uint64_t budget_ = 0; // of tokens to think with, where it is said
};

} // namespace

bool anthropic_takes_prefill(std::string_view model) noexcept { return anthropic_family::of(model).takes_prefill(); }

provider_request_or anthropic_request(const chat_request& request, const provider_terms& terms) {
  const auto root = json::parse(*request.bytes);
  if (!root) return request_problem{"The body has too many values to be translated.", "", "invalid_value"};
  return request_writer(*root, request, terms).write();
}

} // namespace mainstay
