// The head of an HTTP response, line by line as curl hands it on: interim 1xx heads are skipped, names lower-cased, the
// number of fields and the bytes bounded; two different content-lengths are refused. Pure: no socket, no curl.
#pragma once

#include "net/bytes.hpp"

#include <string>
#include <string_view>

namespace mainstay::http {

class response_head {
public:
  static constexpr std::size_t max_fields = 100; // those beyond are counted against the limit, but not kept

  enum class progress { more, complete, malformed };

  /// Ready for another response; all heads of it (interim ones and trailers too) may take `limit` bytes together.
  void reset(std::size_t limit);

  /// One line with its line end. After `complete` trailers come: they are only counted.
  progress take_line(std::string_view line);

  bool begun() const noexcept { return bytes_ > 0; }
  bool complete() const noexcept { return complete_; }
  int status() const noexcept { return status_; }
  const char* complaint() const noexcept { return complaint_; } // after `malformed`: why
  header_list take_fields() { return std::move(fields_); }

private:
  progress refuse(const char* why);
  progress take_status(std::string_view line);
  progress take_blank();
  progress take_field(std::string_view line);
  bool take_length(std::string_view value);

  std::size_t limit_ = 0, bytes_ = 0;
  int status_ = 0;
  bool complete_ = false;
  bool folding_ = false; // the last field was kept: a folded line may continue it
  header_list fields_;
  std::string length_; // this head's content-length
  const char* complaint_ = "";
};

} // namespace mainstay::http
