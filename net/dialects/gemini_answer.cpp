// Whole answers of Gemini's as chat completions, and what streams share with them.
#include "net/dialects/gemini_answer.hpp"

#include "net/chat_answer.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay {
namespace {

// Each cuts the answer short; what was said until then stands.
constexpr std::string_view filters[] = {"SAFETY",      "RECITATION",      "BLOCKLIST",    "PROHIBITED_CONTENT",
                                        "SPII",        "LANGUAGE",        "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
                                        "MODEL_ARMOR", "IMAGE_RECITATION"};

void append_member(std::string& out, std::string_view name, std::string_view text) {
  ((out += '"') += name) += "\":";
  json::append_string(out, text);
}

/// {"token","logprob","bytes"}, without the closing brace.
void append_token(std::string& out, const json::value& token) {
  const auto text = token.find("token");
  const auto logprob = token.find("logProbability");
  out += '{';
  append_member(out, "token", text ? text->string_or_empty() : "");
  out += R"(,"logprob":)";
  out += logprob && logprob->is(json::kind::number) ? logprob->text : "0";
  out += R"(,"bytes":null)";
}

class completion_writer {
public:
  completion_writer(const gemini_reader& said, const answer_label& label)
    : said_(said), names_(label, said, "chat.completion") {}

  std::string write() {
    out_ = names_.head() + R"(,"choices":[)";
    for (auto& c : said_.candidates) {
      if (out_.back() == '}') out_ += ',';
      choice(c);
    }
    out_ += R"(],"usage":)" + usage_json(said_.usage);
    return out_ += '}';
  }

private:
  void choice(const gemini_candidate& c) {
    std::string text, thoughts, calls, images, signature;
    std::uint64_t made = 0;
    for (auto& p : c.parts) {
      switch (p.what) {
      case gemini_part::kind::text:
        text += p.text;
        if (!p.signature.empty()) signature = p.signature;
        break;
      case gemini_part::kind::thought: thoughts += p.text; break;
      case gemini_part::kind::call:
        calls += made ? ",{" : "{";
        append_call(calls, names_, p, c.index, made++);
        calls += '}';
        break;
      case gemini_part::kind::media:
        images += images.empty() ? "{" : ",{";
        append_image(images, p);
        images += '}';
        break;
      }
    }
    out_ += R"({"index":)" + std::to_string(c.index) + R"(,"message":{"role":"assistant","content":)";
    if (text.empty() && made)
      out_ += "null";
    else
      json::append_string(out_, text);
    out_ += R"(,"refusal":null)";
    if (!thoughts.empty()) out_ += ',', append_member(out_, "reasoning_content", thoughts);
    if (!calls.empty()) out_ += R"(,"tool_calls":[)" + calls + ']';
    if (!images.empty()) out_ += R"(,"images":[)" + images + ']';
    append_signature(out_, signature);
    out_ += R"(},"logprobs":)";
    append_logprobs(out_, c.logprobs);
    const auto why = gemini_finish(c.finish_reason);
    out_ += ',';
    append_member(out_, "finish_reason", why == "stop" && made ? "tool_calls" : why);
    out_ += '}';
  }

  const gemini_reader& said_;
  gemini_names names_;
  std::string out_;
};

} // namespace

std::string_view gemini_finish(std::string_view reason) noexcept {
  if (reason == "STOP") return "stop";
  if (reason == "MAX_TOKENS") return "length";
  return std::ranges::find(filters, reason) != std::end(filters) ? "content_filter" : "";
}

std::string gemini_failure(const gemini_reader& said) {
  if (!said.block_reason.empty())
    return error_body("The provider refused the prompt: " + said.block_reason, "invalid_request_error",
                      "content_filter");
  for (auto& c : said.candidates)
    if (!c.finish_reason.empty() && gemini_finish(c.finish_reason).empty())
      return error_body("The provider ended the answer: " + c.finish_reason +
                            (c.finish_message.empty() ? "" : " (" + c.finish_message + ")"),
                        "server_error", c.finish_reason);
  return {};
}

gemini_names::gemini_names(const answer_label& label, const gemini_reader& first, std::string_view object) {
  head_ = R"({"id":)";
  json::append_string(head_, first.id.empty() ? label.id : first.id);
  ((head_ += R"(,"object":")") += object) += R"(","created":)" + std::to_string(label.created) + R"(,"model":)";
  json::append_string(head_, first.model.empty() ? label.model : first.model);
  // Short, for the conversation may go on elsewhere, and OpenAI takes no id beyond 40 bytes.
  std::uint64_t h = 0xCBF29CE484222325u; // FNV-1a
  for (unsigned char c : label.id) h = (h ^ c) * 0x100000001B3u;
  char hex[17] = {};
  std::to_chars(hex, hex + 16, h, 16);
  call_prefix_ = "call_" + std::string(hex) + "_";
}

void gemini_names::append_call_id(std::string& out, const gemini_part& call, std::uint64_t candidate,
                                  std::uint64_t number) const {
  if (!call.id.empty()) return json::append_string(out, call.id);
  (out += '"') += call_prefix_;
  if (candidate) (out += std::to_string(candidate)) += '_';
  (out += std::to_string(number)) += '"';
}

void append_call(std::string& out, const gemini_names& names, const gemini_part& call, std::uint64_t candidate,
                 std::uint64_t number) {
  out += R"("id":)";
  names.append_call_id(out, call, candidate, number);
  out += R"(,"type":"function","function":{)";
  append_member(out, "name", call.name);
  out += ',';
  append_member(out, "arguments", call.text);
  out += '}';
  append_signature(out, call.signature);
}

void append_signature(std::string& out, std::string_view signature) {
  if (signature.empty()) return;
  out += R"(,"extra_content":{"google":{)"; // as Google's own OpenAI dialect has it
  append_member(out, "thought_signature", signature);
  out += "}}";
}

void append_image(std::string& out, const gemini_part& media) {
  out += R"("type":"image_url","image_url":{)";
  append_member(out, "url", "data:" + media.mime + ";base64," + media.text);
  out += '}';
}

void append_logprobs(std::string& out, std::string_view logprobs_result) {
  const auto tree = logprobs_result.empty() ? std::nullopt : json::parse(logprobs_result);
  const auto chosen = tree ? tree->find("chosenCandidates") : nullptr;
  if (!chosen) {
    out += "null";
    return;
  }
  const auto top = tree->find("topCandidates");
  out += R"({"content":[)";
  for (std::size_t i = 0; i < chosen->items.size(); ++i) {
    if (i) out += ',';
    append_token(out, chosen->items[i]);
    out += R"(,"top_logprobs":[)";
    const auto others = top && i < top->items.size() ? top->items[i].find("candidates") : nullptr;
    for (std::size_t k = 0; others && k < others->items.size(); ++k) {
      if (k) out += ',';
      append_token(out, others->items[k]);
      out += '}';
    }
    out += "]}";
  }
  out += R"(],"refusal":null})";
}

bytes_ptr gemini_completion(std::string_view body, const answer_label& label) {
  gemini_reader said;
  if (!said.read(body)) return nullptr;
  if (said.error) return make_bytes(std::string(body));
  if (auto failed = gemini_failure(said); !failed.empty()) return make_bytes(std::move(failed));
  if (said.candidates.empty()) return nullptr;
  for (auto& c : said.candidates)
    if (c.finish_reason.empty()) return nullptr;
  return make_bytes(completion_writer(said, label).write());
}

} // namespace mainstay
