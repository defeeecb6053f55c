// The way back of runs whose answers are kept. Both put a stream together to the whole answer it stands for.
#pragma once

#include "actors/actors.hpp"
#include "actors/live_caller.hpp"
#include "net/chat_answer.hpp"

#include <mutex>

namespace mainstay {

/// A whole answer out of its stream.
class gathered_stream {
public:
  void begin(header_list headers);
  void add(bytes_ptr json);
  /// `trailers`: the labels of whoever finished it; empty: those of the beginning hold. Null: it is not whole.
  kept_answer_ptr whole(const header_list& trailers) const;

private:
  header_list headers_;
  std::unique_ptr<completion_assembler> all_;
};

/// Of a durable request. Until the journal has it, answers go straight to the caller; from then on to the journal,
/// which tells everybody who waits. A stream's pieces go to its caller as they come. Whatever becomes of the run, the
/// journal hears of it once.
class journal_channel final : public reply_channel {
public:
  /// Not in the journal yet. `caller` sent it.
  journal_channel(journal_actor, std::shared_ptr<live_caller> caller, request_id run);
  /// Of a request that is there already, under this number.
  journal_channel(journal_actor, std::int64_t number, request_id run);
  ~journal_channel() override;

  /// It is on disk. False: too late, as `over` tells.
  bool keep_as(std::int64_t number);
  /// The journal has it, and its caller: the run of this channel is over without an answer.
  void hand_over();
  /// The same, and the journal is to merge it with others for that model.
  void gather(const std::string& model);
  const std::shared_ptr<live_caller>& caller() const noexcept { return caller_; }
  bool kept() const;
  /// Its caller wants it to end. True: nothing is accepted of it from now on. False: the journal has it, or an answer
  /// came.
  bool call_off();
  /// Nothing more comes this way: an answer did, or it was handed over or called off.
  bool over() const;
  /// What its run came to know: for the journal.
  void asks_for(const std::string& model);

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  /// The run is told at once that everything was read: it goes on without its caller, whom the door bounds.
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;

private:
  void report(kept_answer_ptr);

  const journal_actor journal_;
  const std::shared_ptr<live_caller> caller_; // may be null
  const request_id run_;
  mutable std::mutex guard_;
  std::int64_t number_ = 0; // 0: not kept
  std::string model_;
  bool over_ = false;
  gathered_stream stream_;
  std::function<void(std::size_t)> written_;
};

/// Of a request with an idempotency key: everything goes to the caller, and `repeats` hears once what it was.
class repeat_channel final : public reply_channel {
public:
  repeat_channel(repeats_actor, std::string key, std::uint64_t who, std::shared_ptr<reply_channel> caller);
  ~repeat_channel() override;

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string text) override { caller_->stream_comment(std::move(text)); }
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override {
    caller_->observe_progress(step, std::move(written));
  }

private:
  void report(kept_answer_ptr);

  const repeats_actor repeats_;
  const std::string key_;
  const std::uint64_t who_;
  const std::shared_ptr<reply_channel> caller_;
  gathered_stream stream_;
  bool over_ = false;
};

} // namespace mainstay
