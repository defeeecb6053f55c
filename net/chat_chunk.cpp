// Reads what an answer says on its way through, whole or chunk by chunk: one SAX pass, no tree, no heap but for the
// strings it returns.
#include "net/chat_answer.hpp"

#include "net/json_reader.hpp"
#include "net/json_tree.hpp"
#include "net/provider_error_body.hpp"

#include <array>

namespace mainstay {
namespace {

// Where in an answer we are; `delta_part` is anything inside a member of a delta, `elsewhere` what nobody asks about.
enum class place : std::uint8_t {
  outside,
  root,
  choices,
  choice,
  delta,
  delta_part,
  usage,
  prompt_details,
  output_details,
  elsewhere
};

// The member whose value comes next, of those that matter somewhere.
enum class field : std::uint8_t {
  other,
  choices,
  usage,
  id,
  model,
  error,
  object,
  type, // of the root
  index,
  delta,
  finish_reason, // of a choice
  content,
  role, // of a delta
  prompt_tokens,
  completion_tokens,
  prompt_details,
  output_details,
  cached,
  cache_writes,
  reasoning
};

struct named {
  std::string_view name;
  field means;
};
constexpr named root_fields[] = {{"id", field::id},           {"object", field::object}, {"model", field::model},
                                 {"choices", field::choices}, {"usage", field::usage},   {"error", field::error},
                                 {"type", field::type}};
constexpr named choice_fields[] = {
    {"index", field::index}, {"delta", field::delta}, {"finish_reason", field::finish_reason}};
constexpr named delta_fields[] = {{"content", field::content}, {"role", field::role}};
constexpr named usage_fields[] = {{"prompt_tokens", field::prompt_tokens},
                                  {"completion_tokens", field::completion_tokens},
                                  {"prompt_tokens_details", field::prompt_details},
                                  {"completion_tokens_details", field::output_details},
                                  {"prompt_cache_hit_tokens", field::cached}}; // DeepSeek
constexpr named prompt_fields[] = {{"cached_tokens", field::cached}, {"cache_creation_tokens", field::cache_writes}};
constexpr named output_fields[] = {{"reasoning_tokens", field::reasoning}};

template <std::size_t Size>
field find_field(const named (&fields)[Size], std::string_view name) noexcept {
  for (auto& f : fields)
    if (f.name == name) return f.means;
  return field::other;
}

class answer_reader : public json::handler {
public:
  explicit answer_reader(request_kind kind = request_kind::chat) : kind_(kind) {}

  chunk_facts facts;
  bool has_choices = false; // at least one
  bool error = false;

  bool key(std::string_view name) {
    switch (here()) {
    case place::root:
      field_ = find_field(root_fields, name);
      if (kind_ == request_kind::embeddings) // its answers stand elsewhere
        field_ = name == "data" ? field::choices : field_ == field::choices ? field::other : field_;
      break;
    case place::choice: field_ = find_field(choice_fields, name); break;
    case place::delta: field_ = find_field(delta_fields, name); break;
    case place::usage: field_ = find_field(usage_fields, name); break;
    case place::prompt_details: field_ = find_field(prompt_fields, name); break;
    case place::output_details: field_ = find_field(output_fields, name); break;
    case place::delta_part: other_visible_ = true; [[fallthrough]];
    default: field_ = field::other;
    }
    return true;
  }

  bool string(std::string_view text) {
    switch (here()) {
    case place::root: root_string(text); break;
    case place::choice:
      if (field_ == field::finish_reason) finish(text);
      break;
    case place::delta:
      if (field_ == field::content)
        text_ = text;
      else if (field_ != field::role && !text.empty())
        other_visible_ = true;
      break;
    default: return scalar();
    }
    return true;
  }

  bool number(std::string_view spelled) {
    switch (here()) {
    case place::root: error |= field_ == field::error; break;
    case place::choice:
      if (field_ == field::index) index_ = json::whole_number(spelled);
      break;
    case place::delta: other_visible_ = true; break;
    case place::usage:
    case place::prompt_details:
    case place::output_details: count(spelled); break;
    default: return scalar();
    }
    return true;
  }

  bool boolean(bool b) {
    if (here() == place::root) error |= b && field_ == field::error;
    if (here() == place::delta) other_visible_ |= b;
    return scalar();
  }
  bool null() { return scalar(); }

  bool begin_object() {
    switch (here()) {
    case place::outside: return enter(place::root);
    case place::root:
      error |= field_ == field::error;
      if (field_ == field::usage) usage_ = {};
      return enter(field_ == field::usage ? place::usage : place::elsewhere);
    case place::choices:
      index_.reset();
      text_.clear();
      other_visible_ = false;
      return enter(place::choice);
    case place::choice: return enter(field_ == field::delta ? place::delta : place::elsewhere);
    case place::usage:
      return enter(field_ == field::prompt_details   ? place::prompt_details
                   : field_ == field::output_details ? place::output_details
                                                     : place::elsewhere);
    default: return enter_part();
    }
  }

