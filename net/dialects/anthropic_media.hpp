// Pictures and files of a chat request as Anthropic's image and document blocks: data that comes along, or an https
// URL, which Anthropic fetches itself (docs.claude.com/en/docs/build-with-claude/vision and pdf-support). Nothing is
// fetched here.
#pragma once

#include "net/json_tree.hpp"

#include <cstdint>
#include <string>

namespace mainstay {

enum class anthropic_media : std::uint8_t { written, unknown_type, unreadable };

/// `part`: image_url or file. The block is left open, for cache_control. Unreadable: neither base64 in a data: URL nor
/// an https:// URL, or of a type that Anthropic does not take.
anthropic_media append_anthropic_media(std::string& out, const json::value& part);

} // namespace mainstay
