// Server-sent events as bytes: cut anywhere, LF, CRLF or CR, comments, multi-line data (WHATWG HTML, section 9.2.6).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mainstay {

class sse_parser {
public:
  explicit sse_parser(std::size_t event_limit = 4u << 20) noexcept : limit_(event_limit) {}

  /// Feeds any piece of the stream. `on_event(event_type, data)` is called per dispatched event (type empty:
  /// "message"); the views are valid during the call only, and where an event arrived in one piece they point into
  /// `piece` (no copy). Comments, ids and retry fields are skipped. Returns false, and stays so, once a line or an
  /// event exceeded the limit (an endless line without a newline), or twice the limit went by without an event (a page
  /// that is no event stream, comments for ever).
  bool feed(std::string_view piece, const std::function<void(std::string_view type, std::string_view data)>& on_event);

  /// The stream ended: an event whose data was complete but whose blank line is missing is dispatched too (providers do
  /// end so).
  void finish(const std::function<void(std::string_view type, std::string_view data)>& on_event);

  bool overflowed() const noexcept { return overflowed_; }

private:
  using handler = std::function<void(std::string_view type, std::string_view data)>;

  void take_line(std::string_view line, bool in_piece, const handler&);
  void add_data(std::string_view value, bool in_piece);
  void dispatch(const handler&);
  void keep_views(); // copies what still lies in the piece, before the piece goes
  std::string_view data() const noexcept { return data_in_piece_ ? data_view_ : std::string_view{data_}; }
  std::string_view type() const noexcept { return type_in_piece_ ? type_view_ : std::string_view{type_}; }

  std::size_t limit_;
  std::size_t barren_ = 0; // bytes since the last event
  bool data_in_piece_ = false, type_in_piece_ = false;
  bool has_data_ = false, skip_lf_ = false, overflowed_ = false, first_ = true;
  std::string_view data_view_, type_view_; // into the piece being fed; never kept beyond feed()
  std::string line_, data_, type_;         // carried over between pieces
};

} // namespace mainstay
