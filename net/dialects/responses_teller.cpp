// A chat's answer as OpenAI's Responses API gives it: reasoning, a message and function calls are items, each begun,
// gone on with and done. Texts are kept as JSON writes them, for the events at the end say everything again.
#include "net/chat_answer.hpp"
#include "net/dialects/caller_body.hpp"
#include "net/dialects/chat_piece.hpp"
#include "net/dialects/responses.hpp"
#include "net/json_text.hpp"
#include "net/provider_error_body.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {
namespace {

std::string number(std::uint64_t n) { return std::to_string(n); }

std::string quoted(std::string_view inner) {
  std::string out = "\"";
  return out.append(inner) += '"';
}

std::string usage_text(const token_usage& u) {
  return R"({"input_tokens":)" + number(u.input) + R"(,"input_tokens_details":{"cached_tokens":)" + number(u.cached) +
         R"(,"cache_write_tokens":)" + number(u.cache_writes) + R"(},"output_tokens":)" + number(u.output) +
         R"(,"output_tokens_details":{"reasoning_tokens":)" + number(u.reasoning) + R"(},"total_tokens":)" +
         number(u.input + u.output) + "}";
}

/// "status":...,"error":null,"incomplete_details":...
std::string standing(chat_piece::raw finish) {
  const auto word = inside(finish);
  if (word == "length")
    return R"("status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"})";
  if (word == "content_filter")
    return R"("status":"incomplete","error":null,"incomplete_details":{"reason":"content_filter"})";
  return R"("status":"completed","error":null,"incomplete_details":null)";
}

/// Parameters go by another name here than in the chat that was made of the request.
provider_error in_this_dialect(std::string_view error_json) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {{"max_completion_tokens", "max_output_tokens"},
                                                                     {"messages", "input"},
                                                                     {"reasoning_effort", "reasoning.effort"},
                                                                     {"response_format", "text.format"}};
  auto words = read_error_words(error_json).said;
  for (auto [chats, ours] : names) {
    if (words.param != chats) continue;
    words.param = ours;
    const auto spelled = "'" + std::string(chats) + "'";
    if (const auto at = words.message.find(spelled); at != std::string::npos)
      words.message.replace(at + 1, chats.size(), ours);
    break;
  }
  return words;
}

class teller_of_responses final : public answer_teller {
public:
  explicit teller_of_responses(responses_echo echo) : echo_(std::move(echo)) {}

  std::string whole(std::string_view completion) override {
    read_piece(completion, piece_);
    if (!piece_.valid || piece_.choices.empty()) return {};
    take_head();
    const auto& c = piece_.choices.front();
    finish_ = c.finish_reason;
    if (says(c.reasoning) || !c.thinking_blocks.empty()) {
      items_.emplace_back(open_item(item::reasoning)).text = inside(c.reasoning);
      items_.back().blocks = c.thinking_blocks;
    }
    if (says(c.content) || says(c.refusal)) {
      auto& m = items_.emplace_back(open_item(item::message));
      m.text = inside(c.content);
      m.refusal = inside(c.refusal);
    }
    for (const auto& call : c.calls) {
      auto& made = items_.emplace_back(open_item(item::call));
      made.call_id = inside(call.id), made.name = inside(call.name), made.text = inside(call.arguments);
    }
    return response(standing(c.finish_reason), true);
  }

  std::vector<event> chunk(std::string_view chunk) override {
    read_piece(chunk, piece_);
    if (!piece_.valid) return {};
    begin();
    take_usage();
    if (!piece_.choices.empty()) tell(piece_.choices.front());
    return std::exchange(events_, {});
  }

  std::vector<event> end(std::string_view usage_json) override {
    if (!usage_) {
      const std::string as_chunk = R"({"usage":)" + std::string(usage_json) + "}";
      read_piece(as_chunk, piece_);
      take_usage();
    }
    piece_ = {}; // nothing of it outlives its text
    begin();
    close_all();
    const auto word = inside(finish_);
    const bool cut = word == "length" || word == "content_filter";
    put_response(cut ? "response.incomplete" : "response.completed", standing(finish_), true);
    return std::exchange(events_, {});
  }

  std::string error(int, std::string_view error_json) override {
    const auto words = in_this_dialect(error_json);
    return error_body(words.message, words.type, words.code, words.param);
  }

  std::vector<event> broken(int, std::string_view error_json) override {
    piece_ = {};
    begin();
    const auto words = in_this_dialect(error_json);
    std::string said;
    const auto or_null = [&](std::string_view name, std::string_view text) {
      if (text.empty())
        add_json(said, name, "null");
      else
        add_text(said, name, text);
    };
    or_null("code", words.code);
    add_text(said, "message", words.message);
    or_null("param", words.param);
    put("error", said);
    std::string failure = R"("status":"failed","error":{"code":"server_error")";
    add_text(failure, "message", words.message);
    put_response("response.failed", failure + R"(},"incomplete_details":null)", false);
    return std::exchange(events_, {});
  }

private:
  struct item {
    enum kind : std::uint8_t { reasoning, message, call };
    kind what = message;
    std::uint64_t index = 0; // in the output
    std::string id;
    bool open = true;
    std::string text; // or a call's arguments; this and the others as JSON writes them, without quotes
    std::string refusal, blocks, call_id, name;
    std::uint64_t number = 0; // of a call
    bool text_part = false, refusal_part = false;
  };

