// The legacy completions API: one prompt is asked as a chat of one message, and its answer told as text.
#include "net/dialects/caller_body.hpp"
#include "net/dialects/chat_piece.hpp"
#include "net/json_text.hpp"

#include <algorithm>
#include <array>

namespace mainstay {
namespace {

using json::kind;
using json::value;

class teller_of_completions final : public answer_teller {
public:
  std::string whole(std::string_view completion) override {
    read_piece(completion, piece_);
    if (!piece_.valid || piece_.choices.empty()) return {};
    return object();
  }

  std::vector<event> chunk(std::string_view chunk) override {
    read_piece(chunk, piece_);
    if (!piece_.valid) return {};
    std::vector<event> out;
    out.push_back({{}, object()});
    return out;
  }

  std::vector<event> end(std::string_view) override { return {}; }
  std::string error(int, std::string_view error_json) override { return std::string(error_json); }
  std::vector<event> broken(int, std::string_view error_json) override {
    std::vector<event> out;
    out.push_back({{}, std::string(error_json)});
    return out;
  }
  bool says_done() const override { return true; }

private:
  std::string object() {
    auto bare = inside(piece_.id);
    if (bare.starts_with("chatcmpl-")) bare.remove_prefix(9);
    std::string out;
    out.reserve(192);
    out.append(R"({"id":"cmpl-)").append(bare).append(R"(","object":"text_completion","created":)");
    out.append(piece_.created.empty() ? "0" : piece_.created).append(R"(,"model":)");
    out.append(piece_.model.empty() ? R"("")" : piece_.model).append(R"(,"choices":[)");
    for (const auto& c : piece_.choices) {
      if (&c != &piece_.choices.front()) out += ',';
      const auto text = says(c.content) ? c.content : says(c.refusal) ? c.refusal : R"("")";
      out.append(R"({"text":)").append(text).append(R"(,"index":)").append(std::to_string(c.index));
      out.append(R"(,"logprobs":null,"finish_reason":)").append(finish(c.finish_reason)) += '}';
    }
    out += ']';
    if (!piece_.usage.empty()) out.append(R"(,"usage":)").append(piece_.usage);
    return out += '}';
  }

  /// This API knows three reasons.
  static std::string_view finish(chat_piece::raw reason) {
    if (reason.empty()) return "null";
    const auto word = inside(reason);
    return word == "length" || word == "content_filter" ? reason : std::string_view(R"("stop")");
  }

  chat_piece piece_;
};

// What would change the answer in a way that a chat cannot.
std::optional<request_problem> refusal(const value& member) {
  const auto& name = member.name;
  constexpr std::array<std::string_view, 3> never = {"echo", "suffix", "use_beam_search"};
  if (std::ranges::find(never, name) != never.end() && !is_nothing(member))
    return unsupported(name, "a chat model answers here");
  if (name == "logprobs" && !member.is(kind::null)) return unsupported(name, "a chat model answers here");
  if (name == "best_of" && !member.is(kind::null) && member.text != "1")
    return unsupported(name, "one answer is made for each choice");
  constexpr std::array<std::string_view, 6> chat_only = {"messages", "tools",      "functions",
                                                         "audio",    "modalities", "native"};
  if (std::ranges::find(chat_only, name) != chat_only.end()) return unknown(name);
  return std::nullopt;
}

std::variant<std::string_view, request_problem> prompt_of(const value& in) {
  const auto* prompt = find_given(in, "prompt");
  if (!prompt) return missing("prompt");
  if (prompt->is(kind::string)) return std::string_view(prompt->text);
  if (!prompt->is(kind::array) || prompt->items.empty()) return wrong_type("prompt", "a string");
  if (!prompt->items.front().is(kind::string)) return unsupported("prompt", "tokens are not taken, only text");
  if (prompt->items.size() > 1) return unsupported("prompt", "only one prompt is taken");
  return std::string_view(prompt->items.front().text);
}

} // namespace

caller_request_or read_completions(const bytes_ptr& body) {
  auto understood = read_caller_body(body);
  if (auto* no = std::get_if<request_problem>(&understood)) return std::move(*no);
  const auto& in = std::get<caller_body>(understood).tree;
  const auto prompt = prompt_of(in);
  if (auto* no = std::get_if<request_problem>(&prompt)) return *no;
  std::string out = "{";
  for (const auto& member : in.items) {
    if (auto no = refusal(member)) return std::move(*no);
    constexpr std::array<std::string_view, 6> read = {"prompt",   "echo",    "suffix",
                                                      "logprobs", "best_of", "use_beam_search"};
    if (std::ranges::find(read, member.name) == read.end()) add_value(out, member.name, member);
  }
  begin_member(out, "messages");
  out += R"([{"role":"user")";
  add_text(out, "content", std::get<std::string_view>(prompt));
  out += "}]}";
  return caller_request{make_bytes(std::move(out)), nullptr, std::make_unique<teller_of_completions>()};
}

} // namespace mainstay
