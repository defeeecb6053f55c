// redis://[user[:password]@]host[:port][/database]. Errors name the part that is wrong and never repeat the password.
#include "net/redis_client.hpp"

#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace mainstay {
namespace {

[[noreturn]] void wrong(const std::string& what) { throw std::invalid_argument("redis url: " + what); }

int number(std::string_view text, int lowest, int highest, const char* what) {
  int n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size() || n < lowest || n > highest)
    wrong(std::string("the ") + what + " must be a number from " + std::to_string(lowest) + " to " +
          std::to_string(highest));
  return n;
}

std::string decode(std::string_view text, const char* what) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char byte = 0;
    const char* hex = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(hex, hex + 2, byte, 16).ptr != hex + 2)
      wrong(std::string("the ") + what + " has a '%' that is not followed by two hexadecimal digits");
    out += char(byte);
    i += 2;
  }
  return out;
}

/// Cuts `text` at the first `mark`; the part behind it, if there is a mark.
std::optional<std::string_view> cut(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

} // namespace

redis_settings parse_redis_url(const std::string& url) {
  redis_settings s;
  std::string_view rest = url;
  if (rest.starts_with("rediss://")) wrong("TLS (rediss://) is not supported");
  if (!rest.starts_with("redis://")) wrong("it must begin with redis://");
  rest.remove_prefix(8);
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    auto user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    const auto password = cut(user, ':');
    s.user = decode(user, "user");
    if (password) s.password = secret(decode(*password, "password"));
  }
  if (const auto database = cut(rest, '/'); database && !database->empty())
    s.database = number(*database, 0, 1'000'000, "database");
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) wrong("the address lacks its ']'");
    s.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest[0] != ':') wrong("after the address only a port may follow");
    if (!rest.empty()) s.port = std::uint16_t(number(rest.substr(1), 1, 65535, "port"));
  } else {
    if (const auto port = cut(rest, ':')) s.port = std::uint16_t(number(*port, 1, 65535, "port"));
    s.host = rest;
  }
  if (s.host.empty()) wrong("the host is missing");
  if (s.host.find_first_of(" \t?#%") != std::string::npos) wrong("the host has characters that are not allowed");
  return s;
}

} // namespace mainstay