  void take_head() {
    auto bare = inside(piece_.id);
    if (bare.starts_with("chatcmpl-")) bare.remove_prefix(9);
    base_ = bare;
    model_ = piece_.model.empty() ? std::string(R"("")") : std::string(piece_.model);
    created_ = piece_.created.empty() ? "0" : std::string(piece_.created);
    take_usage();
  }

  void take_usage() {
    if (piece_.counted) usage_ = piece_.counted;
  }

  item open_item(item::kind what) const {
    item made;
    made.what = what;
    made.index = items_.size();
    const auto* prefix = what == item::reasoning ? "rs_" : what == item::message ? "msg_" : "fc_";
    made.id = prefix + base_ + "_" + number(made.index);
    return made;
  }

  // -- what an item says of itself

  static std::string text_part(std::string_view inner) {
    return R"({"type":"output_text","text":)" + quoted(inner) + R"(,"annotations":[],"logprobs":[]})";
  }
  static std::string refusal_part(std::string_view inner) {
    return R"({"type":"refusal","refusal":)" + quoted(inner) + "}";
  }
  static std::string reasoning_part(std::string_view inner) {
    return R"({"type":"reasoning_text","text":)" + quoted(inner) + "}";
  }

  std::string text_of(const item& i, std::string_view status) const {
    std::string out = R"({"id":)" + quoted(i.id);
    const bool done = status != "in_progress";
    if (i.what == item::message) {
      out += R"(,"type":"message","role":"assistant","content":[)";
      const bool refuses = !i.refusal.empty();
      if (done && (!i.text.empty() || !refuses)) out += text_part(i.text) + (refuses ? "," : "");
      if (done && refuses) out += refusal_part(i.refusal);
      out += ']';
    } else if (i.what == item::reasoning) {
      out += R"(,"type":"reasoning","summary":[],"content":[)";
      if (done && !i.text.empty()) out += reasoning_part(i.text);
      out += ']';
      if (done && echo_.encrypted_reasoning && !i.blocks.empty()) add_text(out, "encrypted_content", i.blocks);
    } else {
      out += R"(,"type":"function_call","call_id":)" + quoted(i.call_id) + R"(,"name":)" + quoted(i.name);
      out += R"(,"arguments":)" + quoted(done ? std::string_view(i.text) : std::string_view());
    }
    return out.append(R"(,"status":")").append(status).append("\"}");
  }

  std::string response(std::string_view how, bool output) const {
    std::string out = R"({"id":"resp_)" + base_ + R"(","object":"response","created_at":)" + created_;
    out.append(R"(,"background":false,)").append(how).append(R"(,"model":)").append(model_).append(R"(,"output":[)");
    for (const auto& i : items_)
      if (output) {
        begin_item(out);
        out += text_of(i, inside(finish_) == "length" && &i == &items_.back() ? "incomplete" : "completed");
      }
    out.append("],").append(echo_.members);
    if (output && usage_) out.append(R"(,"usage":)").append(usage_text(*usage_));
    return out += '}';
  }

  // -- events

  /// `members`: what stands behind the type and the number.
  void put(std::string_view type, std::string_view members) {
    std::string data;
    data.reserve(type.size() + members.size() + 48);
    data.append(R"({"type":")").append(type).append(R"(","sequence_number":)").append(number(sequence_++));
    data.append(",").append(members) += '}';
    events_.push_back({type, std::move(data)});
  }
  void put_response(std::string_view type, std::string_view how, bool output) {
    put(type, R"("response":)" + response(how, output));
  }
  /// "item_id":...,"output_index":...
  static std::string place(const item& i) {
    return R"("item_id":)" + quoted(i.id) + R"(,"output_index":)" + number(i.index);
  }
  static std::string place(const item& i, std::uint64_t part) {
    return place(i) + R"(,"content_index":)" + number(part);
  }

  void begin() {
    if (std::exchange(begun_, true)) return;
    take_head();
    constexpr std::string_view how = R"("status":"in_progress","error":null,"incomplete_details":null)";
    put_response("response.created", how, false);
    put_response("response.in_progress", how, false);
  }

  void tell(const chat_piece::choice& c) {
    if (says(c.reasoning)) think(c.reasoning);
    if (!c.thinking_blocks.empty()) seal(c.thinking_blocks);
    if (says(c.content)) say(c.content);
    if (says(c.refusal)) refuse(c.refusal);
    for (const auto& call : c.calls) tell_call(call);
    if (c.finish_reason.empty()) return;
    finish_ = c.finish_reason;
    close_all();
  }

  /// The open item of that kind, or a new one. Calls are open beside one another, words are not.
  item& at(item::kind what) {
    if (!items_.empty() && items_.back().what == what && items_.back().open) return items_.back();
    close_all();
    items_.push_back(open_item(what));
    announce(items_.back());
    return items_.back();
  }
  void announce(const item& i) {
    put("response.output_item.added",
        R"("output_index":)" + number(i.index) + R"(,"item":)" + text_of(i, "in_progress"));
  }
  void put_part(const item& i, std::string_view type, std::uint64_t part, std::string_view content) {
    put(type, place(i, part) + R"(,"part":)" + std::string(content));
  }

  void think(chat_piece::raw text) {
    auto& i = at(item::reasoning);
    if (!std::exchange(i.text_part, true)) put_part(i, "response.content_part.added", 0, reasoning_part({}));
    i.text += inside(text);
    put("response.reasoning_text.delta", place(i, 0) + R"(,"delta":)" + std::string(text));
  }

  /// The signed blocks of the reasoning so far.
  void seal(chat_piece::raw blocks) {
    auto& i = at(item::reasoning);
    if (i.blocks.empty()) return i.blocks.assign(blocks), void();
    i.blocks.back() = ',';
    i.blocks += blocks.substr(1);
  }

  void say(chat_piece::raw text) {
    auto& i = at(item::message);
    if (!std::exchange(i.text_part, true)) put_part(i, "response.content_part.added", 0, text_part({}));
    i.text += inside(text);
    put("response.output_text.delta", place(i, 0) + R"(,"delta":)" + std::string(text) + R"(,"logprobs":[])");
  }

  void refuse(chat_piece::raw text) {
    auto& i = at(item::message);
    const std::uint64_t part = i.text_part ? 1 : 0;
    if (!std::exchange(i.refusal_part, true)) put_part(i, "response.content_part.added", part, refusal_part({}));
    i.refusal += inside(text);
    put("response.refusal.delta", place(i, part) + R"(,"delta":)" + std::string(text));
  }

  void tell_call(const chat_piece::call& call) {
    const auto is_call = [](const item& i) { return i.what == item::call; };
    const auto calls = static_cast<std::uint64_t>(std::ranges::count_if(items_, is_call));
    const auto which = call.index.value_or(call.id.empty() && calls ? calls - 1 : calls);
    auto known = std::ranges::find_if(items_, [&](const item& i) { return is_call(i) && i.number == which; });
    if (known == items_.end()) {
      for (auto& i : items_)
        if (!is_call(i)) close(i);
      auto& made = items_.emplace_back(open_item(item::call));
      made.number = which;
      made.call_id = inside(call.id);
      made.name = inside(call.name);
      announce(made);
      known = items_.end() - 1;
    }
    if (!says(call.arguments)) return;
    known->text += inside(call.arguments);
    put("response.function_call_arguments.delta", place(*known) + R"(,"delta":)" + std::string(call.arguments));
  }

  void close_all() {
    for (auto& i : items_) close(i);
  }
  void close(item& i) {
    if (!std::exchange(i.open, false)) return;
    if (i.what == item::call)
      put("response.function_call_arguments.done",
          place(i) + R"(,"name":)" + quoted(i.name) + R"(,"arguments":)" + quoted(i.text));
    if (i.what == item::reasoning && i.text_part) {
      put("response.reasoning_text.done", place(i, 0) + R"(,"text":)" + quoted(i.text));
      put_part(i, "response.content_part.done", 0, reasoning_part(i.text));
    }
    if (i.what == item::message && i.text_part) {
      put("response.output_text.done", place(i, 0) + R"(,"text":)" + quoted(i.text) + R"(,"logprobs":[])");
      put_part(i, "response.content_part.done", 0, text_part(i.text));
    }
    if (i.refusal_part) {
      const std::uint64_t part = i.text_part ? 1 : 0;
      put("response.refusal.done", place(i, part) + R"(,"refusal":)" + quoted(i.refusal));
      put_part(i, "response.content_part.done", part, refusal_part(i.refusal));
    }
    put("response.output_item.done", R"("output_index":)" + number(i.index) + R"(,"item":)" +
                                         text_of(i, inside(finish_) == "length" ? "incomplete" : "completed"));
  }

  const responses_echo echo_;
  chat_piece piece_;
  std::vector<event> events_;
  std::uint64_t sequence_ = 0;
  bool begun_ = false;
  std::string base_, model_, created_; // of the first chunk: the id without its prefix, the others as JSON
  std::vector<item> items_;
  std::optional<token_usage> usage_;
  std::string finish_; // raw
};

} // namespace

std::unique_ptr<answer_teller> responses_teller(responses_echo echo) {
  return std::make_unique<teller_of_responses>(std::move(echo));
}

} // namespace mainstay
