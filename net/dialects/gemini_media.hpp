// Pictures, sounds and files of a chat request as Gemini's parts: data that comes along is inlineData, what lies
// elsewhere is fileData, which Gemini fetches itself (ai.google.dev/gemini-api/docs/file-input-methods). Nothing is
// fetched here.
#pragma once

#include "net/json_tree.hpp"

#include <cstdint>
#include <string>

namespace mainstay {

enum class media_outcome : std::uint8_t { written, unknown_type, unreadable };

/// `part`: image_url, input_audio, video_url or file. Unreadable: no base64 in a data: URL, nor an https:// or gs://
/// URL.
media_outcome append_gemini_media(std::string& out, const json::value& part);

} // namespace mainstay
