#include "net/peer_name.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

namespace mainstay {

peer_name name_of(const sockaddr_storage& from) {
  char host[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET6) {
    auto& a = reinterpret_cast<const sockaddr_in6&>(from);
    auto port = ":" + std::to_string(ntohs(a.sin6_port));
    if (IN6_IS_ADDR_V4MAPPED(&a.sin6_addr)) {
      ::inet_ntop(AF_INET, a.sin6_addr.s6_addr + 12, host, sizeof host);
      return {host + port, a.sin6_addr.s6_addr[12] == 127};
    }
    ::inet_ntop(AF_INET6, &a.sin6_addr, host, sizeof host);
    return {"[" + std::string(host) + "]" + port, IN6_IS_ADDR_LOOPBACK(&a.sin6_addr) != 0};
  }
  if (from.ss_family != AF_INET) return {"", from.ss_family == AF_UNIX};
  auto& a = reinterpret_cast<const sockaddr_in&>(from);
  ::inet_ntop(AF_INET, &a.sin_addr, host, sizeof host);
  return {host + (":" + std::to_string(ntohs(a.sin_port))), (ntohl(a.sin_addr.s_addr) >> 24) == 127};
}

std::string address_of(std::string_view text) {
  if (text.empty()) return "local";
  if (!text.starts_with('[')) return std::string(text.substr(0, text.rfind(':')));
  const std::string host(text.substr(1, text.find(']') - 1));
  in6_addr a{};
  char out[INET6_ADDRSTRLEN] = "";
  if (::inet_pton(AF_INET6, host.c_str(), &a) != 1) return host;
  std::fill(a.s6_addr + 8, a.s6_addr + 16, 0);
  ::inet_ntop(AF_INET6, &a, out, sizeof out);
  return std::string(out) + "/64";
}

} // namespace mainstay
