// The event-stream grammar over pieces: whole lines are read where they lie, only what a cut splits is carried over.
#include "net/sse.hpp"

#include <cstring>

namespace mainstay {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Position of the first CR or LF at or after `from`; npos when the piece holds none.
std::size_t find_line_end(std::string_view piece, std::size_t from) noexcept {
  auto* begin = piece.data() + from;
  auto length = piece.size() - from;
  auto* lf = static_cast<const char*>(std::memchr(begin, '\n', length));
  if (lf) length = static_cast<std::size_t>(lf - begin);
  auto* cr = length ? static_cast<const char*>(std::memchr(begin, '\r', length)) : nullptr;
  auto* end = cr ? cr : lf;
  return end ? static_cast<std::size_t>(end - piece.data()) : std::string_view::npos;
}

} // namespace

bool sse_parser::feed(std::string_view piece, const handler& on_event) {
  std::size_t at = 0;
  while (!overflowed_ && at < piece.size()) {
    if (skip_lf_) {
      skip_lf_ = false;
      if (piece[at] == '\n') {
        ++at;
        continue;
      }
    }
    auto end = find_line_end(piece, at);
    auto part = piece.substr(at, end == std::string_view::npos ? end : end - at);
    barren_ += part.size() + (end == std::string_view::npos ? 0 : 1);
    if (line_.size() + part.size() > limit_ || barren_ > 2 * limit_) {
      overflowed_ = true;
    } else if (end == std::string_view::npos) {
      line_.append(part);
      at = piece.size();
    } else {
      skip_lf_ = piece[end] == '\r';
      at = end + 1;
      if (line_.empty()) {
        take_line(part, true, on_event);
      } else {
        line_.append(part);
        take_line(line_, false, on_event);
        line_.clear();
      }
    }
  }
  keep_views();
  return !overflowed_;
}

void sse_parser::finish(const handler& on_event) {
  if (overflowed_) return;
  if (!line_.empty()) take_line(line_, false, on_event);
  line_.clear();
  if (!overflowed_) dispatch(on_event);
  skip_lf_ = false;
}

void sse_parser::take_line(std::string_view line, bool in_piece, const handler& on_event) {
  if (first_) {
    first_ = false;
    if (line.substr(0, byte_order_mark.size()) == byte_order_mark) line.remove_prefix(byte_order_mark.size());
  }
  if (line.empty()) return dispatch(on_event);
  auto colon = line.find(':');
  auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (name == "data") {
    add_data(value, in_piece);
  } else if (name == "event") {
    type_in_piece_ = in_piece;
    if (in_piece) {
      type_view_ = value;
    } else {
      type_.assign(value);
    }
  }
}

void sse_parser::add_data(std::string_view value, bool in_piece) {
  auto before = has_data_ ? data().size() + 1 : 0;
  if (before + value.size() > limit_) {
    overflowed_ = true;
    return;
  }
  if (!has_data_ && in_piece) {
    data_view_ = value;
    data_in_piece_ = true;
  } else {
    keep_views();
    if (has_data_) data_.push_back('\n');
    data_.append(value);
  }
  has_data_ = true;
}

void sse_parser::dispatch(const handler& on_event) {
  if (has_data_) {
    barren_ = 0;
    on_event(type(), data());
  }
  has_data_ = data_in_piece_ = type_in_piece_ = false;
  data_.clear();
  type_.clear();
}

void sse_parser::keep_views() {
  if (data_in_piece_) data_.assign(data_view_);
  if (type_in_piece_) type_.assign(type_view_);
  data_in_piece_ = type_in_piece_ = false;
}

} // namespace mainstay
