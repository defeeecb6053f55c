// A stream of Gemini's as chunks of a chat completion. An event is a whole answer in small: parts of text or thought,
// calls with all their arguments, and in the last one why it ended and what it took. There is no event that ends it.
#include "net/dialects/gemini_answer.hpp"

#include "net/chat_answer.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {
namespace {

constexpr std::uint64_t candidate_limit = 128; // as many as a request can ask for

class gemini_translator final : public answer_translator {
public:
  explicit gemini_translator(answer_label label) : label_(std::move(label)) {}

  void event(std::string_view, std::string_view data, const emit& to) override {
    if (!said_.read(data)) return to(data);
    if (said_.error) return failed_ = true, to(data);
    if (head_.empty()) begin();
    if (said_.usage) usage_ = said_.usage;
    for (auto& c : said_.candidates)
      if (c.index < candidate_limit) tell(c, to);
    if (auto failure = gemini_failure(said_); !failure.empty()) return failed_ = true, to(failure);
    if (usage_ && complete()) tell_usage(to);
  }

  void end(const emit& to) override {
    if (failed_ || !complete()) return;
    if (usage_) tell_usage(to);
    to("[DONE]");
  }

private:
  struct choice {
    std::uint64_t index = 0;
    std::uint64_t calls = 0, images = 0;
    bool begun = false, finished = false;
  };

  void begin() {
    names_.emplace(label_, said_, "chat.completion.chunk");
    head_ = names_->head() + R"(,"choices":[)";
  }

  choice& choice_of(std::uint64_t index) {
    for (auto& c : choices_)
      if (c.index == index) return c;
    return choices_.emplace_back(choice{index});
  }

  bool complete() const {
    return !choices_.empty() && std::ranges::all_of(choices_, [](const choice& c) { return c.finished; });
  }

  void tell(const gemini_candidate& said, const emit& to) {
    auto& c = choice_of(said.index);
    bool logprobs = !said.logprobs.empty(); // of all the event says: they go with its first chunk
    const auto close = [&](std::string_view why) {
      out_ += '}';
      if (std::exchange(logprobs, false)) {
        out_ += R"(,"logprobs":)";
        append_logprobs(out_, said.logprobs);
      }
      out_ += R"(,"finish_reason":)";
      if (why.empty())
        out_ += "null";
      else
        ((out_ += '"') += why) += '"';
      out_ += "}]}";
      to(out_);
    };
    for (auto& p : said.parts) {
      open(c);
      write(c, p);
      close({});
    }
    const auto why = gemini_finish(said.finish_reason);
    const bool finishes = !why.empty() && !std::exchange(c.finished, c.finished || !why.empty());
    if (!finishes && !logprobs) return;
    open(c);
    close(!finishes ? "" : why == "stop" && c.calls ? "tool_calls" : why);
  }

  /// Up to the members of the delta; the first delta of a choice says who speaks.
  void open(choice& c) {
    (out_ = head_) += R"({"index":)";
    if (c.index < 10)
      out_ += static_cast<char>('0' + c.index);
    else
      out_ += std::to_string(c.index);
    out_ += R"(,"delta":{)";
    if (!std::exchange(c.begun, true)) out_ += R"("role":"assistant")";
  }

  void write(choice& c, const gemini_part& p) {
    if (out_.back() != '{') out_ += ',';
    switch (p.what) {
    case gemini_part::kind::text:
      out_ += R"("content":)";
      json::append_string(out_, p.text);
      append_signature(out_, p.signature);
      break;
    case gemini_part::kind::thought:
      out_ += R"("reasoning_content":)";
      json::append_string(out_, p.text);
      break;
    case gemini_part::kind::call:
      out_ += R"("tool_calls":[{"index":)" + std::to_string(c.calls) + ',';
      append_call(out_, *names_, p, c.index, c.calls++);
      out_ += "}]";
      break;
    case gemini_part::kind::media:
      out_ += R"("images":[{"index":)" + std::to_string(c.images++) + ',';
      append_image(out_, p);
      out_ += "}]";
      break;
    }
  }

  /// Once: with the event that ends the last choice, as a rule, so that nobody waits for the connection to end.
  void tell_usage(const emit& to) {
    if (std::exchange(told_usage_, true)) return;
    out_ = head_;
    out_ += R"(],"usage":)" + usage_json(usage_) + '}';
    to(out_);
  }

  answer_label label_;
  gemini_reader said_; // its memory serves every event
  std::optional<gemini_names> names_;
  std::string head_, out_;
  std::vector<choice> choices_;
  std::optional<token_usage> usage_;
  bool failed_ = false, told_usage_ = false;
};

} // namespace

std::unique_ptr<answer_translator> gemini_stream(answer_label label) {
  return std::make_unique<gemini_translator>(std::move(label));
}

} // namespace mainstay
