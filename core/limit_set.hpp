// The limits one key or one client lives under. What is absent is unlimited.
#pragma once

#include <cstdint>
#include <optional>

namespace mainstay {

struct limit_set {
  std::optional<std::uint32_t> rpm, rps;    // requests in any 60 s, in any second
  std::optional<std::uint64_t> tpm;         // tokens in any 60 s
  std::optional<std::uint32_t> concurrency; // requests open at once
  bool none() const noexcept { return !rpm && !rps && !tpm && !concurrency; }
};

} // namespace mainstay
