#include "net/dialects/chat_piece.hpp"

#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <array>

namespace mainstay {
namespace {

enum class place : std::uint8_t {
  outside,
  root,
  choices,
  choice,
  message, // or a delta
  calls,
  call,
  function,
  usage,
  prompt_details,
  output_details,
  native,
  event,
  block,
  elsewhere
};

enum class field : std::uint8_t {
  other,
  id,
  model,
  created,
  choices,
  usage,
  native,
  index,
  message,
  finish_reason,
  stop_reason,
  content,
  refusal,
  reasoning,
  thinking_blocks,
  calls,
  function,
  name,
  arguments,
  prompt_tokens,
  completion_tokens,
  prompt_details,
  output_details,
  cached,
  cache_writes,
  reasoning_tokens,
  type,
  data,
  block
};

struct named {
  std::string_view name;
  field means;
};
constexpr named root_fields[] = {{"id", field::id},           {"model", field::model}, {"created", field::created},
                                 {"choices", field::choices}, {"usage", field::usage}, {"native", field::native}};
constexpr named choice_fields[] = {{"index", field::index},
                                   {"delta", field::message},
                                   {"message", field::message},
                                   {"finish_reason", field::finish_reason},
                                   {"stop_reason", field::stop_reason}};
constexpr named message_fields[] = {{"content", field::content},
                                    {"tool_calls", field::calls},
                                    {"reasoning_content", field::reasoning},
                                    {"reasoning", field::reasoning}, // OpenRouter's and vLLM's name for it
                                    {"thinking_blocks", field::thinking_blocks},
                                    {"refusal", field::refusal}};
constexpr named call_fields[] = {{"index", field::index}, {"id", field::id}, {"function", field::function}};
constexpr named function_fields[] = {{"name", field::name}, {"arguments", field::arguments}};
constexpr named usage_fields[] = {{"prompt_tokens", field::prompt_tokens},
                                  {"completion_tokens", field::completion_tokens},
                                  {"prompt_tokens_details", field::prompt_details},
                                  {"completion_tokens_details", field::output_details},
                                  {"prompt_cache_hit_tokens", field::cached}}; // DeepSeek
constexpr named prompt_fields[] = {{"cached_tokens", field::cached}, {"cache_creation_tokens", field::cache_writes}};
constexpr named output_fields[] = {{"reasoning_tokens", field::reasoning_tokens}};
constexpr named native_fields[] = {{"type", field::type}, {"data", field::data}};
constexpr named event_fields[] = {{"type", field::type}, {"index", field::index}, {"content_block", field::block}};
constexpr named block_fields[] = {{"type", field::type}};

template <std::size_t Size>
field find_field(const named (&fields)[Size], std::string_view name) noexcept {
  for (auto& f : fields)
    if (f.name == name) return f.means;
  return field::other;
}

class piece_reader : public json::handler {
public:
  piece_reader(std::string_view text, chat_piece& into) : text_(text), to_(into) {}

  bool key(std::string_view name) {
    switch (here()) {
    case place::root: field_ = find_field(root_fields, name); break;
    case place::choice: field_ = find_field(choice_fields, name); break;
    case place::message: field_ = find_field(message_fields, name); break;
    case place::call: field_ = find_field(call_fields, name); break;
    case place::function: field_ = find_field(function_fields, name); break;
    case place::usage: field_ = find_field(usage_fields, name); break;
    case place::prompt_details: field_ = find_field(prompt_fields, name); break;
    case place::output_details: field_ = find_field(output_fields, name); break;
    case place::native: field_ = find_field(native_fields, name); break;
    case place::event: field_ = find_field(event_fields, name); break;
    case place::block: field_ = find_field(block_fields, name); break;
    default: field_ = field::other;
    }
    return true;
  }

  bool string(std::string_view) {
    const auto raw = text_.substr(at->string_begin(), at->Tell() - at->string_begin());
    switch (here()) {
    case place::root:
      if (field_ == field::id) to_.id = raw;
      if (field_ == field::model) to_.model = raw;
      break;
    case place::choice:
      if (field_ == field::finish_reason) choice().finish_reason = raw;
      if (field_ == field::stop_reason) choice().stop_reason = raw;
      break;
    case place::message: say(raw); break;
    case place::call:
      if (field_ == field::id) call().id = raw;
      break;
    case place::function:
      if (field_ == field::name) call().name = raw;
      if (field_ == field::arguments) call().arguments = raw;
      break;
    case place::native:
      if (field_ == field::type) to_.native->type = raw;
      break;
    case place::event:
      if (field_ == field::type) to_.native->kind = raw;
      break;
    case place::block:
      if (field_ == field::type) to_.native->block = raw;
      break;
    default: break;
    }
    return here() != place::outside;
  }

