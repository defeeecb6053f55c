// Counts characters by how tokenizers treat them, one pass over the bytes, no allocation.
#include "core/token_estimate.hpp"

#include "core/code_points.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

namespace mainstay {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

std::size_t ascii_run(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at;
  for (std::uint64_t words[4]; text.size() - end >= sizeof words; end += sizeof words) {
    std::memcpy(words, text.data() + end, sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) break;
  }
  for (std::uint64_t word; text.size() - end >= sizeof word; end += sizeof word) {
    std::memcpy(&word, text.data() + end, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (end < text.size() && static_cast<unsigned char>(text[end]) < 0x80) ++end;
  return end - at;
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept { return a > most - b ? most : a + b; }

} // namespace

void text_profile::add(std::string_view utf8) noexcept {
  for (std::size_t at = 0; at < utf8.size();) {
    if (const std::size_t run = ascii_run(utf8, at); run > 0) {
      latin += run;
      at += run;
      continue;
    }
    const code_point next = decode_utf8(utf8, at);
    if (next.length == 0)
      ++other, ++at;
    else {
      ++(next.value <= 0xFF ? latin : is_ideograph(next.value) ? ideographs : other);
      at += next.length;
    }
  }
}

std::uint64_t text_profile::tokens() const noexcept {
  return saturating_add(saturating_add(latin / 4 + (latin % 4 != 0), ideographs), other / 2 + other % 2);
}

std::uint64_t tokens_to_reserve(std::uint64_t prompt_estimate, double learned_ratio, std::uint64_t answer_cap,
                                std::uint64_t default_answer) noexcept {
  const double ratio = learned_ratio > 0 ? learned_ratio : 1; // nothing learned yet, or NaN
  const double prompt = static_cast<double>(prompt_estimate) * ratio;
  const bool fits = prompt < 18446744073709549568.0; // the largest double below 2^64
  const std::uint64_t rounded = fits ? static_cast<std::uint64_t>(prompt) : most;
  const std::uint64_t up = fits && prompt > static_cast<double>(rounded) ? 1 : 0;
  return saturating_add(saturating_add(rounded, up), answer_cap > 0 ? answer_cap : default_answer);
}

std::uint64_t prompt_budget(std::optional<std::uint64_t> context_window, std::uint64_t answer_cap) noexcept {
  constexpr std::uint64_t without_window = 100'000;
  if (!context_window) return without_window;
  return *context_window - std::min(answer_cap > 0 ? answer_cap : usual_answer_tokens, *context_window / 2);
}

} // namespace mainstay
