// Who is at the other end of a connection, by its address.
#pragma once

#include <string>
#include <string_view>

struct sockaddr_storage;

namespace mainstay {

struct peer_name {
  std::string text; // "127.0.0.1:51234", "[::1]:51234"; empty: not over a network
  bool loopback = false;
};

/// IPv4 in IPv6's clothes counts as what it is.
peer_name name_of(const sockaddr_storage&);

/// What one caller's connections have in common: an IPv4 address, or the 64 bits of an IPv6 one that name its network,
/// for everybody has as many of the others as he likes ("2001:db8:0:1::/64"). `text`: as in peer_name; "local" for
/// none.
std::string address_of(std::string_view text);

} // namespace mainstay
