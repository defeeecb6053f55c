// A caller of the message-queue door who waits for the answer of a durable request: the one who sent it, or one who
// collects. Promises: hears `accepted` at most once and one end; a stream that was begun ends as a stream; never
// blocks; may be used from any thread. Whoever left, or had its end, hears nothing more.
#pragma once

#include "actors/actors.hpp"
#include "core/clock.hpp"
#include "core/kept_answer.hpp"
#include "net/redaction/placeholders.hpp"
#include "net/zmq_server.hpp"

#include <memory>
#include <mutex>

namespace mainstay {

class live_caller {
public:
  /// `until`: its own deadline.
  live_caller(std::shared_ptr<mq::response> way, instant until) : until(until), way_(std::move(way)) {}

  const instant until;

  /// Its client's rules for what may go out.
  void lives_by(privacy_rules_ptr, metrics_actor);
  /// What stands behind the placeholders of its request.
  void restores(placeholders_ptr);

  /// It asked for a stream; `usage`: with the usage in a chunk.
  void takes_stream(bool usage);
  /// The request is on disk and has no answer yet.
  void accepted(const std::string& request_name);

  void begin(header_list headers);
  void event(bytes_ptr json);
  /// The end waits until the answer is on disk: for settle().
  void hold_end(bytes_ptr usage_json, header_list trailers);
  void break_off(int status, bytes_ptr error_json, header_list trailers);

  /// The end: a whole answer, as a stream where it asked for one.
  void settle(const kept_answer&);
  /// The same, with an error; under the request's name, where that was accepted.
  void refuse(int status, const std::string& code, const std::string& message, header_list headers = {});

  void left();
  bool gone() const;

private:
  std::shared_ptr<reply_channel> take();
  reply_channel& told();

  mutable std::mutex guard_;
  std::shared_ptr<mq::response> way_;   // null: it had its end
  std::shared_ptr<reply_channel> told_; // `way_`, as its client's rules have it; null: nothing was told yet
  privacy_rules_ptr rules_;
  metrics_actor metrics_;
  placeholders_ptr placeholders_;
  std::string accepted_; // under this name; empty: it heard nothing of it
  bool streams_ = false, usage_ = false, begun_ = false;
  bytes_ptr end_usage_;
  header_list end_trailers_;
};

/// A kept answer as a reply or, where one was asked for, as a stream.
void give_kept(reply_channel&, const kept_answer&, header_list headers, bool stream, bool usage);

/// {"error":{...}} with the type that belongs to the status, as something to be stored.
kept_answer error_answer(int status, const std::string& code, const std::string& message);

} // namespace mainstay
