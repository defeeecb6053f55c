// One pass over what Gemini says: where in it we are, and which member comes next.
#include "net/dialects/gemini_answer.hpp"

#include "net/json_tree.hpp"

namespace mainstay {

template <std::size_t Size>
gemini_reader::field gemini_reader::find_field(const named (&fields)[Size], std::string_view name) noexcept {
  for (auto& f : fields)
    if (f.name == name) return f.means;
  return field::other;
}

bool gemini_reader::read(std::string_view text) {
  candidates.clear();
  usage.reset();
  for (auto s : {&id, &model, &block_reason}) s->clear();
  error = known_ = false;
  prompt_ = tool_prompt_ = answer_ = thoughts_ = cached_ = 0;
  depth_ = 0;
  kept_ = nullptr;
  json_ = text;
  if (!json::read(text, *this) || !(known_ || error)) return false;
  for (auto& c : candidates) // whole answers are written over many lines
    for (auto& p : c.parts)
      if (p.what == gemini_part::kind::call && p.text.find('\n') != p.text.npos)
        if (auto args = json::parse(p.text)) p.text = json::to_text(*args);
  return true;
}

bool gemini_reader::key(std::string_view name) {
  static constexpr named of_root[] = {{"candidates", field::candidates}, {"usageMetadata", field::usage},
                                      {"modelVersion", field::model},    {"responseId", field::id},
                                      {"error", field::error},           {"promptFeedback", field::feedback}};
  static constexpr named of_candidate[] = {{"content", field::content},
                                           {"index", field::index},
                                           {"finishReason", field::finish_reason},
                                           {"finishMessage", field::finish_message},
                                           {"logprobsResult", field::logprobs}};
  static constexpr named of_content[] = {{"parts", field::parts}};
  static constexpr named of_part[] = {{"text", field::text},
                                      {"thought", field::thought},
                                      {"thoughtSignature", field::signature},
                                      {"functionCall", field::call},
                                      {"inlineData", field::blob}};
  static constexpr named of_call[] = {{"name", field::name}, {"args", field::args}, {"id", field::id}};
  static constexpr named of_blob[] = {{"mimeType", field::mime}, {"data", field::data}};
  static constexpr named of_feedback[] = {{"blockReason", field::block_reason}};
  static constexpr named of_usage[] = {{"promptTokenCount", field::prompt_tokens},
                                       {"candidatesTokenCount", field::answer_tokens},
                                       {"thoughtsTokenCount", field::thought_tokens},
                                       {"cachedContentTokenCount", field::cached_tokens},
                                       {"toolUsePromptTokenCount", field::tool_prompt_tokens}};
  switch (here()) {
  case place::root: field_ = find_field(of_root, name); break;
  case place::candidate: field_ = find_field(of_candidate, name); break;
  case place::content: field_ = find_field(of_content, name); break;
  case place::part: field_ = find_field(of_part, name); break;
  case place::call: field_ = find_field(of_call, name); break;
  case place::blob: field_ = find_field(of_blob, name); break;
  case place::feedback: field_ = find_field(of_feedback, name); break;
  case place::usage: field_ = find_field(of_usage, name); break;
  default: field_ = field::other;
  }
  return true;
}

bool gemini_reader::string(std::string_view text) {
  switch (here()) {
  case place::outside: return false;
  case place::root:
    if (field_ == field::id) id = text;
    if (field_ == field::model) model = text;
    error |= field_ == field::error && !text.empty();
    break;
  case place::candidate:
    if (field_ == field::finish_reason && text != "FINISH_REASON_UNSPECIFIED") candidates.back().finish_reason = text;
    if (field_ == field::finish_message) candidates.back().finish_message = text;
    break;
  case place::part:
    if (field_ == field::text) has_text_ = true, part().text = text;
    if (field_ == field::signature) part().signature = text;
    break;
  case place::call:
    if (field_ == field::name) part().name = text;
    if (field_ == field::id) part().id = text;
    break;
  case place::blob:
    if (field_ == field::mime) part().mime = text;
    if (field_ == field::data) part().text = text;
    break;
  case place::feedback:
    if (field_ == field::block_reason && text != "BLOCK_REASON_UNSPECIFIED") block_reason = text;
    break;
  default: break;
  }
  return true;
}

bool gemini_reader::number(std::string_view spelled) {
  if (here() == place::outside) return false;
  if (here() != place::usage && !(here() == place::candidate && field_ == field::index)) return true;
  const auto n = json::whole_number(spelled).value_or(0);
  switch (field_) {
  case field::index: candidates.back().index = n; break;
  case field::prompt_tokens: prompt_ = n; break;
  case field::tool_prompt_tokens: tool_prompt_ = n; break;
  case field::answer_tokens: answer_ = n; break;
  case field::thought_tokens: thoughts_ = n; break;
  case field::cached_tokens: cached_ = n; break;
  default: break;
  }
  return true;
}

bool gemini_reader::boolean(bool b) {
  if (here() == place::part && field_ == field::thought) is_thought_ = b;
  return here() != place::outside;
}

bool gemini_reader::begin_object() {
  switch (here()) {
  case place::outside: return enter(place::root);
  case place::root:
    error |= field_ == field::error;
    if (field_ == field::usage) return known_ = true, enter(place::usage);
    if (field_ == field::feedback) return known_ = true, enter(place::feedback);
    break;
  case place::candidates: return candidates.add().index = 0, enter(place::candidate);
  case place::candidate:
    if (field_ == field::content) return enter(place::content);
    break;
  case place::parts:
    candidates.back().parts.add();
    has_text_ = is_thought_ = has_call_ = has_blob_ = false;
    return enter(place::part);
  case place::part:
    if (field_ == field::call) return has_call_ = true, enter(place::call);
    if (field_ == field::blob) return has_blob_ = true, enter(place::blob);
    break;
  default: break;
  }
  return enter_elsewhere();
}

bool gemini_reader::begin_array() {
  if (here() == place::outside) return false;
  if (here() == place::root && field_ == field::candidates) return known_ = true, enter(place::candidates);
  if (here() == place::content && field_ == field::parts) return enter(place::parts);
  return enter_elsewhere();
}

/// Into what nobody asks about, or only as a whole.
bool gemini_reader::enter_elsewhere() {
  if (here() == place::call && field_ == field::args) kept_ = &part().text;
  if (here() == place::candidate && field_ == field::logprobs) kept_ = &candidates.back().logprobs;
  if (here() == place::call || here() == place::candidate) kept_from_ = at->Tell() - 1, kept_depth_ = depth_;
  return enter(place::elsewhere);
}

void gemini_reader::leave() {
  --depth_;
  if (!kept_ || depth_ != kept_depth_) return;
  kept_->assign(json_.substr(kept_from_, at->Tell() - kept_from_));
  kept_ = nullptr;
}

bool gemini_reader::end_object() {
  const auto left = here();
  leave();
  if (left == place::part) end_part();
  if (left == place::usage && (prompt_ || answer_ || thoughts_))
    usage = token_usage{prompt_ + tool_prompt_, answer_ + thoughts_, cached_, thoughts_};
  return true;
}

bool gemini_reader::end_array() { return leave(), true; }

void gemini_reader::end_part() {
  auto& p = part();
  if (has_call_) {
    p.what = gemini_part::kind::call;
    if (p.text.empty()) p.text = "{}";
  } else if (has_blob_) {
    p.what = gemini_part::kind::media;
  } else if ((has_text_ && !p.text.empty()) || (!p.signature.empty() && !is_thought_)) { // may be a signature alone
    p.what = is_thought_ ? gemini_part::kind::thought : gemini_part::kind::text;
  } else { // nothing, or code that ran there
    candidates.back().parts.drop_last();
  }
}

} // namespace mainstay
