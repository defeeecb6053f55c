// What Gemini answers, read: one SAX pass over a whole answer or one event of a stream. The pieces keep their memory
// from one event to the next, because a stream is a thousand small ones. What becomes of the pieces is left to
// gemini_completion and gemini_stream.
#pragma once

#include "core/token_usage.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/json_reader.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// A list whose elements keep their memory when it is emptied. T has clear().
template <class T>
class reused_list {
public:
  T& add() {
    if (used_ == all_.size()) all_.emplace_back();
    all_[used_].clear();
    return all_[used_++];
  }
  void drop_last() noexcept { --used_; }
  void clear() noexcept { used_ = 0; }
  bool empty() const noexcept { return used_ == 0; }
  T& back() noexcept { return all_[used_ - 1]; }
  T* begin() noexcept { return all_.data(); }
  T* end() noexcept { return all_.data() + used_; }
  const T* begin() const noexcept { return all_.data(); }
  const T* end() const noexcept { return all_.data() + used_; }

private:
  std::vector<T> all_;
  std::size_t used_ = 0;
};

struct gemini_part {
  enum class kind : std::uint8_t { text, thought, call, media };
  kind what = kind::text;
  std::string text;                // of a call its arguments: a JSON object; of media base64
  std::string name, id, signature; // of a call, the signature also of a text; id and signature empty where it has none
  std::string mime;                // of media
  void clear() noexcept {
    for (auto s : {&text, &name, &id, &signature, &mime}) s->clear();
  }
};

struct gemini_candidate {
  std::uint64_t index = 0;
  reused_list<gemini_part> parts;
  std::string finish_reason, finish_message; // empty while it goes on
  std::string logprobs;                      // logprobsResult: JSON, or empty
  void clear() noexcept {
    parts.clear();
    for (auto s : {&finish_reason, &finish_message, &logprobs}) s->clear();
  }
};

class gemini_reader : public json::handler {
public:
  /// False: this is no answer of Gemini's.
  bool read(std::string_view json);

  // What was read; valid until the next one is.
  reused_list<gemini_candidate> candidates;
  std::optional<token_usage> usage; // so far
  std::string id, model;            // responseId, modelVersion
  std::string block_reason;         // why the prompt was refused
  bool error = false;               // {"error":…} in place of an answer

  bool key(std::string_view name);
  bool string(std::string_view text);
  bool number(std::string_view spelled);
  bool boolean(bool b);
  bool null() { return here() != place::outside; }
  bool begin_object();
  bool end_object();
  bool begin_array();
  bool end_array();

private:
  enum class place : std::uint8_t {
    outside,
    root,
    candidates,
    candidate,
    content,
    parts,
    part,
    call,
    blob,
    usage,
    feedback,
    elsewhere
  };
  enum class field : std::uint8_t {
    other,
    candidates,
    usage,
    feedback,
    error,
    id,
    model,
    index,
    content,
    finish_reason,
    finish_message,
    logprobs,
    parts,
    text,
    thought,
    signature,
    call,
    blob,
    name,
    args,
    mime,
    data,
    block_reason,
    prompt_tokens,
    tool_prompt_tokens,
    answer_tokens,
    thought_tokens,
    cached_tokens
  };
  struct named {
    std::string_view name;
    field means;
  };
  template <std::size_t Size>
  static field find_field(const named (&fields)[Size], std::string_view name) noexcept;

  place here() const noexcept { return places_[depth_]; }
  bool enter(place p) { return places_[++depth_] = p, true; }
  bool enter_elsewhere();
  void leave();
  void end_part();
  gemini_part& part() { return candidates.back().parts.back(); }

  std::array<place, json::depth_limit + 1> places_{place::outside};
  std::size_t depth_ = 0;
  field field_ = field::other;
  bool known_ = false; // something that only such an answer has
  bool has_text_ = false, is_thought_ = false, has_call_ = false, has_blob_ = false;
  std::string_view json_;
  std::string* kept_ = nullptr; // gets the value that ends at depth kept_depth_, as JSON
  std::size_t kept_from_ = 0, kept_depth_ = 0;
  std::uint64_t prompt_ = 0, tool_prompt_ = 0, answer_ = 0, thoughts_ = 0, cached_ = 0;
};

/// Why a candidate ended, in OpenAI's words: stop, length or content_filter. Empty: for a reason that leaves no answer
/// (a malformed call, or one that nobody knows): the attempt failed.
std::string_view gemini_finish(std::string_view reason) noexcept;
/// {"error":{...}} for an answer that failed: a prompt that was refused, or a candidate without an answer. Empty: it
/// did not.
std::string gemini_failure(const gemini_reader&);

/// How the answer is named: as Gemini does, else by the label. Calls without an id get one that no other answer gives.
class gemini_names {
public:
  gemini_names(const answer_label&, const gemini_reader& first, std::string_view object);
  /// An open JSON object with id, object, created and model.
  const std::string& head() const noexcept { return head_; }
  void append_call_id(std::string& out, const gemini_part& call, std::uint64_t candidate, std::uint64_t number) const;

private:
  std::string head_, call_prefix_;
};

/// Members of a tool call, without the braces.
void append_call(std::string& out, const gemini_names&, const gemini_part& call, std::uint64_t candidate,
                 std::uint64_t number);
/// As a member after others; nothing where there is none.
void append_signature(std::string& out, std::string_view signature);
/// Members of an element of `images`, as the field writes generated ones: their data in a URL.
void append_image(std::string& out, const gemini_part& media);
/// OpenAI's logprobs; "null" where there are none.
void append_logprobs(std::string& out, std::string_view logprobs_result);

} // namespace mainstay
