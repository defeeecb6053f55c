// A chat's answer as Anthropic's Messages API gives it. A stream is a row of blocks, one open at a time; a provider's
// own events go through as they are, but are read along, so that the row can be gone on with without them. Chunks of a
// chat may go on with one call while another is under way: what comes before a call has all its arguments waits.
#include "net/dialects/chat_piece.hpp"
#include "net/dialects/json_extent.hpp"
#include "net/dialects/messages.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"
#include "net/provider_error_body.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace mainstay {
namespace {

std::string_view error_type(int status) {
  switch (status) {
  case 401: return "authentication_error";
  case 402: return "billing_error";
  case 403: return "permission_error";
  case 404: return "not_found_error";
  case 413: return "request_too_large";
  case 429: return "rate_limit_error";
  case 503:
  case 529: return "overloaded_error";
  case 504: return "timeout_error";
  default: return status < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string number(std::uint64_t n) { return std::to_string(n); }

/// "msg_..." of whatever the chat's id is.
void append_id(std::string& out, chat_piece::raw id) {
  auto bare = inside(id);
  if (bare.starts_with("chatcmpl-")) bare.remove_prefix(9);
  out += bare.starts_with("msg_") ? "\"" : "\"msg_";
  out.append(bare).append("\"");
}

struct counts {
  token_usage used;
  bool known = false;

  void take(const chat_piece& p) {
    if (!p.counted) return;
    used = *p.counted;
    known = true;
  }
  /// Anthropic counts what was cached beside the input, not in it.
  std::string text() const {
    const auto beside = std::min(used.input, used.cached + used.cache_writes);
    return R"({"input_tokens":)" + number(used.input - beside) + R"(,"cache_creation_input_tokens":)" +
           number(used.cache_writes) + R"(,"cache_read_input_tokens":)" + number(used.cached) + R"(,"output_tokens":)" +
           number(used.output) + "}";
  }
};

/// How it ended: "stop_reason":...,"stop_sequence":...
std::string ending(chat_piece::raw finish, chat_piece::raw stop, bool refused) {
  const auto word = inside(finish);
  std::string_view reason = refused ? "refusal" : "end_turn";
  if (word == "length") reason = "max_tokens";
  if (word == "tool_calls" || word == "function_call") reason = "tool_use";
  if (word == "content_filter") reason = "refusal";
  const bool by_sequence = word == "stop" && says(stop);
  if (by_sequence) reason = "stop_sequence";
  std::string out = R"("stop_reason":")";
  out.append(reason).append(R"(","stop_sequence":)");
  out.append(by_sequence ? stop : std::string_view("null"));
  return out;
}

constexpr std::size_t most_waiting = 1u << 20; // bytes kept back for a call's arguments

void append_thinking(std::string& out, std::string_view thinking, std::string_view signature) {
  out.append(R"({"type":"thinking","thinking":)").append(thinking).append(R"(,"signature":)").append(signature) += '}';
}

class teller_of_messages final : public answer_teller {
public:
  std::string whole(std::string_view completion) override {
    read_piece(completion, piece_);
    if (piece_.native && !piece_.native->data.empty()) return std::string(piece_.native->data);
    if (!piece_.valid || piece_.choices.empty()) return {};
    const auto& c = piece_.choices.front();
    std::string out = R"({"id":)";
    append_id(out, piece_.id);
    out.append(R"(,"type":"message","role":"assistant","model":)").append(model());
    out += R"(,"content":[)";
    const auto blocks = out.size();
    const auto next = [&] {
      if (out.size() > blocks) out += ',';
    };
    if (const auto thoughts = json::parse(c.thinking_blocks); thoughts && !thoughts->items.empty()) {
      for (const auto& block : thoughts->items) next(), json::append(out, block);
    } else if (says(c.reasoning)) {
      next();
      append_thinking(out, c.reasoning, R"("")");
    }
    for (const auto text : {c.content, c.refusal})
      if (says(text)) next(), out.append(R"({"type":"text","text":)").append(text) += '}';
    for (const auto& call : c.calls) next(), append_call(out, call);
    out.append("],").append(ending(c.finish_reason, c.stop_reason, says(c.refusal)));
    counts used;
    used.take(piece_);
    return out.append(R"(,"usage":)").append(used.text()) += '}';
  }

  std::vector<event> chunk(std::string_view chunk) override {
    events_.clear();
    read_piece(chunk, piece_);
    if (!piece_.valid && !piece_.native) return {};
    counts_.take(piece_);
    if (piece_.native && pass_on(*piece_.native)) return std::move(events_);
    if (!piece_.valid) return {};
    begin();
    if (!piece_.choices.empty()) tell(piece_.choices.front());
    own_ = own_ || !events_.empty();
    return std::move(events_);
  }

  std::vector<event> end(std::string_view usage_json) override {
    events_.clear();
    if (stopped_) return {};
    if (!counts_.known) {
      const std::string as_chunk = R"({"usage":)" + std::string(usage_json) + "}";
      read_piece(as_chunk, piece_);
      counts_.take(piece_);
    }
    piece_ = {}; // nothing of it outlives its text
    begin();
    tell_rest();
    close_block();
    if (!ended_)
      put("message_delta", R"({"type":"message_delta","delta":{)" + ending(finish_, stop_, refused_) + R"(},"usage":)" +
                               counts_.text() + "}");
    put("message_stop", R"({"type":"message_stop"})");
    stopped_ = true;
    return std::move(events_);
  }

  std::string error(int status, std::string_view error_json) override { return anthropic_error(status, error_json); }

  std::vector<event> broken(int status, std::string_view error_json) override {
    std::vector<event> out;
    out.push_back({"error", anthropic_error(status, error_json)});
    return out;
  }

  std::string_view id_header() const override { return "request-id"; }

private:
  enum class block : std::uint8_t { none, text, thinking, tool, other };
  enum class said : std::uint8_t { text, thinking, thoughts, call };
  struct later { // raw, but for its own memory
    said what;
    std::uint64_t call = 0;
    std::string text, id, name;
  };

  void put(std::string_view type, std::string data) { events_.push_back({type, std::move(data)}); }
  std::string_view model() const { return piece_.model.empty() ? R"("")" : piece_.model; }

  void begin() {
    if (std::exchange(started_, true)) return;
    std::string data = R"({"type":"message_start","message":{"id":)";
    append_id(data, piece_.id);
    data.append(R"(,"type":"message","role":"assistant","model":)").append(model());
    data.append(R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)").append(counts_.text());
    put("message_start", data + "}}");
  }

  void tell(const chat_piece::choice& c) {
    if (says(c.reasoning)) tell(said::thinking, c.reasoning);
    if (!c.thinking_blocks.empty()) tell(said::thoughts, c.thinking_blocks);
    for (const auto text : {c.content, c.refusal})
      if (says(text)) tell(said::text, text);
    refused_ = refused_ || says(c.refusal);
    for (const auto& call : c.calls) tell_call(number_of(call), call.id, call.name, call.arguments);
    if (!c.finish_reason.empty()) finish_ = c.finish_reason;
    if (says(c.stop_reason)) stop_ = c.stop_reason;
  }

  std::uint64_t number_of(const chat_piece::call& call) {
    const auto number = call.index.value_or(calls_.empty() ? 0 : last_call_ + (call.id.empty() ? 0 : 1));
    if (calls_.try_emplace(number, false).second) last_call_ = number;
    return number;
  }

  /// For the call that is open to have its arguments.
  bool waits() const { return !later_.empty() || (open_ == block::tool && !arguments_.complete()); }

  void wait(later&& one) {
    waiting_ += sizeof one + one.text.size() + one.id.size() + one.name.size();
    later_.push_back(std::move(one));
    if (waiting_ > most_waiting) tell_rest();
  }

  void tell(said what, chat_piece::raw text) {
    if (waits()) return wait({what, 0, std::string(text), {}, {}});
    if (what == said::text) say(text);
    if (what == said::thinking) think(text);
    if (what == said::thoughts) close_thoughts(text);
  }

  void tell_call(std::uint64_t number, chat_piece::raw id, chat_piece::raw name, chat_piece::raw arguments) {
    const bool goes_on = open_ == block::tool && number == call_;
    if (!goes_on && waits())
      return wait({said::call, number, std::string(arguments), std::string(id), std::string(name)});
    if (!goes_on && !open_call(number, id, name)) return;
    if (!says(arguments)) return;
    add(at_, "input_json_delta", "partial_json", arguments);
    if (const auto spelled = json::parse(arguments)) arguments_.feed(spelled->string_or_empty());
    if (later_.empty() || !arguments_.complete()) return;
    waiting_ = 0;
    for (const auto& one : std::exchange(later_, {})) tell(one);
  }

  void tell(const later& one) {
    if (one.what == said::call) return tell_call(one.call, one.id, one.name, one.text);
    tell(one.what, one.text);
  }

  /// Nothing is waited for any more: what there is is told, each call with all that was said of it where it began.
  void tell_rest() {
    const auto waited = std::exchange(later_, {});
    waiting_ = 0;
    std::map<std::uint64_t, std::vector<const later*>> calls;
    for (const auto& one : waited)
      if (one.what == said::call) calls[one.call].push_back(&one);
    for (const auto& one : waited) {
      if (open_ == block::tool) close_block();
      if (one.what != said::call) {
        tell(one);
        continue;
      }
      for (const auto* part : std::exchange(calls[one.call], {})) tell(*part);
    }
  }

  void open_block(block kind, std::string_view content) {
    close_block();
    open_ = kind;
    at_ = next_++;
    put("content_block_start", R"({"type":"content_block_start","index":)" + number(at_) + R"(,"content_block":)" +
                                   std::string(content) + "}");
  }
  void close_block() {
    if (open_ == block::none) return;
    put("content_block_stop", R"({"type":"content_block_stop","index":)" + number(at_) + "}");
    open_ = block::none;
  }

  /// `content`: JSON.
  void add(std::uint64_t index, std::string_view type, std::string_view member, std::string_view content) {
    std::string data;
    data.reserve(96 + content.size());
    data.append(R"({"type":"content_block_delta","index":)").append(number(index)).append(R"(,"delta":{"type":")");
    data.append(type).append(R"(",")").append(member).append(R"(":)").append(content).append("}}");
    put("content_block_delta", std::move(data));
  }

