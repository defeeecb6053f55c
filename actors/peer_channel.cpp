#include "actors/peer_channel.hpp"

#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::string_view before = "data: ", after = "\n\n";

} // namespace

peer_channel::peer_channel(guests_actor guests, request_id guest) : guests_(std::move(guests)), guest_(guest) {}

void peer_channel::add(words::guest_word w) {
  if (!closed_) words_.push_back(std::move(w));
}

void peer_channel::speak() {
  {
    std::lock_guard lock(guard_);
    if (closed_ || std::exchange(told_, true)) return;
  }
  tell(guests_, guest_speaks{guest_});
}

void peer_channel::reply(int status, header_list headers, bytes_ptr body) {
  {
    std::lock_guard lock(guard_);
    add({"run.reply", status, std::move(headers), "", *body});
  }
  speak();
}

void peer_channel::stream_head(header_list headers) {
  std::lock_guard lock(guard_);
  add({"run.head", 200, std::move(headers), "", ""}); // told with the first event
}

void peer_channel::stream_event(bytes_ptr json) {
  {
    std::lock_guard lock(guard_);
    if (closed_) return;
    if (words_.empty() || words_.back().kind != "run.events" || unread_.empty()) {
      words_.push_back({"run.events", 200, {}, "", ""});
      unread_.push_back({0, 0});
    }
    auto& body = words_.back().body;
    const auto size = before.size() + json->size() + after.size();
    body.append(before).append(*json).append(after);
    unread_.back().bytes += size;
    unread_.back().of_events += json->size();
  }
  speak();
}

void peer_channel::stream_end(bytes_ptr usage_json, header_list trailers) {
  {
    std::lock_guard lock(guard_);
    add({"run.end", 200, std::move(trailers), *usage_json, ""});
  }
  speak();
}

void peer_channel::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  {
    std::lock_guard lock(guard_);
    add({"run.error", status, std::move(trailers), "", *error_json});
  }
  speak();
}

void peer_channel::observe_progress(std::size_t, std::function<void(std::size_t)> written) {
  std::lock_guard lock(guard_);
  written_ = std::move(written);
}

std::vector<words::guest_word> peer_channel::take() {
  std::lock_guard lock(guard_);
  told_ = false;
  return std::exchange(words_, {});
}

void peer_channel::acknowledged(std::size_t bytes) {
  std::size_t read = 0;
  std::function<void(std::size_t)> written;
  {
    std::lock_guard lock(guard_);
    while (bytes > 0 && !unread_.empty()) {
      auto& first = unread_.front();
      const auto part = std::min(bytes, first.bytes);
      const auto events = part == first.bytes ? first.of_events : first.of_events * part / first.bytes;
      bytes -= part;
      read += events;
      first.bytes -= part;
      first.of_events -= events;
      if (first.bytes == 0) unread_.pop_front();
    }
    written = written_;
  }
  if (written && read > 0) written(read);
}

void peer_channel::close() {
  std::lock_guard lock(guard_);
  closed_ = true;
  words_.clear();
  unread_.clear();
}

} // namespace mainstay
