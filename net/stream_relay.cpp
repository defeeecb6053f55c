#include "net/stream_relay.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t hold_limit = 1u << 20; // of chunks before the first visible one
constexpr std::uint64_t junk_limit = 100;    // events that are no chunk: beyond that it is no answer
constexpr std::size_t token_piece = 16;      // bytes: no token is longer on average
constexpr std::size_t anew_proof = 48; // bytes like the answer's beginning: nobody goes on with a text by repeating it

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

} // namespace

std::uint64_t tokens_streamed(std::size_t bytes, std::uint64_t pieces) noexcept {
  return bytes > pieces * token_piece ? bytes / 4 + 1 : pieces;
}

stream_relay::stream_relay(stream_memory& memory, request asked, std::unique_ptr<answer_translator> translator)
  : memory_(memory), asked_(asked), continuing_(memory.begun), undecided_(memory.begun && asked.prefilled > 0),
    translator_(std::move(translator)) {
  if (continuing_ && !(asked_.continuable && memory_.text_only))
    fail(failure_class::truncated, "this answer cannot be continued after a part of it was sent");
}

void stream_relay::differ(std::string message) {
  differs_ = true;
  fail(failure_class::malformed, std::move(message));
}

void stream_relay::fail(failure_class what, std::string message) {
  state_ = state::failed;
  failure_.what = what;
  failure_.said.message = std::move(message);
}

stream_relay::state stream_relay::feed(bytes_ptr piece, const sink& to) {
  if (over()) return state_;
  auto ok = parser_.feed(*piece, [&](std::string_view type, std::string_view data) { hear(type, data, to); });
  if (!ok && state_ != state::complete) fail(failure_class::malformed, "the provider sent an endless line");
  return state_;
}

stream_relay::state stream_relay::finish(const sink& to) {
  if (over()) return state_;
  parser_.finish([&](std::string_view type, std::string_view data) { hear(type, data, to); });
  if (translator_ && !over())
    translator_->end([&](std::string_view data) {
      if (!over()) event(data, to);
    });
  if (over()) return state_;
  if (state_ == state::finished) state_ = state::complete;
  if (state_ == state::going) {
    if (saw_visible_ || memory_.begun)
      fail(failure_class::truncated, "the provider's stream ended in the middle of the answer");
    else
      fail(failure_class::malformed, "the provider's stream ended without an answer");
  }
  return state_;
}

void stream_relay::hear(std::string_view type, std::string_view data, const sink& to) {
  if (over()) return;
  if (!translator_) return event(data, to);
  translator_->event(type, data, [&](std::string_view chunk) {
    if (!over()) event(chunk, to);
  });
}

void stream_relay::event(std::string_view data, const sink& to) {
  if (data == "[DONE]") {
    if (finishes_ >= asked_.choices)
      state_ = state::complete;
    else if (saw_visible_)
      fail(failure_class::truncated, "the provider ended the stream before it finished the answer");
    else
      fail(failure_class::malformed, "the provider's stream held no answer");
    return;
  }
  auto facts = read_chunk(data);
  if (facts.error) {
    state_ = state::failed;
    failure_.what = classify(*facts.error);
    failure_.said = std::move(*facts.error);
    return;
  }
  if (!facts.valid) {
    if (++junk_ > junk_limit) fail(failure_class::malformed, "the provider's stream is no chat completion");
    return;
  }
  if (facts.usage) usage_ = facts.usage;
  text_bytes_ += facts.text.size();
  pieces_ += facts.visible;
  saw_visible_ |= facts.visible;
  finishes_ += facts.finishes;

  bool only_usage = facts.no_choices && facts.usage;
  if (!only_usage || asked_.wants_usage) {
    if (undecided_)
      join(data, facts, to);
    else if (continuing_)
      splice(data, facts, to);
    else
      pass_on(data, facts, to);
  } else {
    to.emit(continuing_ ? adopted(data, std::nullopt) : make_bytes(std::string(data)), false);
  }
  if (state_ == state::failed) return;
  saw_usage_chunk_ |= only_usage;
  if (finishes_ >= asked_.choices) state_ = saw_usage_chunk_ ? state::complete : state::finished;
}

