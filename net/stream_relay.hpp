// From a provider's streamed answer to the caller's: takes bytes as they come, gives back the events to pass on, and
// says when the answer is complete or broken. Holds back everything before the first visible piece, so that an attempt
// that fails until then leaves no trace; skips junk; keeps the usage chunk from callers who did not ask; and makes an
// answer begun elsewhere whole, if this attempt goes on with it (asked by prefill) or reproduces what was already sent.
// Pure but for the bytes it keeps: no sockets, no time.
#pragma once

#include "net/chat_answer.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/sse.hpp"

#include <functional>

namespace mainstay {

/// What the caller of a stream has already got. Outlives attempts (and runs): kept with the request.
struct stream_memory {
  bool begun = false;          // something visible was passed on
  bool text_only = true;       // and all of it is in `text`: the stream may be continued by another attempt
  std::string text, id, model; // of the stream the caller reads
  std::uint64_t pieces = 0;    // that `text` came in
  token_usage before;          // of the attempts that gave a part of it and ended

  /// Of the text, as far as can be told.
  std::uint64_t tokens() const noexcept;
};

/// Most providers stream a piece per token. Where the pieces are large, a token is taken for four bytes.
std::uint64_t tokens_streamed(std::size_t bytes, std::uint64_t pieces) noexcept;
inline std::uint64_t stream_memory::tokens() const noexcept { return tokens_streamed(text.size(), pieces); }

class stream_relay {
public:
  struct request {
    bool continuable = true;  // one choice of plain text: it is remembered, so that another attempt may go on
    bool wants_usage = false; // the caller asked for it
    std::uint32_t choices = 1;
    std::size_t prefilled = 0; // bytes of the memory's text that the provider was given to go on with; 0: none
  };
  /// `translator`: of a provider's that speaks another dialect.
  stream_relay(stream_memory& memory, request, std::unique_ptr<answer_translator> translator = nullptr);

  enum class state : std::uint8_t { going, finished, complete, failed };
  /// finished: every choice ended, only the usage is missing; complete: nothing more is needed; failed: see failure().
  /// `emit` gets each event (JSON, in order) and whether it is for the caller: the usage nobody asked for is not.
  /// `first` is called once, before the first visible event of this attempt.
  struct sink {
    std::function<void()> first;
    std::function<void(bytes_ptr json, bool for_caller)> emit;
  };
  state feed(bytes_ptr piece, const sink& to);
  /// The provider's bytes ended. Complete or failed afterwards.
  state finish(const sink& to);

  state current() const noexcept { return state_; }
  /// Why it failed: truncated, malformed, or the class of an error object in the stream.
  const failure& failed_with() const noexcept { return failure_; }
  const std::optional<token_usage>& usage() const noexcept { return usage_; }
  /// This attempt is sound, but not the answer that was begun: nobody's fault, and no use asking for it again.
  bool differs() const noexcept { return differs_; }
  std::uint64_t junk_events() const noexcept { return junk_; }
  /// It was given the beginning to go on with, and began anew.
  bool ignored_prefill() const noexcept { return ignored_prefill_; }
  /// Tokens of this attempt's text, passed on or not: the provider's word, or an estimate.
  std::uint64_t tokens() const noexcept { return usage_ ? usage_->output : tokens_streamed(text_bytes_, pieces_); }
  bool saw_visible() const noexcept { return saw_visible_; }
  /// A part of what the caller has came from this attempt.
  bool contributed() const noexcept { return announced_; }

private:
  bool over() const noexcept { return state_ == state::failed || state_ == state::complete; }
  void hear(std::string_view type, std::string_view data, const sink& to);
  void event(std::string_view data, const sink& to);
  void pass_on(std::string_view data, chunk_facts& facts, const sink& to);
  void splice(std::string_view data, chunk_facts& facts, const sink& to);
  void join(std::string_view data, chunk_facts& facts, const sink& to);
  void announce(const sink& to);
  bytes_ptr adopted(std::string_view data, std::optional<std::string_view> text) const;
  void remember(std::string_view text, const chunk_facts& facts);
  void fail(failure_class what, std::string message);
  void differ(std::string message);

  stream_memory& memory_;
  request asked_;
  state state_ = state::going;
  bool continuing_; // began with text already sent
  bool undecided_;  // was given a prefill: does it go on, or begin anew?
  bool announced_ = false, differs_ = false, ignored_prefill_ = false;
  bool saw_visible_ = false, saw_usage_chunk_ = false;
  std::uint32_t finishes_ = 0; // choices that ended
  std::size_t text_bytes_ = 0;
  std::uint64_t pieces_ = 0;
  sse_parser parser_;
  std::unique_ptr<answer_translator> translator_;
  std::string lead_; // what it said so far, while undecided
  std::uint64_t lead_pieces_ = 0;
  std::size_t matched_ = 0; // of memory_.text, reproduced so far
  std::vector<bytes_ptr> held_;
  std::size_t held_bytes_ = 0;
  failure failure_;
  std::optional<token_usage> usage_;
  std::uint64_t junk_ = 0;
};

} // namespace mainstay