  bool number(std::string_view spelled) {
    const auto whole = [&] { return json::whole_number(spelled); };
    switch (here()) {
    case place::root:
      if (field_ == field::created) to_.created = spelled;
      break;
    case place::choice:
      if (field_ == field::index) choice().index = whole().value_or(choice().index);
      break;
    case place::call:
      if (field_ == field::index) call().index = whole();
      break;
    case place::event:
      if (field_ == field::index) to_.native->index = whole();
      break;
    case place::usage:
    case place::prompt_details:
    case place::output_details: count(whole().value_or(0)); break;
    default: break;
    }
    return here() != place::outside;
  }

  bool boolean(bool) { return here() != place::outside; }
  bool null() { return here() != place::outside; }

  bool begin_object() {
    switch (here()) {
    case place::outside: return enter(place::root);
    case place::root:
      if (field_ == field::usage) {
        begin_ = at->Tell() - 1;
        to_.counted.emplace();
        return enter(place::usage);
      }
      if (field_ != field::native) return enter(place::elsewhere);
      to_.native.emplace();
      return enter(place::native);
    case place::choices:
      to_.choices.emplace_back();
      choice().index = to_.choices.size() - 1;
      return enter(place::choice);
    case place::choice: return enter(field_ == field::message ? place::message : place::elsewhere);
    case place::calls: choice().calls.emplace_back(); return enter(place::call);
    case place::call: return enter(field_ == field::function ? place::function : place::elsewhere);
    case place::usage:
      return enter(field_ == field::prompt_details   ? place::prompt_details
                   : field_ == field::output_details ? place::output_details
                                                     : place::elsewhere);
    case place::native:
      if (field_ != field::data) return enter(place::elsewhere);
      begin_ = at->Tell() - 1;
      return enter(place::event);
    case place::event: return enter(field_ == field::block ? place::block : place::elsewhere);
    default: return enter(place::elsewhere);
    }
  }

  bool end_object() {
    const auto left = here();
    --depth_;
    if (left == place::usage) to_.usage = text_.substr(begin_, at->Tell() - begin_);
    if (left == place::event) to_.native->data = text_.substr(begin_, at->Tell() - begin_);
    return true;
  }

  bool begin_array() {
    if (here() == place::outside) return false;
    if (here() == place::root && field_ == field::choices) {
      to_.valid = true;
      return enter(place::choices);
    }
    if (here() == place::message && field_ == field::calls) return enter(place::calls);
    if (here() == place::message && field_ == field::thinking_blocks) thoughts_at_ = depth_, begin_ = at->Tell() - 1;
    return enter(place::elsewhere);
  }

  bool end_array() {
    if (--depth_ == thoughts_at_) {
      choice().thinking_blocks = text_.substr(begin_, at->Tell() - begin_);
      thoughts_at_ = no_depth;
    }
    return true;
  }

private:
  static constexpr std::size_t no_depth = SIZE_MAX;

  place here() const noexcept { return places_[depth_]; }
  bool enter(place p) {
    places_[++depth_] = p;
    return true;
  }
  chat_piece::choice& choice() { return to_.choices.back(); }
  chat_piece::call& call() { return choice().calls.back(); }

  void say(std::string_view raw) {
    auto& c = choice();
    if (field_ == field::content) c.content = raw;
    if (field_ == field::refusal) c.refusal = raw;
    if (field_ == field::reasoning && !says(c.reasoning)) c.reasoning = raw;
  }

  void count(std::uint64_t n) {
    auto& u = *to_.counted;
    switch (field_) {
    case field::prompt_tokens: u.input = n; break;
    case field::completion_tokens: u.output = n; break;
    case field::cached: u.cached = n; break;
    case field::cache_writes: u.cache_writes = n; break;
    case field::reasoning_tokens: u.reasoning = n; break;
    default: break;
    }
  }

  const std::string_view text_;
  chat_piece& to_;
  std::array<place, json::depth_limit + 1> places_{place::outside};
  std::size_t depth_ = 0;
  field field_ = field::other;
  std::size_t begin_ = 0, thoughts_at_ = no_depth;
};

} // namespace

void read_piece(std::string_view text, chat_piece& into) {
  into.valid = false;
  into.id = into.model = into.created = into.usage = {};
  into.choices.clear();
  into.counted.reset();
  into.native.reset();
  piece_reader reader(text, into);
  const bool whole = static_cast<bool>(json::read(text, reader));
  into.valid = whole && (into.valid || into.counted);
}

} // namespace mainstay
