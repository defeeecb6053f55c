// One pass over JSON text: RapidJSON's SAX reader over a stream of our own, without copies or heap (but for strings
// that contain escapes). Promises: RFC 8259 and UTF-8 strictly, the whole text is one value, nesting at most 128: a
// deeper bracket ends the pass before the reader descends into it, so its recursion (a third faster than its iterative
// mode) is bounded. What events mean is left to the handler.
#pragma once

#include "net/json_text.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::json {

inline constexpr int depth_limit = 128;

/// RapidJSON's stream concept. Its "in-situ" hooks (PutBegin, Put, PutEnd) announce every string, and are used here to
/// skip plain runs by words instead of bytes; nothing is ever written into the text. A string without escapes is a view
/// into the text.
class source {
public:
  using Ch = char;
  explicit source(std::string_view text) noexcept : begin_(text.data()), end_(begin_ + text.size()), at_(begin_) {}

  char Peek() const noexcept { return at_ != end_ ? *at_ : '\0'; }
  char Take() noexcept { return at_ != end_ ? *at_++ : '\0'; }
  std::size_t Tell() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  char* PutBegin() noexcept {
    string_begin_ = at_;
    at_ = run_end_ = plain_run(at_, end_);
    escaped_ = false;
    return nullptr; // handlers read text() instead
  }
  void Put(char c) {
    if (!escaped_) {
      if (at_ == run_end_ + 1 && *run_end_ == '"') return; // the terminator behind the closing quote of a plain string
      escaped_ = true;
      decoded_.assign(string_begin_, run_end_);
    }
    // RapidJSON refuses the first half of a pair that stands alone, but not the second.
    if ((static_cast<unsigned char>(c) & 0xe0) == 0xa0 && !decoded_.empty() && decoded_.back() == '\xed')
      lone_surrogate_ = true;
    decoded_ += c;
    // Only an ASCII character is a whole one; the terminator ('\0') must not run on behind the closing quote.
    if (static_cast<unsigned char>(c) - 1u < 0x7f) {
      auto run = plain_run(at_, end_);
      decoded_.append(at_, run);
      at_ = run;
    }
  }
  std::size_t PutEnd(char*) const noexcept { return text().size() + 1; }
  void Flush() noexcept {}

  /// The string just read, unescaped; valid during its event.
  std::string_view text() const noexcept {
    if (escaped_) return {decoded_.data(), decoded_.size() - 1};
    return {string_begin_, static_cast<std::size_t>(run_end_ - string_begin_)};
  }
  /// An escape in this text stands for half a character: the string is no Unicode.
  bool lone_surrogate() const noexcept { return lone_surrogate_; }
  /// The number just read, as it is spelled.
  std::string_view number() const noexcept {
    auto from = at_;
    auto belongs = [](char c) {
      return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
    };
    while (from != begin_ && belongs(from[-1])) --from;
    return {from, static_cast<std::size_t>(at_ - from)};
  }
  /// Where the string just read begins, with its quote. It ends at Tell().
  std::size_t string_begin() const noexcept { return static_cast<std::size_t>(string_begin_ - begin_) - 1; }
  bool at_end() const noexcept { return at_ == end_; }

private:
  const char *begin_, *end_, *at_;
  const char *string_begin_ = nullptr, *run_end_ = nullptr;
  bool escaped_ = false, lone_surrogate_ = false;
  std::string decoded_;
};

/// Events, to be hidden by the handlers that care. False ends the pass. `at->Tell()` is just behind the string, number,
/// literal or bracket.
struct handler {
  const source* at = nullptr;
  bool key(std::string_view) { return true; }
  bool string(std::string_view) { return true; }
  bool number(std::string_view) { return true; }
  bool boolean(bool) { return true; }
  bool null() { return true; }
  bool begin_object() { return true; }
  bool end_object() { return true; }
  bool begin_array() { return true; }
  bool end_array() { return true; }
};

enum class outcome : std::uint8_t { complete, stopped, empty, cut_off, too_deep, not_utf8, syntax };

/// How a pass ended. `reason` is a constant sentence, never a piece of the text.
struct result {
  outcome what = outcome::complete;
  std::size_t offset = 0;
  const char* reason = "";
  explicit operator bool() const noexcept { return what == outcome::complete; }
};

namespace detail {

template <class Handler>
struct events {
  using Ch = char;
  const source& in;
  Handler& to;
  int depth = 0;

  bool Key(const char*, rapidjson::SizeType, bool) { return to.key(in.text()); }
  bool String(const char*, rapidjson::SizeType, bool) { return to.string(in.text()); }
  bool Null() { return to.null(); }
  bool Bool(bool b) { return to.boolean(b); }
  bool Int(int) { return to.number(in.number()); }
  bool Uint(unsigned) { return to.number(in.number()); }
  bool Int64(std::int64_t) { return to.number(in.number()); }
  bool Uint64(std::uint64_t) { return to.number(in.number()); }
  bool Double(double) { return to.number(in.number()); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return to.number(in.number()); }
  bool StartObject() { return ++depth <= depth_limit && to.begin_object(); }
  bool StartArray() { return ++depth <= depth_limit && to.begin_array(); }
  bool EndObject(rapidjson::SizeType) { return --depth, to.end_object(); }
  bool EndArray(rapidjson::SizeType) { return --depth, to.end_array(); }
};

inline result failed(rapidjson::ParseErrorCode code, std::size_t offset, const source& in, bool too_deep) {
  if (too_deep) return {outcome::too_deep, offset, "nested too deeply"};
  if (code == rapidjson::kParseErrorTermination) return {outcome::stopped, offset, "stopped by its reader"};
  if (code == rapidjson::kParseErrorStringInvalidEncoding) return {outcome::not_utf8, offset, "not UTF-8"};
  if (code == rapidjson::kParseErrorDocumentEmpty && in.at_end()) return {outcome::empty, offset, "empty"};
  if (code != rapidjson::kParseErrorDocumentRootNotSingular && in.at_end())
    return {outcome::cut_off, offset, "ends in the middle"};
  if (code == rapidjson::kParseErrorStringMissQuotationMark)
    return {outcome::syntax, offset, "A NUL byte stands in a string."};
  return {outcome::syntax, offset, rapidjson::GetParseError_En(code)};
}

} // namespace detail

/// Reads `text` once. Not reentrant: a handler must not start another pass.
template <class Handler>
result read(std::string_view text, Handler& handler) {
  constexpr unsigned flags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseInsituFlag;
  if (text.size() >= UINT32_MAX) return {outcome::syntax, 0, "larger than 4 GiB"}; // RapidJSON counts in 32 bits
  thread_local rapidjson::Reader reader;
  source in(text);
  handler.at = &in;
  detail::events<Handler> events{in, handler};
  auto parsed = reader.Parse<flags>(in, events);
  handler.at = nullptr;
  if (parsed.IsError()) return detail::failed(parsed.Code(), parsed.Offset(), in, events.depth > depth_limit);
  // RapidJSON takes a NUL byte for the end.
  if (!in.at_end()) return {outcome::syntax, in.Tell(), "The document root must not be followed by other values."};
  return {};
}

} // namespace mainstay::json
