// The way back to a caller of another dialect: a teller before an HTTP response. Promises: whole answers, events,
// errors and ends have that dialect's shape and the status they came with, also of an answer that is given up; whoever
// observes progress hears of it in the bytes that it gave, not in those that were made of them.
#pragma once

#include "net/dialects/caller_dialect.hpp"
#include "net/http_server.hpp"

#include <deque>
#include <mutex>

namespace mainstay {

/// How much of what was given has left, where something else was written in its place.
class progress_ledger {
public:
  /// `given` bytes became `written` ones: none, perhaps.
  void add(std::size_t given, std::size_t written);
  /// So many bytes have left: what was given for them, as far as all that was written for it is gone.
  std::size_t left(std::size_t written);
  /// Given since anything was written.
  std::size_t unwritten() const noexcept { return unwritten_; }

private:
  struct entry {
    std::size_t given, written;
  };
  std::deque<entry> under_way_;
  std::size_t left_ = 0;      // of the first entry
  std::size_t unwritten_ = 0; // goes with the next entry
};

class translating_channel final : public reply_channel {
public:
  translating_channel(std::shared_ptr<http::response> to, std::unique_ptr<answer_teller> teller);
  ~translating_channel() override;

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string text) override;
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;

private:
  struct shared_ledger {
    std::mutex guard;
    progress_ledger book;
  };
  template <class Change>
  void change(Change&&) noexcept;
  void give_error(int status, header_list headers, std::string_view error_json);
  void give(std::vector<answer_teller::event> events, std::size_t given);
  header_list named(header_list headers) const;

  std::mutex guard_;                   // of all below
  std::shared_ptr<http::response> to_; // null: it had its end
  std::unique_ptr<answer_teller> teller_;
  bool streaming_ = false;
  std::shared_ptr<shared_ledger> ledger_ = std::make_shared<shared_ledger>();
};

} // namespace mainstay
