// Playing a stream event by event: pauses between tokens, and the faults of streams.
#include "tools/mock/exchange.hpp"
#include "tools/mock/http_text.hpp"

namespace mainstay::mock {
namespace {

constexpr std::size_t large_queue = 64 << 10;
constexpr std::string_view event_type = "text/event-stream; charset=utf-8";
constexpr std::string_view comment = ": processing\n\n";
constexpr std::string_view junk = "data: {\"id\":\"chatcmpl-\x01 this is not JSON\n\n";

// Does the stream break before this event?
bool breaks(const fault& f, event_stream::kind what, std::uint64_t tokens) {
  using kind = event_stream::kind;
  if (what == kind::opening) return false;
  switch (f.kind) {
  case fault_kind::cut:
  case fault_kind::stall:
  case fault_kind::error_in_stream: return what != kind::token || tokens >= f.after;
  case fault_kind::role_only_then_close: return true;
  case fault_kind::no_done: return what == kind::done;
  default: return false;
  }
}

std::string_view slice(const event_stream& events, std::size_t index) {
  auto begin = index ? events.events[index - 1].end : 0;
  return std::string_view(events.bytes).substr(begin, events.events[index].end - begin);
}

} // namespace

asio::awaitable<void> exchange::play_stream(const event_stream& events, const chat_call& call, std::string_view key) {
  static const fault healthy;
  auto& f = verdict_.what ? *verdict_.what : healthy;
  if (f.kind == fault_kind::drip) {
    std::uint64_t tokens = 0;
    for (auto& e : events.events) tokens += e.what == event_stream::kind::token;
    co_await play_drip(event_type, events.bytes, tokens);
    co_return;
  }
  bool paced = !verdict_.token_pause.none() || f.kind == fault_kind::slow_first_token;
  queue_head(200, event_type, {});
  if (f.comments) queue_event(comment);
  for (std::size_t i = 0; i < events.events.size(); ++i) {
    auto& e = events.events[i];
    auto bytes = slice(events, i);
    if (breaks(f, e.what, queued_tokens_)) {
      co_await break_stream(events, call, key);
      co_return;
    }
    if (f.kind == fault_kind::half_json && i + 1 == f.event) {
      queue_event(bytes.substr(0, bytes.size() / 2));
      break;
    }
    if (f.kind == fault_kind::junk && i + 1 == f.event) queue_event(junk);
    bool there = true;
    if (paced) there = co_await before_event(e, i);
    if (!there) co_return;
    queue_event(bytes);
    queued_tokens_ += e.what == event_stream::kind::token;
    if (queue_.size() <= large_queue) continue;
    there = co_await flush();
    if (!there) co_return;
  }
  end_stream();
  co_await flush();
}

// The pause an event waits out; false: the caller left meanwhile.
asio::awaitable<bool> exchange::before_event(const event_stream::event& e, std::size_t index) {
  bool token = e.what == event_stream::kind::token;
  if (verdict_.what && verdict_.what->kind == fault_kind::slow_first_token) {
    bool first = verdict_.what->role_first ? token && queued_tokens_ == 0 : index == 0;
    if (first) {
      bool there = co_await pause(milliseconds_of(verdict_.what->delay_ms));
      if (!there) co_return false;
    }
  }
  if (!token || verdict_.token_pause.none()) co_return true;
  // A token is due after the one before it was due, not after it left: streams that were late together once would else
  // stay together, and all tokens come in bursts.
  auto now = std::chrono::steady_clock::now();
  token_due_ = (queued_tokens_ == 0 ? now : token_due_) + verdict_.token_pause.draw(verdict_.random);
  bool there = co_await pause(token_due_ - now);
  co_return there;
}

asio::awaitable<void> exchange::break_stream(const event_stream& events, const chat_call& call, std::string_view key) {
  auto& f = *verdict_.what;
  bool there = true;
  switch (f.kind) {
  case fault_kind::cut:
    there = co_await flush();
    if (there) drop(f.rst);
    co_return;
  case fault_kind::stall: co_await stay_silent(); co_return;
  case fault_kind::no_done:
    if (!f.close) {
      co_await stay_silent();
      co_return;
    }
    break;
  case fault_kind::error_in_stream:
    if (f.comments) queue_event(comment);
    queue_event(dialect_.error_event(f.body ? *f.body : dialect_.error_body(f.status, call.model, key)));
    if (f.done) queue_event(slice(events, events.events.size() - 1));
    break;
  default: break;
  }
  end_stream();
  there = co_await flush();
  if (!there) co_return;
  if (f.close || f.kind == fault_kind::role_only_then_close) drop(false);
}

void exchange::queue_event(std::string_view bytes) {
  if (chunked_)
    append_chunk(queue_, bytes);
  else
    queue_ += bytes;
}

void exchange::end_stream() {
  if (chunked_) queue_ += "0\r\n\r\n";
}

} // namespace mainstay::mock
