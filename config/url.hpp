// URLs cut into their parts, as far as the configuration needs them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::config {

struct host_port {
  std::string_view host;                // without brackets
  std::optional<std::string_view> port; // as written; none: no colon
};
/// "host", "host:port", "[v6]", "[v6]:port". None where brackets are missing or do not match.
std::optional<host_port> split_host_port(std::string_view) noexcept;

/// 0 to 65535, digits only.
std::optional<std::uint16_t> parse_port(std::string_view) noexcept;

struct url_parts {
  std::string_view scheme, user; // user: what stands before the @, password included; empty if nothing does
  bool has_user = false;
  std::string_view authority; // host and port
  std::string_view path;      // from the first slash, question mark or hash on
};
/// None without "scheme://".
std::optional<url_parts> split_url(std::string_view) noexcept;

/// Where `path` (it begins with '/', and may have a query) is asked for at a provider: behind the base URL's own path
/// and before its query; `{model}` in the base URL is the model's name.
std::string url_at(std::string_view base_url, std::string_view path, std::string_view model);

} // namespace mainstay::config
