// One pass over an event of Anthropic's: where in it we are, and which member comes next.
#include "net/dialects/anthropic_answer.hpp"
#include "net/json_tree.hpp"

namespace mainstay {

anthropic_event::kind anthropic_event::read(std::string_view json) {
  what = piece::none;
  text = id = name = model = error = stop_reason = stop_sequence = {};
  depth_ = 0;
  kind_ = kind::none;
  kept_ = nullptr;
  json_ = json;
  return json::read(json, *this) ? kind_ : kind::none;
}

bool anthropic_event::key(std::string_view name) {
  field_ = field::other;
  switch (places_[depth_]) {
  case place::root:
    if (name == "type")
      field_ = field::type;
    else if (name == "delta" || name == "content_block")
      field_ = field::part;
    else if (name == "usage")
      field_ = field::usage;
    else if (name == "message")
      field_ = field::message;
    else if (name == "error")
      field_ = field::error;
    break;
  case place::message:
    if (name == "id")
      field_ = field::id;
    else if (name == "model")
      field_ = field::model;
    else if (name == "usage")
      field_ = field::usage;
    break;
  case place::part:
    if (name == "type")
      field_ = field::type;
    else if (name == "text" || name == "thinking" || name == "partial_json" || name == "signature" || name == "data")
      field_ = field::text;
    else if (name == "id")
      field_ = field::id;
    else if (name == "name")
      field_ = field::name;
    else if (name == "input")
      field_ = field::input;
    else if (name == "stop_reason")
      field_ = field::stop_reason;
    else if (name == "stop_sequence")
      field_ = field::stop_sequence;
    break;
  case place::usage:
    if (name == "input_tokens")
      field_ = field::input_tokens;
    else if (name == "output_tokens")
      field_ = field::output_tokens;
    else if (name == "cache_read_input_tokens")
      field_ = field::cache_read;
    else if (name == "cache_creation_input_tokens")
      field_ = field::cache_creation;
    else if (name == "output_tokens_details")
      field_ = field::details;
    break;
  case place::details:
    if (name == "thinking_tokens") field_ = field::thinking_tokens;
    break;
  default: break;
  }
  return true;
}

bool anthropic_event::string(std::string_view value) {
  struct named_kind {
    std::string_view name;
    kind means;
  };
  static constexpr named_kind kinds[] = {{"content_block_delta", kind::block_delta},
                                         {"content_block_start", kind::block_start},
                                         {"content_block_stop", kind::block_stop},
                                         {"message_start", kind::message_start},
                                         {"message_delta", kind::message_delta},
                                         {"message_stop", kind::message_stop},
                                         {"error", kind::error}};
  struct named_piece {
    std::string_view name;
    piece means;
  };
  static constexpr named_piece pieces[] = {{"text_delta", piece::text},
                                           {"input_json_delta", piece::arguments},
                                           {"thinking_delta", piece::thinking},
                                           {"signature_delta", piece::signature},
                                           {"text", piece::text},
                                           {"thinking", piece::thinking},
                                           {"tool_use", piece::tool_use},
                                           {"redacted_thinking", piece::redacted}};
  switch (places_[depth_]) {
  case place::outside: return false;
  case place::root:
    if (field_ == field::type) {
      kind_ = kind::other;
      for (auto& k : kinds)
        if (k.name == value) kind_ = k.means;
    } else if (field_ == field::error) {
      error = spelled();
    }
    break;
  case place::message:
    if (field_ == field::id) id = spelled();
    if (field_ == field::model) model = spelled();
    break;
  case place::part:
    switch (field_) {
    case field::type:
      for (auto& p : pieces)
        if (p.name == value) what = p.means;
      break;
    case field::text:
      if (text.size() <= 2) text = spelled(); // a thinking block that starts has an empty signature too
      break;
    case field::id: id = spelled(); break;
    case field::name: name = spelled(); break;
    case field::stop_reason: stop_reason = spelled(); break;
    case field::stop_sequence: stop_sequence = spelled(); break;
    default: break;
    }
    break;
  default: break;
  }
  return true;
}

bool anthropic_event::number(std::string_view value) {
  if (places_[depth_] == place::outside) return false;
  if (places_[depth_] != place::usage && places_[depth_] != place::details) return true;
  const auto n = json::whole_number(value).value_or(0);
  if (n == 0) return true; // later events need not say it again
  usage.known = true;
  switch (field_) {
  case field::input_tokens: usage.input = n; break;
  case field::cache_read: usage.cache_read = n; break;
  case field::cache_creation: usage.cache_creation = n; break;
  case field::output_tokens: usage.output = n; break;
  case field::thinking_tokens: usage.thinking = n; break;
  default: break;
  }
  return true;
}

bool anthropic_event::begin_object() {
  switch (places_[depth_]) {
  case place::outside: return enter(place::root);
  case place::root:
    if (field_ == field::part) return enter(place::part);
    if (field_ == field::message) return enter(place::message);
    if (field_ == field::usage) return enter(place::usage);
    if (field_ == field::error) kept_ = &error;
    break;
  case place::message:
    if (field_ == field::usage) return enter(place::usage);
    break;
  case place::usage:
    if (field_ == field::details) return enter(place::details);
    break;
  case place::part:
    if (field_ == field::input) kept_ = &text;
    break;
  default: return enter(place::elsewhere);
  }
  kept_from_ = at->Tell() - 1;
  kept_depth_ = depth_;
  return enter(place::elsewhere);
}

bool anthropic_event::begin_array() { return places_[depth_] != place::outside && enter(place::elsewhere); }

bool anthropic_event::leave() {
  --depth_;
  if (kept_ && depth_ == kept_depth_) {
    *kept_ = json_.substr(kept_from_, at->Tell() - kept_from_);
    kept_ = nullptr;
  }
  return true;
}

} // namespace mainstay
