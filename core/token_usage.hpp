// What an answer took, as its provider counts it.
#pragma once

#include <cstdint>

namespace mainstay {

/// Tokens. `input` is the whole prompt, `cached` the part of it that the provider had cached, `cache_writes` the part
/// that it put there now; `output` is the whole answer, `reasoning` the part of it that nobody reads.
struct token_usage {
  std::uint64_t input = 0, output = 0, cached = 0, reasoning = 0, cache_writes = 0;

  token_usage& operator+=(const token_usage& o) noexcept {
    input += o.input, output += o.output, cached += o.cached, reasoning += o.reasoning;
    cache_writes += o.cache_writes;
    return *this;
  }
};

} // namespace mainstay
