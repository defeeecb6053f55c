#include "net/request_faults.hpp"

namespace mainstay {
namespace {

constexpr std::size_t model_name_limit = 256;

bool is_clean_name(std::string_view text) noexcept {
  for (auto at = text.data(), end = at + text.size(); at != end;) {
    auto length = json::sequence_length(at, end);
    auto lead = static_cast<unsigned char>(at[0]);
    bool control = length == 1 ? lead < 0x20 || lead == 0x7f : lead == 0xc2 && static_cast<unsigned char>(at[1]) < 0xa0;
    if (length == 0 || control) return false;
    at += length;
  }
  return true;
}

} // namespace

std::optional<request_problem> fault_of_model_name(std::string_view name) {
  if (name.empty()) return request_problem{"Invalid 'model': empty string.", "model", "empty_string"};
  if (name.size() > model_name_limit)
    return request_problem{"Invalid 'model': longer than 256 bytes.", "model", "string_above_max_length"};
  if (!is_clean_name(name))
    return request_problem{"Invalid 'model': contains control characters or is not UTF-8.", "model", "invalid_value"};
  return std::nullopt;
}

request_problem fault_of_json(const json::result& read) {
  auto byte = " (byte " + std::to_string(read.offset) + ")";
  switch (read.what) {
  case json::outcome::empty: return {"The body is empty; a JSON object is expected.", "", "invalid_json"};
  case json::outcome::cut_off:
    return {"The body is not valid JSON: it ends in the middle" + byte + ".", "", "invalid_json"};
  case json::outcome::too_deep:
    return {"The body is nested more than " + std::to_string(json::depth_limit) + " levels deep" + byte + ".", "",
            "nesting_too_deep"};
  case json::outcome::not_utf8: return {"The body is not valid UTF-8" + byte + ".", "", "invalid_utf8"};
  default: return {"The body is not valid JSON: " + std::string(read.reason) + byte, "", "invalid_json"};
  }
}

} // namespace mainstay
