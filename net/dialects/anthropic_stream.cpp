// A stream of Anthropic's as chunks of a chat completion. Texts go over as they are spelled, neither decoded nor
// encoded again.
#include "net/dialects/anthropic_answer.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {
namespace {

constexpr std::size_t thought_limit = 8u << 20; // bytes; a longer one goes to the caller, but not with its signature

std::string_view unquoted(std::string_view json) { return json.size() < 2 ? json : json.substr(1, json.size() - 2); }

class anthropic_translator final : public answer_translator {
public:
  anthropic_translator(answer_label label, bool native) : label_(std::move(label)), native_(native) {}

  void event(std::string_view type, std::string_view data, const emit& to) override {
    using kind = anthropic_event::kind;
    const auto which = said_.read(data);
    if (which == kind::none) return to(data);
    type_ = type;
    data_ = data;
    switch (which) {
    case kind::message_start: return begin(to);
    case kind::block_start: return begin_block(to);
    case kind::block_delta: return piece(to);
    case kind::block_stop: return end_block(to);
    case kind::message_delta: return finish(to);
    case kind::message_stop: tell_usage(to); return to("[DONE]");
    case kind::error: return fail(to);
    default: return pass(to);
    }
  }

  /// Without the event that ends a stream, what it took is known all the same.
  void end(const emit& to) override {
    if (!finished_ || told_usage_) return;
    data_ = {};
    tell_usage(to);
  }

private:
  using of = anthropic_event::piece;

  void begin(const emit& to) {
    name(said_.id, said_.model);
    open() += R"("role":"assistant","content":"")";
    close(to);
  }

  void begin_block(const emit& to) {
    block_ = said_.what;
    switch (block_) {
    case of::tool_use:
      argued_ = said_.text.size() > 2; // "{}" stands for what is to come
      open() += R"("tool_calls":[{"index":)";
      (out_ += std::to_string(calls_++)) += R"(,"id":)";
      (out_ += said_.id.empty() ? "\"\"" : said_.id) += R"(,"type":"function","function":{"name":)";
      (out_ += said_.name.empty() ? "\"\"" : said_.name) += R"(,"arguments":)";
      if (argued_)
        json::append_string(out_, said_.text);
      else
        out_ += R"("")";
      out_ += "}}]";
      return close(to);
    case of::thinking:
      thought_.clear();
      signature_.clear();
      return tell(R"("reasoning_content":)", to);
    case of::text: return tell(R"("content":)", to);
    case of::redacted: thought_ = said_.text; return pass(to);
    default: return pass(to);
    }
  }

  void piece(const emit& to) {
    switch (said_.what) {
    case of::text: return tell(R"("content":)", to);
    case of::thinking:
      if (thought_.size() <= thought_limit) thought_ += unquoted(said_.text);
      return tell(R"("reasoning_content":)", to);
    case of::signature:
      if (signature_.size() <= thought_limit) signature_ += unquoted(said_.text);
      return pass(to);
    case of::arguments:
      if (block_ != of::tool_use || said_.text.size() <= 2) return pass(to);
      argued_ = true;
      return arguments(said_.text, to);
    default: return pass(to);
    }
  }

  void arguments(std::string_view json, const emit& to) {
    open() += R"("tool_calls":[{"index":)";
    if (calls_ <= 10)
      out_ += static_cast<char>('0' + calls_ - 1);
    else
      out_ += std::to_string(calls_ - 1);
    ((out_ += R"(,"function":{"arguments":)") += json) += "}}]";
    close(to);
  }

  void end_block(const emit& to) {
    switch (std::exchange(block_, of::none)) {
    case of::tool_use:
      if (argued_) break;
      return arguments(R"("{}")", to);
    case of::thinking:
      if (signature_.empty() || thought_.size() > thought_limit) break;
      open() += R"("thinking_blocks":[{"type":"thinking","thinking":")";
      (((out_ += thought_) += R"(","signature":")") += signature_) += R"("}])";
      return close(to);
    case of::redacted:
      if (thought_.empty()) break;
      open() += R"("thinking_blocks":[{"type":"redacted_thinking","data":)";
      (out_ += thought_) += "}]";
      return close(to);
    default: break;
    }
    pass(to);
  }

  void finish(const emit& to) {
    if (said_.stop_reason.empty()) return pass(to);
    finished_ = true;
    open() += R"(},"finish_reason":")";
    (out_ += anthropic_finish(unquoted(said_.stop_reason))) += '"';
    if (!said_.stop_sequence.empty()) (out_ += R"(,"stop_reason":)") += said_.stop_sequence;
    out_ += "}]";
    send(to);
  }

  /// Last, because the relay waits for nothing once it has it.
  void tell_usage(const emit& to) {
    if (!std::exchange(told_usage_, true) && said_.usage.known) {
      open().resize(head_.size() - choice_begin.size());
      out_ += R"(],"usage":)";
      append_usage(out_, said_.usage);
      return send(to);
    }
    pass(to);
  }

  void fail(const emit& to) {
    out_ = R"({"error":)";
    (out_ += said_.error.empty() ? R"({"message":"the provider's stream failed"})" : said_.error) += '}';
    to(out_);
  }

  /// A delta of one text; an empty one says nothing.
  void tell(std::string_view member, const emit& to) {
    if (said_.text.size() <= 2) return pass(to);
    (open() += member) += said_.text;
    close(to);
  }

  /// What says nothing to a caller of OpenAI's dialect.
  void pass(const emit& to) {
    if (!native_ || data_.empty()) return;
    open();
    close(to);
  }

  static constexpr std::string_view choice_begin = R"({"index":0,"delta":{)";

  void name(std::string_view id_json, std::string_view model_json) {
    (head_ = anthropic_head(label_, id_json, model_json, "chat.completion.chunk")) += choice_begin;
  }
  /// Up to the members of the delta.
  std::string& open() {
    if (head_.empty()) name({}, {});
    return out_ = head_;
  }
  void close(const emit& to) {
    out_ += R"(},"finish_reason":null}])";
    send(to);
  }
  void send(const emit& to) {
    if (native_ && !data_.empty()) {
      ((out_ += ",\"") += native_member) += R"(":{"type":)";
      json::append_string(out_, type_);
      out_ += R"(,"data":)";
      const auto from = out_.size();
      out_ += data_;
      std::replace(out_.begin() + static_cast<std::ptrdiff_t>(from), out_.end(), '\n', ' '); // no string holds any
      out_ += '}';
    }
    out_ += '}';
    to(out_);
  }

  const answer_label label_;
  const bool native_;
  anthropic_event said_;         // its usage is that of all events
  std::string_view type_, data_; // of the event at hand
  std::string head_, out_;
  of block_ = of::none;
  std::uint64_t calls_ = 0;
  bool argued_ = false;             // the call has arguments
  std::string thought_, signature_; // of the block, spelled as in JSON
  bool finished_ = false, told_usage_ = false;
};

} // namespace

std::unique_ptr<answer_translator> anthropic_stream(answer_label label, bool native) {
  return std::make_unique<anthropic_translator>(std::move(label), native);
}

} // namespace mainstay
