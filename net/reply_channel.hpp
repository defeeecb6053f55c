// One request's way back to its caller, whichever door it came through. Implemented by the doors, used by the run.
// Every function may be called from any thread, never blocks and never throws; after the caller left they do nothing.
// Order: either reply() once, or stream_head(), any number of stream_event()/stream_comment(), then stream_end() or
// stream_error() once. What is dropped without an end is answered by the door itself with an error: no caller is left
// hanging.
#pragma once

#include "net/bytes.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

class reply_channel {
public:
  virtual ~reply_channel() = default;

  /// A whole answer. `body` is JSON. content-type and content-length are the door's affair.
  virtual void reply(int status, header_list headers, bytes_ptr body) = 0;

  /// Begins a stream (status 200). Nothing is promised to be on the wire before the first event.
  virtual void stream_head(header_list headers) = 0;
  /// One event: `json` without "data: " and line ends.
  virtual void stream_event(bytes_ptr json) = 0;
  /// Over HTTP an SSE comment line (": text"); over ZeroMQ nothing.
  virtual void stream_comment(std::string text) = 0;
  /// The regular end: [DONE] over HTTP, an `end` frame over ZeroMQ with `usage_json` ("null" where unknown) and
  /// `trailers` as headers.
  virtual void stream_end(bytes_ptr usage_json, header_list trailers) = 0;
  /// The stream cannot be completed: an error object and no [DONE]. `error_json` is {"error":{...}}.
  virtual void stream_error(int status, bytes_ptr error_json, header_list trailers) = 0;

  /// Asks to be told how far the caller has read: `written(n)` is called from the door's thread with the bytes of
  /// events that left for the network since the last call, in steps of at least `step` bytes, and whenever nothing is
  /// left to write after backing up beyond `step`. At most one observer; null removes it.
  virtual void observe_progress(std::size_t step, std::function<void(std::size_t)> written) = 0;
};

/// A whole answer as the stream that was asked for: `chunks` are its events.
inline void tell_as_stream(reply_channel& to, header_list headers, std::vector<std::string> chunks,
                           bytes_ptr usage_json) {
  to.stream_head(std::move(headers));
  for (auto& chunk : chunks) to.stream_event(make_bytes(std::move(chunk)));
  to.stream_end(std::move(usage_json), {});
}

} // namespace mainstay
