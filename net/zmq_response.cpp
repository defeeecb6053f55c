// The response handed to the handler: turns reply_channel's calls into frames, on the caller's thread.
#include "net/zmq_exchange.hpp"
#include "net/zmq_frames.hpp"

namespace mainstay::mq {
namespace {

class queued_response final : public response {
public:
  queued_response(std::shared_ptr<inbox> in, std::shared_ptr<exchange> of)
    : inbox_(std::move(in)), of_(std::move(of)) {}

  ~queued_response() override {
    guarded([this] { finish_with_error(500, "internal_error", "the request was dropped without an answer"); });
  }

  void accepted(header_list headers, bytes_ptr body) override {
    guarded([&] {
      // A REQ client's one answer: it cannot take another, so this is where its request ends.
      if (of_->req_client)
        finish("accepted", headers_frame(202, headers), std::move(body));
      else if (of_->open())
        push(command::what::part, "accepted", headers_frame(202, headers), std::move(body));
    });
  }

  void reply(int status, header_list headers, bytes_ptr body) override {
    guarded([&] { finish(status < 400 ? "reply" : "error", headers_frame(status, headers), std::move(body)); });
  }

  void stream_head(header_list headers) override {
    guarded([&] {
      if (of_->req_client) return refuse_stream();
      head_ = std::move(headers);
    });
  }

  void stream_event(bytes_ptr json) override {
    guarded([&] {
      if (!of_->open()) return;
      if (of_->req_client) return refuse_stream();
      static const std::string plain = headers_frame(200);
      const auto bytes = json ? json->size() : 0;
      of_->queued(bytes);
      push(command::what::part, "chunk", head_.empty() ? plain : headers_frame(200, take_head()), std::move(json),
           bytes);
    });
  }

  void stream_comment(std::string) override {}

  void stream_end(bytes_ptr usage_json, header_list trailers) override {
    guarded([&] {
      if (of_->req_client) return refuse_stream();
      const auto usage = usage_json && !usage_json->empty() ? std::string_view(*usage_json) : "null";
      finish("end", headers_frame(200, take_head(), trailers), make_bytes("{\"usage\":" + std::string(usage) + "}"));
    });
  }

  void stream_error(int status, bytes_ptr error_json, header_list trailers) override {
    guarded([&] { finish("error", headers_frame(status, take_head(), trailers), std::move(error_json)); });
  }

  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override {
    guarded([&] { of_->observe(step, std::move(written)); });
  }

  void on_caller_left(std::function<void()> left) override {
    guarded([&] { of_->on_left(std::move(left)); });
    // On the loop's thread; where that has ended nobody else will tell.
    guarded([&] { late_ = of_->left() && !inbox_->push({command::what::tell_left, of_, {}, 0}); });
    if (late_) of_->tell_left();
  }

  void on_cancel(std::function<void()> asked) override {
    guarded([&] { of_->on_cancel(std::move(asked)); });
  }

private:
  // The promise of reply_channel: nothing here throws, whatever memory does. The lock keeps parts in the order of the
  // calls.
  template <class F>
  void guarded(F f) noexcept {
    try {
      std::lock_guard lock(guard_);
      f();
    } catch (...) {}
  }

  header_list take_head() { return std::exchange(head_, {}); }

  void push(command::what kind, std::string_view name, std::string headers, bytes_ptr body,
            std::size_t event_bytes = 0) {
    inbox_->push({kind, of_, make_outgoing(of_->id, name, headers, std::move(body), of_->req_client), event_bytes});
  }

  void finish(std::string_view kind, std::string headers, bytes_ptr body) {
    if (of_->answer()) push(command::what::last, kind, std::move(headers), std::move(body));
  }

  void finish_with_error(int status, std::string_view code, std::string_view text) {
    if (!of_->answer()) return;
    inbox_->push(
        {command::what::last, of_, error_message(of_->id, of_->req_client, status, code, text, take_head()), 0});
  }

  // The door refuses streams for a REQ client; if one was begun all the same, the one answer it can take says so.
  void refuse_stream() {
    finish_with_error(400, "stream_unsupported", "a REQ socket gets plain replies only; use a DEALER");
  }

  const std::shared_ptr<inbox> inbox_;
  const std::shared_ptr<exchange> of_;
  std::mutex guard_;
  std::atomic<bool> late_{false};
  header_list head_; // until the first chunk carries it
};

} // namespace

void refuse_cancel(response& way) {
  way.reply(404, {}, make_bytes(error_body(404, "unknown_id", "no request with this id is in flight")));
}

std::shared_ptr<response> make_response(std::shared_ptr<inbox> in, std::shared_ptr<exchange> of) {
  return std::make_shared<queued_response>(std::move(in), std::move(of));
}

} // namespace mainstay::mq
