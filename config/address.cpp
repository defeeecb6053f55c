// Hosts, ports and listen addresses.
#include "config/address.hpp"

#include "config/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace mainstay::config {
namespace {

constexpr std::size_t longest_ipc_path = 107; // sun_path of a Unix domain socket, less its final zero

bool is_ip(int family, std::string_view text) noexcept {
  unsigned char out[sizeof(in6_addr)];
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != text.npos) return false;
  std::copy(text.begin(), text.end(), copy);
  return ::inet_pton(family, copy, out) == 1;
}

bool is_label(std::string_view label) noexcept {
  const auto inner = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), inner);
}

bool is_host_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 253) return false;
  std::string_view label;
  for (std::size_t at = 0; at <= name.size();) {
    const auto dot = std::min(name.find('.', at), name.size());
    label = name.substr(at, dot - at);
    if (!is_label(label)) return false;
    at = dot + 1;
  }
  // A last label of digits alone is an address gone wrong ("127.1", "256.0.0.1").
  return label.find_first_not_of("0123456789") != label.npos;
}

bool any_host(const std::string& host) noexcept { return host == "*" || host == "0.0.0.0" || host == "::"; }

} // namespace

bool is_host(std::string_view text) noexcept {
  return is_ip(AF_INET, text) || is_ip(AF_INET6, text) || is_host_name(text);
}

std::optional<std::string> plain_address(const listen_address& at) {
  unsigned char bytes[sizeof(in6_addr)];
  char text[INET6_ADDRSTRLEN];
  const auto port = ":" + std::to_string(at.port);
  if (::inet_pton(AF_INET, at.host.c_str(), bytes) == 1) {
    if (at.host == "0.0.0.0") return std::nullopt;
    return at.host + port;
  }
  if (::inet_pton(AF_INET6, at.host.c_str(), bytes) != 1 || !::inet_ntop(AF_INET6, bytes, text, sizeof text) ||
      text == std::string_view("::"))
    return std::nullopt;
  return "[" + std::string(text) + "]" + port;
}

bool is_loopback(const std::string& host) noexcept {
  if (host == "localhost") return true;
  if (is_ip(AF_INET, host)) return host.rfind("127.", 0) == 0;
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<host_port> split_host_port(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == text.npos || !is_ip(AF_INET6, text.substr(1, close - 1))) return std::nullopt;
    const auto rest = text.substr(close + 1);
    if (rest.empty()) return host_port{text.substr(1, close - 1), std::nullopt};
    if (rest.front() != ':') return std::nullopt;
    return host_port{text.substr(1, close - 1), rest.substr(1)};
  }
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (is_ip(AF_INET6, host)) return std::nullopt;
  if (colon == text.npos) return host_port{host, std::nullopt};
  return host_port{host, text.substr(colon + 1)};
}

std::optional<listen_address> parse_listen(std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts || !parts->port || !is_host(parts->host)) return std::nullopt;
  const auto port = parse_port(*parts->port);
  if (!port) return std::nullopt;
  return listen_address{std::string(parts->host), *port};
}

std::optional<zmq_address> parse_zmq_listen(std::string_view text) {
  constexpr std::string_view tcp = "tcp://", ipc = "ipc://";
  if (text.substr(0, ipc.size()) == ipc) {
    const auto path = text.substr(ipc.size());
    const bool clean = std::all_of(path.begin(), path.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    if (path.empty() || path.size() > longest_ipc_path || !clean) return std::nullopt;
    return zmq_address{{}, std::string(path)};
  }
  if (text.substr(0, tcp.size()) != tcp) return std::nullopt;
  const auto parts = split_host_port(text.substr(tcp.size()));
  if (!parts || !parts->port || (parts->host != "*" && !is_host(parts->host))) return std::nullopt;
  const auto port = *parts->port == "*" ? std::optional<std::uint16_t>(0) : parse_port(*parts->port);
  if (!port) return std::nullopt;
  return zmq_address{{std::string(parts->host), *port}, {}};
}

bool collide(const listen_address& a, const listen_address& b) noexcept {
  if (a.port != b.port || a.port == 0) return false;
  if (any_host(a.host) || any_host(b.host) || a.host == b.host) return true;
  // localhost is 127.0.0.1, ::1 or both, as the machine has it.
  const auto names = [](const listen_address& name, const listen_address& other) {
    return name.host == "localhost" && (other.host == "127.0.0.1" || other.host == "::1");
  };
  return names(a, b) || names(b, a);
}

} // namespace mainstay::config
