// How many tokens a text will cost, before the provider has said so.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mainstay {

/// Counts of characters by how tokenizers treat them. Filled by the request parser in the pass it makes anyway.
struct text_profile {
  std::uint64_t latin = 0;                  // ASCII and Latin-1: about 4 characters a token
  std::uint64_t ideographs = 0;             // CJK, kana, hangul: about 1 character a token
  std::uint64_t other = 0;                  // other scripts and symbols: about 2 characters a token
  void add(std::string_view utf8) noexcept; // any bytes; invalid ones count as other
  std::uint64_t tokens() const noexcept;
};

/// Of an answer without a cap.
inline constexpr std::uint64_t usual_answer_tokens = 256;

/// Tokens to reserve for a request: the prompt's estimate times `learned_ratio` (actual / estimated, learned from the
/// provider's usage), plus the answer's cap where the caller gave one, else `default_answer`.
std::uint64_t tokens_to_reserve(std::uint64_t prompt_estimate, double learned_ratio, std::uint64_t answer_cap,
                                std::uint64_t default_answer = usual_answer_tokens) noexcept;

/// What a prompt may weigh so that an answer has room beside it: the window less the cap of one answer (256 tokens
/// where the caller gave none), which takes half of the window at most. Without a window 100,000 tokens.
std::uint64_t prompt_budget(std::optional<std::uint64_t> context_window, std::uint64_t answer_cap) noexcept;

} // namespace mainstay
