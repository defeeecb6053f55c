// Faults that need no answer, and those of a plain one.
#include "tools/mock/exchange.hpp"
#include "tools/mock/http_text.hpp"

#include <algorithm>

namespace mainstay::mock {
namespace {

constexpr std::uint64_t endless_bytes = 256ull << 20; // unless the script says otherwise
constexpr std::size_t block = 64 << 10;

constexpr std::string_view html_page = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head>\n"
                                       "<body><h1>It works!</h1><p>This is not the API.</p></body></html>\n";

std::string endless_header_block() {
  std::string lines;
  while (lines.size() < block) lines += "x-endless: " + std::string(1000, 'a') + "\r\n";
  return lines;
}

} // namespace

asio::awaitable<bool> exchange::play_fault(const chat_call& call, std::string_view key) {
  auto& f = *verdict_.what;
  auto event_type = call.stream ? std::string_view("text/event-stream") : "application/json";
  switch (f.kind) {
  case fault_kind::reset: drop(true); co_return true;
  case fault_kind::close: drop(false); co_return true;
  case fault_kind::silence: co_await stay_silent(); co_return true;
  case fault_kind::status: {
    auto body = f.body ? *f.body : dialect_.error_body(f.status, call.model, key);
    if (f.close) keep_alive_ = false;
    co_await send_answer(f.status, "application/json", body);
    co_return true;
  }
  case fault_kind::named_error: {
    auto known = dialect_.named_error(f.name, call.model, key).value_or(wire_error{500, "{}"});
    auto body = f.body ? *f.body : known.body;
    auto status = f.status ? f.status : known.status;
    const bool event = status == 200 && call.stream; // a refusal that is no error there
    if (event) body = dialect_.error_event(body);
    co_await send_answer(status, event ? event_type : "application/json", body);
    co_return true;
  }
  case fault_kind::html: {
    auto body = f.body ? *f.body : std::string(html_page);
    co_await send_answer(200, "text/html; charset=utf-8", body);
    co_return true;
  }
  case fault_kind::empty: co_await send_answer(200, event_type, ""); co_return true;
  case fault_kind::endless_headers: co_await play_endless_headers(); co_return true;
  case fault_kind::endless_line: co_await play_endless_line(call.stream); co_return true;
  case fault_kind::slow_first_token: { // of a stream: after its head
    if (call.stream) co_return false;
    bool there = co_await pause(milliseconds_of(f.delay_ms));
    co_return !there;
  }
  case fault_kind::error_in_stream: {
    if (call.stream) co_return false;
    auto body = f.body ? *f.body : dialect_.error_body(f.status, call.model, key);
    co_await send_answer(200, event_type, body);
    co_return true;
  }
  default: co_return false;
  }
}

asio::awaitable<void> exchange::play_plain(std::string body, std::uint64_t tokens) {
  auto kind = verdict_.what ? verdict_.what->kind : fault_kind::none;
  constexpr std::string_view json = "application/json";
  switch (kind) {
  case fault_kind::cut: co_await play_part(body, tokens, true); co_return;
  case fault_kind::stall: co_await play_part(body, tokens, false); co_return;
  case fault_kind::drip: co_await play_drip(json, body, tokens); co_return;
  case fault_kind::half_json:
    co_await send_answer(200, json, std::string_view(body).substr(0, body.size() / 2));
    co_return;
  case fault_kind::junk: co_await send_answer(200, json, "upstream says: this is not JSON"); co_return;
  default: break;
  }
  queued_tokens_ = tokens;
  co_await send_answer(200, json, body);
}

// As much of the body as `after` is of its tokens, under the whole one's length; never all of it.
asio::awaitable<void> exchange::play_part(std::string_view body, std::uint64_t tokens, bool then_drop) {
  auto& f = *verdict_.what;
  auto share = tokens ? static_cast<double>(std::min(f.after, tokens)) / static_cast<double>(tokens) : 0.5;
  auto part = std::min(body.size() - 1, static_cast<std::size_t>(share * static_cast<double>(body.size())));
  queue_head(200, "application/json", body.size());
  queue_ += body.substr(0, part);
  queued_tokens_ = std::min(f.after, tokens);
  if (!then_drop) {
    co_await stay_silent();
    co_return;
  }
  bool there = co_await flush();
  if (there) drop(f.rst);
}

asio::awaitable<void> exchange::play_drip(std::string_view content_type, std::string_view bytes, std::uint64_t tokens) {
  auto& f = *verdict_.what;
  auto step = static_cast<std::size_t>(std::min<std::uint64_t>(f.bytes.value_or(1), block));
  auto gap = milliseconds_of(f.delay_ms);
  queue_head(200, content_type, bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    bool there = co_await pause(gap);
    if (!there) co_return;
    queue_ += bytes.substr(at, step);
    if (queue_.size() <= block) continue;
    there = co_await flush();
    if (!there) co_return;
  }
  queued_tokens_ = tokens;
  co_await flush();
}

asio::awaitable<void> exchange::play_endless_headers() {
  peer_.watch();
  ending_.status = 200;
  queue_ = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
  auto lines = endless_header_block();
  auto most = verdict_.what->bytes.value_or(endless_bytes);
  for (std::uint64_t sent = 0; sent < most; sent += lines.size()) {
    queue_ += lines;
    bool there = co_await flush();
    if (!there) co_return;
  }
  drop(false);
}

asio::awaitable<void> exchange::play_endless_line(bool stream) {
  peer_.watch();
  queue_head(200, stream ? "text/event-stream" : "application/json", {});
  queue_event(stream ? "data: {\"id\":\"" : "{\"id\":\"");
  const std::string filler(block, 'a');
  auto most = verdict_.what->bytes.value_or(endless_bytes);
  for (std::uint64_t sent = 0; sent < most; sent += filler.size()) {
    queue_event(filler);
    bool there = co_await flush();
    if (!there) co_return;
  }
  drop(false);
}

} // namespace mainstay::mock
