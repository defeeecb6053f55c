#include "net/stream_relay.hpp"

namespace mainstay {

namespace {

constexpr std::size_t hold_limit = 1u << 20; // of chunks before the first visible one
constexpr std::uint64_t junk_limit = 100;    // events that are no chunk: beyond that it is no answer

} // namespace

stream_relay::stream_relay(stream_memory& memory, request asked)
  : memory_(memory), asked_(asked), continuing_(memory.begun) {
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
  if (state_ == state::failed || state_ == state::complete) return state_;
  auto ok = parser_.feed(*piece, [&](std::string_view, std::string_view data) {
    if (state_ != state::failed && state_ != state::complete) event(data, to);
  });
  if (!ok && state_ != state::complete) fail(failure_class::malformed, "the provider sent an endless line");
  return state_;
}

stream_relay::state stream_relay::finish(const sink& to) {
  if (state_ == state::failed || state_ == state::complete) return state_;
  parser_.finish([&](std::string_view, std::string_view data) {
    if (state_ != state::failed && state_ != state::complete) event(data, to);
  });
  if (state_ == state::finished) state_ = state::complete;
  if (state_ == state::going) {
    if (saw_visible_ || memory_.begun)
      fail(failure_class::truncated, "the provider's stream ended in the middle of the answer");
    else
      fail(failure_class::malformed, "the provider's stream ended without an answer");
  }
  return state_;
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
  saw_visible_ |= facts.visible;
  finishes_ += facts.finishes;

  bool only_usage = facts.no_choices && facts.usage;
  if (!only_usage || asked_.wants_usage) {
    if (continuing_)
      splice(data, facts, to);
    else
      pass_on(data, facts, to);
  } else {
    to.emit(make_bytes(std::string(data)), false);
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
    announced_ = true;
    memory_.begun = true;
    memory_.id = facts.id;
    memory_.model = facts.model;
    to.first();
    for (auto& h : held_) to.emit(std::move(h), true);
    held_.clear();
  }
  if (facts.visible) {
    if (asked_.continuable && facts.only_text)
      memory_.text += facts.text;
    else
      memory_.text_only = false;
  }
  to.emit(std::move(json), true);
}

void stream_relay::splice(std::string_view data, chunk_facts& facts, const sink& to) {
  auto& sent = memory_.text;
  auto begin = [&] {
    if (!announced_) {
      announced_ = true;
      to.first();
    }
  };
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
      begin();
      to.emit(make_bytes(adopt_chunk(data, memory_.id, memory_.model, text)), true);
      sent.append(text);
      matched_ = sent.size();
    } else if (facts.finished) {
      differ("another attempt gave a shorter answer");
    }
    return;
  }
  if (!facts.visible && !facts.finished && !facts.no_choices) return; // its role chunk: the caller has one
  begin();
  to.emit(make_bytes(adopt_chunk(data, memory_.id, memory_.model, std::nullopt)), true);
  if (facts.visible) {
    if (facts.only_text)
      sent += facts.text;
    else
      memory_.text_only = false;
    matched_ = sent.size();
  }
}

} // namespace mainstay
