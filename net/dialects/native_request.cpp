#include "net/dialects/caller_dialect.hpp"

#include "net/json_text.hpp"

namespace mainstay {

provider_request native_call(const native_request& asked, std::string_view model) {
  const auto& bytes = *asked.body;
  const auto [begin, end] = asked.model_value;
  std::string body;
  body.reserve(bytes.size() + model.size());
  body.append(bytes, 0, begin);
  json::append_string(body, model);
  body.append(bytes, end, std::string::npos);
  provider_request out{"/messages", asked.headers, make_bytes(std::move(body)), {}};
  if (!find_header(out.headers, "anthropic-version")) out.headers.emplace_back("anthropic-version", "2023-06-01");
  return out;
}

} // namespace mainstay
