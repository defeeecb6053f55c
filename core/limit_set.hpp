// The limits one key or one client lives under. What is absent is unlimited.
#pragma once

#include <cstdint>
#include <optional>

namespace mainstay {

struct limit_set {
  std::optional<std::uint32_t> rpm, rps;    // requests in any 60 s, in any second
  std::optional<std::uint64_t> tpm;         // tokens in any 60 s
  std::optional<std::uint32_t> concurrency; // requests open at once
  std::optional<std::uint64_t> monthly;     // requests in a calendar month (UTC)
  double burst = 0;                         // this share of rpm and tpm may be borrowed from the next 60 s
  bool unavailable = false;                 // of a key's limits for some models: it does not serve them
  bool none() const noexcept { return !rpm && !rps && !tpm && !concurrency && !monthly; }
  friend bool operator==(const limit_set&, const limit_set&) = default;
};

} // namespace mainstay
