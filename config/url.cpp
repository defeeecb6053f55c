// What is wrong with a URL, in words that never repeat it.
#include "config/url.hpp"

#include "config/address.hpp"

#include <algorithm>
#include <initializer_list>

namespace mainstay::config {
namespace {

constexpr std::size_t longest_url = 2048;

bool visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

bool one_of(std::string_view scheme, std::initializer_list<std::string_view> served) noexcept {
  return std::find(served.begin(), served.end(), scheme) != served.end();
}

std::string fault_of_authority(std::string_view authority) {
  const auto parts = split_host_port(authority);
  if (!parts || !is_host(parts->host)) return "has no valid host";
  if (parts->port && parse_port(*parts->port).value_or(0) == 0) return "has no valid port (1 to 65535)";
  return {};
}

std::string fault_of_text(std::string_view url) {
  if (url.empty()) return "is empty";
  if (url.size() > longest_url) return "is longer than " + std::to_string(longest_url) + " characters";
  if (!visible(url)) return "holds a blank, a control character or a non-ASCII letter";
  return {};
}

constexpr std::string_view model_place = "{model}"; // Azure's deployments are named in the path

std::string encoded(std::string_view segment) {
  constexpr auto digits = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : segment) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || c == ':' || c == '@';
    if (plain)
      out += static_cast<char>(c);
    else
      ((out += '%') += digits[c >> 4]) += digits[c & 15];
  }
  return out;
}

bool is_database(std::string_view path) noexcept {
  if (path.empty() || path == "/") return true;
  return path.size() <= 5 && path.find_first_not_of("0123456789", 1) == path.npos;
}

} // namespace

std::optional<url_parts> split_url(std::string_view url) noexcept {
  const auto mark = url.find("://");
  if (mark == url.npos) return std::nullopt;
  url_parts out;
  out.scheme = url.substr(0, mark);
  url.remove_prefix(mark + 3);
  const auto end = std::min(url.find_first_of("/?#"), url.size());
  out.authority = url.substr(0, end);
  out.path = url.substr(end);
  if (const auto at = out.authority.rfind('@'); at != out.authority.npos) {
    out.user = out.authority.substr(0, at);
    out.has_user = true;
    out.authority.remove_prefix(at + 1);
  }
  return out;
}

std::string fault_of_base_url(std::string_view url) {
  if (auto fault = fault_of_text(url); !fault.empty()) return fault;
  const auto parts = split_url(url);
  if (!parts || !one_of(parts->scheme, {"http", "https"})) return "must begin with https:// or http://";
  if (parts->has_user) return "must not hold a user or password: secrets belong into keys";
  if (parts->path.find('#') != parts->path.npos) return "must not hold a fragment (#)";
  return fault_of_authority(parts->authority);
}

std::string url_at(std::string_view base_url, std::string_view path, std::string_view model) {
  const auto query_at = std::min(base_url.find('?'), base_url.size());
  const auto query = base_url.substr(query_at);
  std::string out(base_url.substr(0, query_at));
  out.erase(out.find_last_not_of('/') + 1);
  if (const auto at = out.find(model_place); at != out.npos) out.replace(at, model_place.size(), encoded(model));
  out += path;
  if (query.size() > 1) {
    out += path.find('?') == path.npos ? '?' : '&';
    out += query.substr(1);
  }
  return out;
}

std::string fault_of_proxy(std::string_view url) {
  if (auto fault = fault_of_text(url); !fault.empty()) return fault;
  const auto parts = split_url(url);
  if (!parts || !one_of(parts->scheme, {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}))
    return "must begin with http://, https://, socks4://, socks4a://, socks5:// or socks5h://";
  if (!parts->path.empty() && parts->path != "/") return "must end after host and port";
  return fault_of_authority(parts->authority);
}

std::string fault_of_redis_url(std::string_view url) {
  if (auto fault = fault_of_text(url); !fault.empty()) return fault;
  const auto parts = split_url(url);
  if (!parts || parts->scheme != "redis") return "must begin with redis://";
  if (!is_database(parts->path)) return "must end in the database's number: redis://host:6379/0";
  return fault_of_authority(parts->authority);
}

} // namespace mainstay::config
