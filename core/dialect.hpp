// The wire dialects that providers speak. Inside, every request and answer is a chat completion of OpenAI's: what a
// provider of another dialect is sent and says is translated at its edge (net/dialects/).
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstay {

enum class dialect : std::uint8_t { openai, anthropic, gemini };

constexpr std::string_view to_string(dialect d) noexcept {
  switch (d) {
  case dialect::openai: return "openai";
  case dialect::anthropic: return "anthropic";
  case dialect::gemini: return "gemini";
  }
  return "";
}

} // namespace mainstay
