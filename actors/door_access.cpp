#include "actors/door_access.hpp"

#include "config/address.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace mainstay {

namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const auto length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  const auto padding = text.size() - text.find_last_not_of('=') - 1;
  if (length < 0 || padding > 2) return std::nullopt;
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

bool is_ipv4(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isdigit(c) || c == '.'; });
}

} // namespace

std::optional<std::string_view> credentials(std::string_view authorization, std::string_view scheme) {
  const auto blank = authorization.find(' ');
  if (blank == std::string_view::npos || lower(authorization.substr(0, blank)) != scheme) return std::nullopt;
  const auto from = authorization.find_first_not_of(' ', blank);
  if (from == std::string_view::npos) return std::nullopt;
  return authorization.substr(from);
}

bool same_key(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool brings_token(const header_list& headers, const secret& token) {
  const auto* given = find_header(headers, "authorization");
  if (!given) return false;
  if (const auto bearer = credentials(*given, "bearer")) return same_key(*bearer, token.reveal());
  const auto basic = credentials(*given, "basic");
  const auto user_and_password = basic ? from_base64(*basic) : std::nullopt;
  const auto colon = user_and_password ? user_and_password->find(':') : std::string::npos;
  return colon != std::string::npos && same_key(std::string_view(*user_and_password).substr(colon + 1), token.reveal());
}

bool names_this_machine(const header_list& headers, const std::string& listens_at) {
  const auto* given = find_header(headers, "host");
  if (!given) return true;
  auto host = lower(*given);
  if (host.starts_with('[')) return true; // an IPv6 address: no name server is asked for it
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == lower(listens_at) || (config::is_host(host) && is_ipv4(host));
}

} // namespace mainstay
