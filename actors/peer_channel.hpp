// A guest's way back: what its run says is kept here until the guests' actor takes it to the node that the request came
// from, as much at a time as there is. A stream is written as a provider would send it. Promises: in order, nothing
// twice; what the other node has not passed on to the caller is told to the run, which holds its provider back. May be
// used from any thread.
#pragma once

#include "actors/guest_words.hpp"

#include <deque>
#include <mutex>

namespace mainstay {

class peer_channel final : public reply_channel {
public:
  peer_channel(guests_actor, request_id guest);

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string) override {} // the caller's node has its own
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;

  // -- the guests' actor's

  std::vector<words::guest_word> take();
  /// So many bytes of events reached the caller.
  void acknowledged(std::size_t bytes);
  /// Nobody is there to be told any more.
  void close();

private:
  struct sent {
    std::size_t bytes, of_events; // with and without what frames them
  };
  void add(words::guest_word); // under the guard
  void speak();

  const guests_actor guests_;
  const request_id guest_;
  std::mutex guard_; // of all below
  std::vector<words::guest_word> words_;
  bool told_ = false, closed_ = false; // the actor knows that there are words; nobody wants any
  std::deque<sent> unread_;
  std::function<void(std::size_t)> written_;
};

} // namespace mainstay
