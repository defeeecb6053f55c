// One context per thread and one fetched algorithm: OpenSSL 3 would otherwise look both up for every digest.
#include "net/sha256.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <stdexcept>

namespace mainstay {
namespace {

struct free_openssl {
  void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

const EVP_MD* algorithm() {
  static const std::unique_ptr<EVP_MD, free_openssl> fetched(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  return fetched.get();
}

} // namespace

std::string sha256(std::string_view bytes) {
  thread_local const std::unique_ptr<EVP_MD_CTX, free_openssl> context(EVP_MD_CTX_new());
  std::string digest(32, '\0');
  unsigned length = 0;
  if (!context || !algorithm() || EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &length) != 1 || length != 32)
    throw std::runtime_error("OpenSSL provides no SHA-256");
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string digest(32, '\0');
  unsigned length = 0;
  if (!algorithm() ||
      !HMAC(algorithm(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
            bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length) ||
      length != 32)
    throw std::runtime_error("OpenSSL provides no HMAC-SHA-256");
  return digest;
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) (out += digits[byte >> 4]) += digits[byte & 15];
  return out;
}

} // namespace mainstay
