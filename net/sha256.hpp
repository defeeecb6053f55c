// SHA-256 (FIPS 180-4), by OpenSSL: fingerprints of requests.
#pragma once

#include <string>
#include <string_view>

namespace mainstay {

/// The 32 bytes of the digest. Throws std::runtime_error if OpenSSL cannot provide SHA-256, and nothing else than
/// memory can make it.
std::string sha256(std::string_view bytes);

/// The 32 bytes of HMAC-SHA-256 (RFC 2104). Throws std::runtime_error if OpenSSL cannot provide it.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

/// Two lower-case digits a byte.
std::string hex(std::string_view bytes);

} // namespace mainstay
