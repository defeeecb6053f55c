// An observer that writes down what a call reports and lets the test wait for it. Checks the order of the reports
// itself.
#pragma once

#include "net/http_client.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <type_traits>

namespace mainstay::test {

class call_recorder : public http::call_observer {
public:
  void on_head(int s, header_list h) override {
    std::lock_guard lock(mutex_);
    in_order_ = in_order_ && !status_ && !ended_ && body_.empty();
    status_ = s;
    headers_ = std::move(h);
    changed_.notify_all();
  }
  void on_data(bytes_ptr piece) override {
    std::lock_guard lock(mutex_);
    in_order_ = in_order_ && status_ && !ended_ && !piece->empty();
    body_ += *piece;
    ++pieces_;
    changed_.notify_all();
  }
  void on_end(std::optional<http::call_error> e, const http::call_summary& s) override {
    std::function<void()> then;
    {
      std::lock_guard lock(mutex_);
      in_order_ = in_order_ && !ended_ && (e || status_);
      ended_ = true;
      ended_at_ = clock::now();
      error_ = std::move(e);
      summary_ = s;
      changed_.notify_all();
      then = then_;
    }
    if (then) then();
  }

  /// Called by on_end, on the client's thread.
  void then(std::function<void()> f) { then_ = std::move(f); }

  bool wait_end() {
    return wait([this] { return ended_; });
  }
  bool wait_head() {
    return wait([this] { return status_ != 0 || ended_; }) && status_;
  }
  bool wait_body(std::size_t bytes) {
    return wait([=, this] { return body_.size() >= bytes; });
  }

  // What was reported so far; the references are for after the end.
  bool ended() const {
    return locked([this] { return ended_; });
  }
  bool in_order() const {
    return locked([this] { return in_order_; });
  }
  int status() const {
    return locked([this] { return status_; });
  }
  std::size_t received() const {
    return locked([this] { return body_.size(); });
  }
  std::size_t pieces() const {
    return locked([this] { return pieces_; });
  }
  instant ended_at() const {
    return locked([this] { return ended_at_; });
  }
  const std::string& body() const { return body_; }
  const header_list& headers() const { return headers_; }
  const http::call_summary& summary() const { return summary_; }
  const std::optional<http::call_error>& error() const { return error_; }
  /// "" for a complete answer.
  std::string outcome() const {
    return locked([this] { return error_ ? std::string{to_string(error_->what)} : std::string{}; });
  }

private:
  template <class Ready>
  bool wait(Ready ready) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, ready);
  }
  template <class Get>
  std::invoke_result_t<Get> locked(Get get) const {
    std::lock_guard lock(mutex_);
    return get();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false, in_order_ = true;
  int status_ = 0;
  header_list headers_;
  std::string body_;
  std::size_t pieces_ = 0;
  std::optional<http::call_error> error_;
  http::call_summary summary_;
  instant ended_at_{};
  std::function<void()> then_;
};

} // namespace mainstay::test
