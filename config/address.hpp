// Where doors listen and where providers live: addresses and URLs taken apart by rule, without asking any name server.
#pragma once

#include "config/settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mainstay::config {

/// An IPv4 or IPv6 address (without brackets) or a host name; "12.0.0" and "127.1" are none.
bool is_host(std::string_view) noexcept;

/// "10.0.0.1:4300" or "[::1]:4300" for every spelling of it; none: the host is a name, or wildcard.
std::optional<std::string> plain_address(const listen_address&);

/// 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& host) noexcept;

/// "127.0.0.1:8080", "[::1]:8080", "localhost:0" (0: any free port).
std::optional<listen_address> parse_listen(std::string_view);

/// "tcp://HOST:PORT" (HOST may be *, PORT may be * or 0 for any) or "ipc://PATH", whose host is then empty.
struct zmq_address {
  listen_address tcp;
  std::string path;
  bool loopback() const noexcept { return !path.empty() || is_loopback(tcp.host); }
};
std::optional<zmq_address> parse_zmq_listen(std::string_view);

/// Whether one of them would find the other's port taken. Wildcard hosts (0.0.0.0, ::, *) take every address.
bool collide(const listen_address&, const listen_address&) noexcept;

/// What is wrong with it; empty if nothing. The texts never repeat the URL: it may hold a password.
std::string fault_of_base_url(std::string_view); // http, https; host; perhaps port and path
std::string
    fault_of_proxy(std::string_view); // http, https, socks4, socks4a, socks5, socks5h; perhaps user and password
std::string fault_of_redis_url(std::string_view); // redis://[user[:password]@]host[:port][/database]

} // namespace mainstay::config