void stream_relay::pass_on(std::string_view data, chunk_facts& facts, const sink& to) {
  auto json = make_bytes(std::string(data));
  if (!announced_ && !facts.visible && !facts.finished) {
    held_bytes_ += data.size();
    if (held_bytes_ > hold_limit) return fail(failure_class::malformed, "the provider's stream holds no answer");
    held_.push_back(std::move(json));
    return;
  }
  if (!announced_) {
    memory_.begun = true;
    memory_.id = facts.id;
    memory_.model = facts.model;
    announce(to);
    for (auto& h : held_) to.emit(std::move(h), true);
    held_.clear();
  }
  if (facts.visible) remember(facts.text, facts);
  to.emit(std::move(json), true);
}

void stream_relay::announce(const sink& to) {
  if (!std::exchange(announced_, true)) to.first();
}

bytes_ptr stream_relay::adopted(std::string_view data, std::optional<std::string_view> text) const {
  return make_bytes(adopt_chunk(data, memory_.id, memory_.model, text, memory_.before));
}

/// What the caller gets is the basis of a continuation.
void stream_relay::remember(std::string_view text, const chunk_facts& facts) {
  if (asked_.continuable && facts.only_text) {
    memory_.text += text;
    ++memory_.pieces;
  } else {
    memory_.text_only = false;
  }
}

void stream_relay::splice(std::string_view data, chunk_facts& facts, const sink& to) {
  auto& sent = memory_.text;
  if (matched_ < sent.size()) {
    if (facts.visible) {
      if (!facts.only_text) return differ("another attempt gave another answer");
      std::string_view text = facts.text;
      auto overlap = std::min(text.size(), sent.size() - matched_);
      if (std::string_view(sent).substr(matched_, overlap) != text.substr(0, overlap))
        return differ("another attempt gave another answer");
      matched_ += overlap;
      if (matched_ < sent.size() && !facts.finished) return;
      if (matched_ < sent.size()) return differ("another attempt gave a shorter answer");
      text.remove_prefix(overlap);
      if (text.empty() && !facts.finished) return;
      announce(to);
      to.emit(adopted(data, text), true);
      if (!text.empty()) remember(text, facts);
      matched_ = sent.size();
    } else if (facts.finished) {
      differ("another attempt gave a shorter answer");
    }
    return;
  }
  if (!facts.visible && !facts.finished && !facts.no_choices) return; // its role chunk: the caller has one
  announce(to);
  to.emit(adopted(data, std::nullopt), true);
  if (facts.visible) remember(facts.text, facts);
  matched_ = sent.size();
}

/// The first words after a prefill: some targets accept it and begin anew all the same.
void stream_relay::join(std::string_view data, chunk_facts& facts, const sink& to) {
  if (facts.visible && !facts.only_text) return differ("another attempt gave another answer");
  lead_ += facts.text;
  lead_pieces_ += facts.visible;
  std::string_view sent = memory_.text, left_out = sent.substr(asked_.prefilled), text = lead_;
  auto proof = std::min(sent.size(), anew_proof);
  bool like_the_beginning = common_prefix(lead_, sent) == std::min(lead_.size(), sent.size());
  bool blank_so_far = left_out.starts_with(lead_);
  if (!facts.finished && (blank_so_far || (like_the_beginning && lead_.size() < proof))) return; // cannot be told yet
  undecided_ = false;
  if (like_the_beginning && lead_.size() >= proof) {
    ignored_prefill_ = true;
    facts.visible = true;
    facts.text = std::move(lead_);
    return splice(data, facts, to);
  }
  // The blanks at the end of what was sent were not part of the prefill: many providers refuse it with them.
  text.remove_prefix(common_prefix(text, left_out));
  announce(to);
  to.emit(adopted(data, text), true);
  memory_.text += text;
  memory_.pieces += lead_pieces_;
  matched_ = memory_.text.size();
}

} // namespace mainstay