  bool begin_array() {
    if (here() == place::outside) return false;
    if (here() == place::choices) return false;
    if (here() == place::root && field_ == field::choices) {
      saw_choices_ = true;
      position_ = 0;
      return enter(place::choices);
    }
    return enter_part();
  }

  bool end_object() {
    auto left = here();
    --depth_;
    if (left == place::choice) end_choice();
    if (left == place::usage && counted_) facts.usage = usage_;
    return true;
  }
  bool end_array() { return --depth_, true; }

  void complete() {
    facts.no_choices = !has_choices && (saw_choices_ || facts.usage); // some providers leave `choices` out beside usage
    facts.valid = saw_choices_ || facts.usage || error;
  }

private:
  place here() const noexcept { return places_[depth_]; }
  bool enter(place p) {
    places_[++depth_] = p;
    return true;
  }
  bool enter_part() {
    auto outer = here();
    if (outer == place::delta_part) other_visible_ = true;
    return enter(outer == place::delta || outer == place::delta_part ? place::delta_part : place::elsewhere);
  }
  // A value without further meaning: it may show that something is not empty, or that this is no answer.
  bool scalar() {
    if (here() == place::delta_part) other_visible_ = true;
    return here() != place::outside && here() != place::choices;
  }

  void root_string(std::string_view text) {
    switch (field_) {
    case field::id: facts.id = text; break;
    case field::model: facts.model = text; break;
    case field::error: error |= !text.empty(); break;
    case field::object:
    case field::type: error |= text == "error"; break; // vLLM and Anthropic
    default: break;
    }
  }

  void finish(std::string_view reason) {
    if (reason.empty()) return;
    facts.finished = true;
    ++facts.finishes;
    if (facts.finish_reason.empty()) facts.finish_reason = reason;
  }

  void count(std::string_view spelled) {
    auto n = json::whole_number(spelled);
    if (!n) return;
    switch (field_) {
    case field::prompt_tokens: usage_.input = *n, counted_ = true; break;
    case field::completion_tokens: usage_.output = *n, counted_ = true; break;
    case field::cached: usage_.cached = *n; break;
    case field::cache_writes: usage_.cache_writes = *n; break;
    case field::reasoning: usage_.reasoning = *n; break;
    default: break;
    }
  }

  // Only now: the index may follow the delta.
  void end_choice() {
    has_choices = true;
    bool first = index_.value_or(position_) == 0;
    ++position_;
    facts.visible |= !text_.empty() || other_visible_;
    facts.only_text &= !other_visible_ && (first || text_.empty());
    if (first && facts.text.empty())
      facts.text.swap(text_);
    else if (first)
      facts.text += text_;
  }

  const request_kind kind_;
  std::array<place, json::depth_limit + 1> places_{place::outside};
  std::size_t depth_ = 0;
  field field_ = field::other;
  bool saw_choices_ = false, counted_ = false;
  token_usage usage_;
  // Of the choice being read:
  std::optional<std::uint64_t> index_;
  std::uint64_t position_ = 0;
  std::string text_;
  bool other_visible_ = false;
};

provider_error error_inside(std::string_view json) {
  auto words = read_error_words(json);
  words.said.status = words.status.value_or(200);
  if (words.said.message.empty()) words.said.message = "the provider sent an error without a message";
  return std::move(words.said);
}

} // namespace

chunk_facts read_chunk(std::string_view json) {
  answer_reader reader;
  if (!json::read(json, reader)) return {};
  reader.complete();
  if (reader.error) reader.facts.error = error_inside(json);
  return std::move(reader.facts);
}

completion_facts read_completion(std::string_view json) { return read_answer(request_kind::chat, json); }

completion_facts read_answer(request_kind kind, std::string_view json) {
  answer_reader reader(kind);
  if (!json::read(json, reader)) return {};
  completion_facts facts;
  facts.valid = reader.has_choices;
  facts.finish_reason = std::move(reader.facts.finish_reason);
  facts.id = std::move(reader.facts.id);
  facts.model = std::move(reader.facts.model);
  facts.usage = reader.facts.usage;
  if (reader.error) facts.error = error_inside(json);
  return facts;
}

std::string usage_json(const std::optional<token_usage>& usage) {
  if (!usage) return "null";
  auto n = [](std::uint64_t tokens) { return std::to_string(tokens); };
  auto out = R"({"prompt_tokens":)" + n(usage->input) + R"(,"completion_tokens":)" + n(usage->output) +
             R"(,"total_tokens":)" + n(usage->input + usage->output);
  if (usage->cached || usage->cache_writes) {
    out += R"(,"prompt_tokens_details":{"cached_tokens":)" + n(usage->cached);
    if (usage->cache_writes) out += R"(,"cache_creation_tokens":)" + n(usage->cache_writes);
    out += '}';
  }
  if (usage->reasoning) out += R"(,"completion_tokens_details":{"reasoning_tokens":)" + n(usage->reasoning) + "}";
  return out + "}";
}

} // namespace mainstay