  void say(chat_piece::raw text) {
    if (open_ != block::text) open_block(block::text, R"({"type":"text","text":""})");
    add(at_, "text_delta", "text", text);
  }

  void think(chat_piece::raw text) {
    if (open_ != block::thinking) open_block(block::thinking, R"({"type":"thinking","thinking":"","signature":""})");
    if (says(text)) add(at_, "thinking_delta", "thinking", text);
  }

  /// Blocks that are complete: of the one whose text was told already, only the signature is news.
  void close_thoughts(chat_piece::raw list) {
    const auto blocks = json::parse(list);
    for (std::size_t i = 0; blocks && i < blocks->items.size(); ++i) {
      const auto& b = blocks->items[i];
      const auto text = [&](std::string_view member) {
        const auto* v = b.find(member);
        return json::to_text(v ? *v : json::value::make_string(""));
      };
      const auto* type = b.find("type");
      if (!type || type->string_or_empty() != "thinking") {
        open_block(block::other, json::to_text(b));
      } else {
        if (open_ != block::thinking) think(text("thinking"));
        add(at_, "signature_delta", "signature", text("signature"));
      }
      close_block();
    }
  }

  /// False: its block was there, and is over: it had all its arguments.
  bool open_call(std::uint64_t number, chat_piece::raw id, chat_piece::raw name) {
    if (std::exchange(calls_[number], true)) return false;
    std::string content = R"({"type":"tool_use","id":)";
    content.append(id.empty() ? R"("")" : id).append(R"(,"name":)");
    content.append(name.empty() ? R"("")" : name).append(R"(,"input":{}})");
    open_block(block::tool, content);
    call_ = number;
    arguments_ = {};
    return true;
  }

