// Writing JSON by hand: the answers are a few fixed shapes, and the mock must cost little as a benchmark's upstream.
// Whatever bytes come in, what comes out is valid JSON in valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::mock {

// Appends `text` in quotes, escaped; every byte that is no valid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Appends `"name":` and the text in quotes.
void append_json_field(std::string& out, std::string_view name, std::string_view text);

// A plain decimal with up to three places: seconds to the millisecond.
void append_decimal(std::string& out, double value);

std::string json_quoted(std::string_view text);

} // namespace mainstay::mock
