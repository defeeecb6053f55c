// One request's answer on its way between threads: whoever answers puts it in here, the connection's thread takes it
// out. Promises: however much is put in before the loop looks, the loop is woken once; after the caller left, or after
// the end, everything is ignored; `left` is called at most once; an exchange whose last outside reference is dropped
// without an end ends itself.
#pragma once

#include "net/event_loop.hpp"
#include "net/http_server.hpp"
#include "net/http_wire.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace mainstay::http {

/// The connection, as the exchange sees it. Told on the loop's thread only.
class exchange_owner {
public:
  virtual void answer_waits() = 0;

protected:
  ~exchange_owner() = default;
};

struct whole_answer {
  int status = 200;
  std::string content_type;
  header_list headers;
  bytes_ptr body;
};

/// Everything that was put in since the last look.
struct answer_part {
  bool ended = false, close_after = false;
  bool broken = false; // memory ran out on the way: the answer cannot be trusted any more
  std::vector<wire_piece> pieces;
  std::optional<header_list> stream_head;
  std::optional<whole_answer> whole;

  bool worth_writing() const noexcept { return ended || !pieces.empty(); }
};

struct progress_observer {
  std::size_t step;
  std::function<void(std::size_t)> written;
};

class exchange final : public response, public std::enable_shared_from_this<exchange> {
public:
  /// Begins as if the loop were about to look: whoever creates it calls collect() soon, so answers given at once need
  /// no wake-up.
  /// The loop outlives the owner, and nothing is posted once the owner has gone.
  exchange(event_loop& loop, exchange_owner* owner, stream_framing framing, bool bodiless);
  /// The reference that handlers get.
  std::shared_ptr<response> handle();

  // Any thread.
  void reply(int status, header_list headers, bytes_ptr body) override;
  void reply_as(int status, std::string content_type, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string text) override;
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void stream_typed_event(std::string_view type, bytes_ptr json) override;
  void stream_filler(std::string text) override;
  void stream_close() override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;
  void on_caller_left(std::function<void()> left) override;
  void close_after() override;

  // The loop's thread.
  answer_part collect() noexcept;
  std::shared_ptr<const progress_observer> observer() const noexcept;
  /// The last byte has left. The owner is forgotten.
  void complete() noexcept;
  /// The caller is gone; tells the handler. The owner is forgotten.
  void caller_left() noexcept;

private:
  template <class Change>
  void change(Change&&) noexcept;
  void wake();
  void begin_stream();
  void put(wire_piece piece);
  void end_with(wire_piece piece);
  void dropped() noexcept;

  event_loop& loop_;
  const stream_framing framing_;
  const bool bodiless_;
  exchange_owner* owner_; // the loop's thread only

  mutable std::mutex mutex_;                                  // guards everything below
  bool scheduled_ = true, streaming_ = false, ended_ = false; // ended: by whoever answers
  bool closed_ = false, completed_ = false, told_ = false;    // closed: by the connection
  std::shared_ptr<const progress_observer> observer_;
  answer_part part_;
  std::function<void()> left_;
};

} // namespace mainstay::http
