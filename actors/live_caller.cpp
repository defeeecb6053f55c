#include "actors/live_caller.hpp"

#include "actors/privacy.hpp"
#include "net/chat_answer.hpp"

namespace mainstay {

void give_kept(reply_channel& to, const kept_answer& a, header_list headers, bool stream, bool usage) {
  const bool good = a.status < 300;
  auto chunks = stream && good ? chunks_of(*a.body, usage) : std::vector<std::string>();
  if (chunks.empty()) return to.reply(a.status, std::move(headers), a.body);
  tell_as_stream(to, std::move(headers), std::move(chunks), make_bytes(usage_json(read_completion(*a.body).usage)));
}

kept_answer error_answer(int status, const std::string& code, const std::string& message) {
  const auto* type = status >= 500 ? "server_error" : "invalid_request_error";
  return {status, {}, make_bytes(error_body(message, type, code))};
}

void live_caller::lives_by(privacy_rules_ptr rules, metrics_actor metrics) {
  std::lock_guard lock(guard_);
  rules_ = std::move(rules);
  metrics_ = std::move(metrics);
}

void live_caller::restores(placeholders_ptr table) {
  std::lock_guard lock(guard_);
  if (!told_) placeholders_ = std::move(table);
}

/// From the first word on it is the same way. While `way_` is there.
reply_channel& live_caller::told() {
  if (!told_) told_ = screened(rules_, placeholders_, metrics_, way_);
  return *told_;
}

std::shared_ptr<reply_channel> live_caller::take() {
  if (!way_) return nullptr;
  told();
  way_.reset();
  return std::exchange(told_, nullptr);
}

void live_caller::takes_stream(bool usage) {
  std::lock_guard lock(guard_);
  streams_ = true;
  usage_ = usage;
}

void live_caller::accepted(const std::string& request_name) {
  std::lock_guard lock(guard_);
  if (!way_ || !accepted_.empty()) return;
  accepted_ = request_name;
  way_->accepted({{"x-request-id", request_name}}, make_bytes(R"({"state":"pending"})"));
}

void live_caller::begin(header_list headers) {
  std::lock_guard lock(guard_);
  if (way_ && !std::exchange(begun_, true)) told().stream_head(std::move(headers));
}

void live_caller::event(bytes_ptr json) {
  std::lock_guard lock(guard_);
  if (way_) told().stream_event(std::move(json));
}

void live_caller::hold_end(bytes_ptr usage, header_list trailers) {
  std::lock_guard lock(guard_);
  end_usage_ = std::move(usage);
  end_trailers_ = std::move(trailers);
}

void live_caller::break_off(int status, bytes_ptr error_json, header_list trailers) {
  std::lock_guard lock(guard_);
  if (!begun_) return; // it has seen nothing: another run may still answer
  if (auto way = take()) way->stream_error(status, std::move(error_json), std::move(trailers));
}

void live_caller::settle(const kept_answer& a) {
  std::lock_guard lock(guard_);
  auto way = take();
  if (!way) return;
  if (!begun_) return give_kept(*way, a, a.headers, streams_, usage_);
  if (end_usage_ && a.status != 499) return way->stream_end(end_usage_, std::move(end_trailers_));
  way->stream_error(a.status, a.body, a.headers);
}

void live_caller::refuse(int status, const std::string& code, const std::string& message, header_list headers) {
  auto a = error_answer(status, code, message);
  a.headers = std::move(headers);
  {
    std::lock_guard lock(guard_);
    if (!accepted_.empty()) a.headers.emplace_back("x-request-id", accepted_);
  }
  settle(a);
}

void live_caller::left() {
  std::shared_ptr<reply_channel> gone; // ends outside the lock
  std::lock_guard lock(guard_);
  gone = take();
}

bool live_caller::gone() const {
  std::lock_guard lock(guard_);
  return !way_;
}

} // namespace mainstay
