// Text inside JSON: what may stand in a string as it is, and how to write any bytes as a string. Works on whole machine
// words, because prompts are long and nearly all of their bytes are plain.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mainstay::json {

/// Length of the valid UTF-8 sequence at `at` (1 to 4; RFC 3629: no overlong forms, no surrogates, nothing above
/// U+10FFFF), 0 if there is none.
std::size_t sequence_length(const char* at, const char* end) noexcept;

/// The end of the longest prefix of [at, end) that may stand in a JSON string unescaped: valid UTF-8 without quotes,
/// backslashes and bytes below 0x20.
const char* plain_run(const char* at, const char* end) noexcept;

/// The largest cut at or below `limit` that splits no UTF-8 sequence of `text`.
std::size_t cut_before(std::string_view text, std::size_t limit) noexcept;

/// `text` with its quotes, as a JSON string. Always valid: bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);

} // namespace mainstay::json
