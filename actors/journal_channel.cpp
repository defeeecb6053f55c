#include "actors/journal_channel.hpp"

#include "core/kept_answer.hpp"

namespace mainstay {

namespace {

constexpr std::size_t longest_stream = 64u << 20; // bytes of chunks that are put together

kept_answer_ptr answer_of(int status, header_list headers, bytes_ptr body) {
  return std::make_shared<const kept_answer>(kept_answer{status, std::move(headers), std::move(body)});
}

} // namespace

void gathered_stream::begin(header_list headers) {
  headers_ = std::move(headers);
  all_ = std::make_unique<completion_assembler>(longest_stream);
}

void gathered_stream::add(bytes_ptr json) {
  if (all_) all_->add(std::move(json));
}

kept_answer_ptr gathered_stream::whole(const header_list& trailers) const {
  auto body = all_ ? all_->result() : nullptr;
  return body ? answer_of(200, trailers.empty() ? headers_ : trailers, std::move(body)) : nullptr;
}

// -- durable

journal_channel::journal_channel(journal_actor journal, std::shared_ptr<live_caller> caller, request_id run)
  : journal_(std::move(journal)), caller_(std::move(caller)), run_(run) {}

journal_channel::journal_channel(journal_actor journal, std::int64_t number, request_id run)
  : journal_(std::move(journal)), run_(run), number_(number) {}

journal_channel::~journal_channel() { report(nullptr); }

bool journal_channel::keep_as(std::int64_t number) {
  std::lock_guard lock(guard_);
  if (over_) return false;
  number_ = number;
  return true;
}

void journal_channel::hand_over() {
  std::lock_guard lock(guard_);
  over_ = true;
}

void journal_channel::gather(const std::string& model) {
  std::lock_guard lock(guard_);
  if (std::exchange(over_, true)) return;
  letter<journal_done>::post(caf::actor_cast<caf::strong_actor_ptr>(journal_),
                             journal_done{number_, run_, nullptr, model});
}

bool journal_channel::kept() const {
  std::lock_guard lock(guard_);
  return number_ != 0;
}

bool journal_channel::call_off() {
  std::lock_guard lock(guard_);
  return number_ == 0 && !std::exchange(over_, true);
}

bool journal_channel::over() const {
  std::lock_guard lock(guard_);
  return over_;
}

void journal_channel::asks_for(const std::string& model) {
  std::lock_guard lock(guard_);
  model_ = model;
}

void journal_channel::report(kept_answer_ptr answer) {
  std::lock_guard lock(guard_);
  if (std::exchange(over_, true)) return;
  if (number_ != 0)
    letter<journal_done>::post(caf::actor_cast<caf::strong_actor_ptr>(journal_),
                               journal_done{number_, run_, std::move(answer), "", model_});
  else if (answer && caller_)
    caller_->settle(*answer);
}

void journal_channel::reply(int status, header_list headers, bytes_ptr body) {
  report(answer_of(status, std::move(headers), std::move(body)));
}

void journal_channel::stream_head(header_list headers) {
  stream_.begin(headers);
  if (caller_) caller_->begin(std::move(headers));
}

void journal_channel::stream_event(bytes_ptr json) {
  const auto bytes = json->size();
  stream_.add(json);
  if (caller_) caller_->event(std::move(json));
  if (written_) written_(bytes);
}

void journal_channel::stream_end(bytes_ptr usage, header_list trailers) {
  auto whole = stream_.whole(trailers);
  if (!whole) // nobody could collect it, and another run would give no other
    whole = answer_of(422, trailers, error_answer(422, "not_collectable", "the stream has no whole answer").body);
  if (caller_) caller_->hold_end(std::move(usage), std::move(trailers));
  report(std::move(whole));
}

void journal_channel::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  if (caller_) caller_->break_off(status, error_json, trailers);
  report(answer_of(status, std::move(trailers), std::move(error_json)));
}

void journal_channel::observe_progress(std::size_t, std::function<void(std::size_t)> written) {
  written_ = std::move(written);
}

// -- repeated

repeat_channel::repeat_channel(repeats_actor repeats, std::string key, std::uint64_t who,
                               std::shared_ptr<reply_channel> caller)
  : repeats_(std::move(repeats)), key_(std::move(key)), who_(who), caller_(std::move(caller)) {}

repeat_channel::~repeat_channel() { report(nullptr); }

void repeat_channel::report(kept_answer_ptr answer) {
  if (std::exchange(over_, true)) return;
  if (answer && !may_be_repeated(*answer)) answer = nullptr;
  letter<repeat_over>::post(caf::actor_cast<caf::strong_actor_ptr>(repeats_),
                            repeat_over{key_, who_, std::move(answer)});
}

void repeat_channel::reply(int status, header_list headers, bytes_ptr body) {
  report(answer_of(status, headers, body));
  caller_->reply(status, std::move(headers), std::move(body));
}

void repeat_channel::stream_head(header_list headers) {
  stream_.begin(headers);
  caller_->stream_head(std::move(headers));
}

void repeat_channel::stream_event(bytes_ptr json) {
  stream_.add(json);
  caller_->stream_event(std::move(json));
}

void repeat_channel::stream_end(bytes_ptr usage, header_list trailers) {
  report(stream_.whole(trailers));
  caller_->stream_end(std::move(usage), std::move(trailers));
}

void repeat_channel::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  report(nullptr);
  caller_->stream_error(status, std::move(error_json), std::move(trailers));
}

} // namespace mainstay
