// Takes a chunked request body apart (RFC 9112, section 7.1), however its bytes are cut. Strict: a size is hexadecimal
// digits and nothing else, lines end in CR LF. Chunk extensions and trailers are checked, bounded and thrown away.
// Pure. Beast 1.74's own decoder asserts on an empty body whose last CR LF arrives byte by byte, and does not bound
// what it skips.
#pragma once

#include "net/http_framing.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::http {

class chunked_decoder {
public:
  enum class state { more, complete, fault };
  /// Takes what it can from the front of `input` and appends the data to `body`, which never grows over `body_limit`
  /// (fault 413). After `complete` the rest of `input` belongs to the next request.
  state feed(std::string_view& input, std::string& body, std::size_t body_limit);
  const framing_fault& fault() const noexcept { return fault_; }

private:
  enum class at : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    line,
    trailer,
    trailer_lf,
    last_lf,
    done
  };

  bool step(char c, std::size_t room);
  bool size_digit(char c, std::size_t room);
  bool count_skipped();
  bool refuse(framing_fault fault) noexcept;

  at at_ = at::size;
  std::uint8_t digits_ = 0;
  std::uint32_t skipped_ = 0; // bytes of extensions and trailers of the whole body
  std::uint64_t left_ = 0;    // of the current chunk
  framing_fault fault_;
};

} // namespace mainstay::http