  static void append_call(std::string& out, const chat_piece::call& call) {
    out.append(R"({"type":"tool_use","id":)").append(call.id.empty() ? R"("")" : call.id);
    out.append(R"(,"name":)").append(call.name.empty() ? R"("")" : call.name).append(R"(,"input":)");
    const auto spelled = json::parse(call.arguments);
    const auto text = spelled ? spelled->string_or_empty() : std::string_view();
    if (const auto input = json::parse(text); input && input->is(json::kind::object))
      out += text;
    else if (text.find_first_not_of(" \t\r\n") == text.npos)
      out += "{}";
    else // a model's slip: no JSON, but all that it said
      out.append(R"({"arguments":)").append(call.arguments) += '}';
    out += '}';
  }

  /// A provider's own event, untouched. False: it does not fit the row, as of another provider that went on with it;
  /// from then on none does.
  bool pass_on(const chat_piece::native_event& e) {
    const auto kind = inside(e.kind);
    if (kind == "message_start") own_ = own_ || started_;
    if (kind == "content_block_start") own_ = own_ || !started_ || e.index.value_or(next_) != next_;
    if (kind == "content_block_delta" || kind == "content_block_stop")
      own_ = own_ || open_ == block::none || e.index.value_or(at_) != at_;
    if (own_ || e.data.empty()) return false;
    if (kind == "message_start") started_ = true;
    if (kind == "content_block_start" || kind == "message_delta") close_block();
    if (kind == "content_block_start") {
      const auto type = inside(e.block);
      open_ = type == "text" ? block::text : type == "thinking" ? block::thinking : block::other;
      at_ = next_++;
    }
    if (kind == "content_block_stop") open_ = block::none;
    if (kind == "message_delta") ended_ = true;
    if (kind == "message_stop") stopped_ = true;
    put(inside(e.type.empty() ? e.kind : e.type), std::string(e.data));
    return true;
  }

  chat_piece piece_;
  std::vector<event> events_;
  counts counts_;
  bool started_ = false, ended_ = false, stopped_ = false; // told: message_start, message_delta, message_stop
  bool own_ = false;                                       // native events are not told any more
  bool refused_ = false;
  block open_ = block::none;
  std::uint64_t at_ = 0, next_ = 0;               // the open block, and the next one
  std::unordered_map<std::uint64_t, bool> calls_; // by their numbers: has a block
  std::uint64_t last_call_ = 0, call_ = 0;        // that came last, and whose block is open
  json_extent arguments_;                         // its arguments
  std::vector<later> later_;
  std::size_t waiting_ = 0;   // bytes in it
  std::string finish_, stop_; // raw
};

} // namespace

std::string anthropic_error(int status, std::string_view error_json) {
  std::string out = R"({"type":"error","error":{"type":")";
  out.append(error_type(status)).append(R"(","message":)");
  json::append_string(out, read_error_words(error_json).said.message);
  return out += "}}";
}

std::unique_ptr<answer_teller> messages_teller() { return std::make_unique<teller_of_messages>(); }

} // namespace mainstay
