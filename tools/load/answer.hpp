// One request's answer as it comes in, plain or streamed, from either door: how many pieces of text it bore, whether it
// is whole, and what is wrong with it. Pure; knows nothing of sockets and time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::load {

/// How a request can end otherwise than well. The names are those of the report.
enum class fault : std::uint8_t {
  none,
  status,    // another status than 2xx
  connect,   // no connection came about
  reset,     // the connection ended before the answer did
  timeout,   // the answer was not whole in time
  malformed, // no HTTP, or frames that no door sends
  broken,    // a stream that began with 200 and ended in an error or without its end
  wrong,     // --verify: not the text that belongs to the question
};
inline constexpr std::size_t fault_count = 8;
std::string_view name_of(fault) noexcept;

class answer {
public:
  /// Ready for another one. `keep`: its text will be judged.
  void begin(bool streamed, bool keep);

  void take_status(int status, std::string_view source);
  /// A piece of an HTTP body, cut anywhere. Returns how many events with text it completed.
  std::size_t take_body(std::string_view piece);
  /// The JSON of one event of a stream; true if it bears text.
  bool take_event(std::string_view data);
  /// The stream's end.
  void take_end() noexcept { done_ = true; }

  int status() const noexcept { return status_; }
  std::string_view source() const noexcept { return source_; }
  /// What it all came to. `expected`: the text to be found in it, where it was kept.
  fault judge(const std::string* expected);
  /// After a fault: the beginning of what was said about it.
  std::string_view complaint() const noexcept { return body_; }

private:
  bool event_stream() const noexcept { return streamed_ && status_ / 100 == 2; }
  std::size_t take_line(std::string_view line);
  void take_choices(std::string_view json, std::string_view part);
  void complain(std::string_view why) {
    if (!wrong_) wrong_ = why;
  }

  int status_ = 0;
  bool streamed_ = false, keep_ = false, done_ = false, failed_ = false, ended_ = false;
  std::optional<std::string_view> wrong_;
  std::string source_;
  std::string line_; // of an event, carried over between pieces
  std::string body_; // of a plain answer (whole if it is judged), or of an error
  std::string text_; // of a stream's pieces, if it is judged
};

} // namespace mainstay::load
