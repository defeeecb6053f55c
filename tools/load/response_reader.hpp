// Just enough of HTTP/1.1 to read answers cheaply: status, the few fields that are counted, and a body by length, in
// chunks or until the connection ends. Takes bytes however they are cut. Pure: no socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::load {

struct response_head {
  int status = 0;
  bool keep_alive = true;
  bool event_stream = false;
  std::string_view source; // x-mainstay-source; valid during the call it is given to
};

class response_sink {
public:
  virtual void on_head(const response_head&) = 0; // not for interim (1xx) answers
  virtual void on_body(std::string_view) = 0;     // pieces, never empty

protected:
  ~response_sink() = default;
};

class response_reader {
public:
  enum class state { more, complete, malformed };

  /// Takes what belongs to the current answer from the front of `input`. After `complete` the next call begins with
  /// another answer; after `malformed` the connection is of no use.
  state feed(std::string_view& input, response_sink&);
  /// The other side closed: `complete` if that was the body's end, else `malformed`.
  state end() const noexcept { return at_ == at::until_close ? state::complete : state::malformed; }
  bool idle() const noexcept { return at_ == at::head && line_.empty(); } // nothing of an answer has come yet
  bool keep_alive() const noexcept { return keep_alive_; }                // of the answer read last

private:
  enum class at : std::uint8_t { head, fixed, size, data, data_end, trailer, until_close };

  bool read_head(std::string_view head, response_sink&);
  state after_head();
  bool take_line(std::string_view& input, std::string_view& line);
  state finish() noexcept;

  at at_ = at::head;
  bool keep_alive_ = true, chunked_ = false, sized_ = false, interim_ = false;
  int status_ = 0;
  std::uint64_t left_ = 0; // of the body or the chunk
  std::string line_;       // what is carried over of a head or a line that came in pieces
};

} // namespace mainstay::load
