// A caller of the message-queue door, for tests: remembers what it is told.
#pragma once

#include "net/chat_answer.hpp"
#include "net/zmq_server.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace mainstay::test {

/// What a caller hears, one line each; may be told from the journal's thread.
class heard final : public mq::response {
public:
  void accepted(header_list, bytes_ptr) override { add("accepted"); }
  void reply(int status, header_list headers, bytes_ptr body) override {
    add(std::to_string(status) + " " + read_error(status, headers, *body, {}).code);
    std::lock_guard lock(guard_);
    headers_ = std::move(headers);
  }
  void stream_head(header_list) override { add("head"); }
  void stream_event(bytes_ptr) override { add("event"); }
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr, header_list) override { add("end"); }
  void stream_error(int status, bytes_ptr, header_list) override { add("broken " + std::to_string(status)); }
  void observe_progress(std::size_t, std::function<void(std::size_t)>) override {}
  void on_caller_left(std::function<void()>) override {}
  void on_cancel(std::function<void()>) override {}

  std::vector<std::string> lines() const {
    std::lock_guard lock(guard_);
    return lines_;
  }
  header_list headers() const {
    std::lock_guard lock(guard_);
    return headers_;
  }

private:
  void add(std::string line) {
    std::lock_guard lock(guard_);
    lines_.push_back(std::move(line));
  }
  mutable std::mutex guard_;
  std::vector<std::string> lines_;
  header_list headers_;
};

} // namespace mainstay::test
