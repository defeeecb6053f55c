#include "net/translating_channel.hpp"

#include "net/chat_answer.hpp"

#include <utility>

namespace mainstay {

namespace {

// A provider may think long without a word for this dialect: so that it is not taken for a caller who does not read.
constexpr std::size_t most_unwritten = 16u << 10;

constexpr std::string_view filler_text = "-";

constexpr int bad_gateway = 502;

} // namespace

void progress_ledger::add(std::size_t given, std::size_t written) {
  unwritten_ += given;
  if (written > 0) under_way_.push_back({std::exchange(unwritten_, 0), written});
}

std::size_t progress_ledger::left(std::size_t written) {
  left_ += written;
  std::size_t given = 0;
  while (!under_way_.empty() && left_ >= under_way_.front().written) {
    left_ -= under_way_.front().written;
    given += under_way_.front().given;
    under_way_.pop_front();
  }
  if (under_way_.empty()) left_ = 0;
  return given;
}

translating_channel::translating_channel(std::shared_ptr<http::response> to, std::unique_ptr<answer_teller> teller)
  : to_(std::move(to)), teller_(std::move(teller)) {}

translating_channel::~translating_channel() {
  change([&] {
    give_error(500, {}, error_body("the request was given up without an answer", "server_error", "internal_error"));
  });
}

/// Unless it had its end. Out of memory in the middle of a translation, the response is let go: it ends by itself.
template <class Change>
void translating_channel::change(Change&& apply) noexcept {
  std::lock_guard lock(guard_);
  if (!to_) return;
  try {
    apply();
  } catch (...) { to_.reset(); }
}

header_list translating_channel::named(header_list headers) const {
  const auto* id = teller_->id_header().empty() ? nullptr : find_header(headers, "x-request-id");
  if (id) headers.emplace_back(teller_->id_header(), std::string(*id));
  return headers;
}

void translating_channel::give_error(int status, header_list headers, std::string_view error_json) {
  const auto to = std::exchange(to_, nullptr);
  if (!streaming_) return to->reply(status, named(std::move(headers)), make_bytes(teller_->error(status, error_json)));
  for (auto& e : teller_->broken(status, error_json)) to->stream_typed_event(e.type, make_bytes(std::move(e.data)));
  to->stream_close();
}

void translating_channel::give(std::vector<answer_teller::event> events, std::size_t given) {
  std::size_t written = 0;
  for (auto& e : events) written += e.data.size();
  bool filler = false;
  { // before anything can have left
    std::lock_guard book(ledger_->guard);
    ledger_->book.add(given, written);
    filler = ledger_->book.unwritten() >= most_unwritten;
    if (filler) ledger_->book.add(0, filler_text.size());
  }
  for (auto& e : events) to_->stream_typed_event(e.type, make_bytes(std::move(e.data)));
  if (filler) to_->stream_filler(std::string(filler_text));
}

void translating_channel::reply(int status, header_list headers, bytes_ptr body) {
  change([&] {
    if (status >= 300) return give_error(status, std::move(headers), *body);
    auto told = teller_->whole(*body);
    if (told.empty())
      return give_error(bad_gateway, std::move(headers),
                        error_body("the answer cannot be told in this dialect", "upstream_error", "malformed"));
    std::exchange(to_, nullptr)->reply(status, named(std::move(headers)), make_bytes(std::move(told)));
  });
}

void translating_channel::stream_head(header_list headers) {
  change([&] {
    streaming_ = true;
    to_->stream_head(named(std::move(headers)));
  });
}

void translating_channel::stream_event(bytes_ptr json) {
  change([&] {
    streaming_ = true;
    give(teller_->chunk(*json), json->size());
  });
}

void translating_channel::stream_comment(std::string text) {
  change([&] {
    streaming_ = true;
    to_->stream_comment(std::move(text));
  });
}

void translating_channel::stream_end(bytes_ptr usage_json, header_list trailers) {
  change([&] {
    streaming_ = true;
    give(teller_->end(usage_json ? std::string_view(*usage_json) : "null"), 0);
    const auto to = std::exchange(to_, nullptr);
    if (teller_->says_done()) return to->stream_end(std::move(usage_json), std::move(trailers));
    to->stream_close();
  });
}

void translating_channel::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  change([&] { give_error(status, std::move(trailers), *error_json); });
}

void translating_channel::observe_progress(std::size_t step, std::function<void(std::size_t)> written) {
  change([&] {
    if (!written) return to_->observe_progress(step, nullptr);
    to_->observe_progress(step, [ledger = ledger_, written = std::move(written)](std::size_t bytes) {
      std::size_t given = 0;
      {
        std::lock_guard book(ledger->guard);
        given = ledger->book.left(bytes);
      }
      if (given > 0) written(given);
    });
  });
}

} // namespace mainstay
