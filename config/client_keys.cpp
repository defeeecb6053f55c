#include "config/client_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace mainstay::config {
namespace {

constexpr std::string_view made_here = "msk_", scheme = "sha256:";
constexpr std::size_t id_bytes = 8, secret_bytes = 32, salt_bytes = 16, digest_bytes = 32;
constexpr std::size_t id_digits = 2 * id_bytes;

struct free_openssl {
  void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

/// One context per thread and one fetched algorithm, for it is done with every request.
std::string salted(std::string_view salt, std::string_view key) {
  static const std::unique_ptr<EVP_MD, free_openssl> algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, free_openssl> context(EVP_MD_CTX_new());
  std::string digest(digest_bytes, '\0');
  unsigned length = 0;
  if (!context || !algorithm || EVP_DigestInit_ex2(context.get(), algorithm.get(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), salt.data(), salt.size()) != 1 ||
      EVP_DigestUpdate(context.get(), key.data(), key.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &length) != 1)
    throw std::runtime_error("OpenSSL provides no SHA-256");
  return digest;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
    throw std::runtime_error("OpenSSL provides no random numbers");
  return out;
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) (out += digits[byte >> 4]) += digits[byte & 15];
  return out;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<std::string> from_hex(std::string_view text, std::size_t bytes) {
  if (text.size() != 2 * bytes || !is_hex(text)) return std::nullopt;
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) out += static_cast<char>(value(text[i]) << 4 | value(text[i + 1]));
  return out;
}

/// Empty: the key was not made here.
std::string_view id_of(std::string_view key) {
  const bool ours = key.size() == made_here.size() + id_digits + 1 + 2 * secret_bytes && key.starts_with(made_here) &&
                    key[made_here.size() + id_digits] == '_';
  return ours ? key.substr(made_here.size(), id_digits) : std::string_view();
}

std::string text_of(std::string_view salt, std::string_view key, std::string_view id) {
  return std::string(scheme) + hex(salt) + ":" + hex(salted(salt, key)) + (id.empty() ? "" : ":" + std::string(id));
}

bool same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace

secret make_client_key() {
  return secret(std::string(made_here) + hex(random_bytes(id_bytes)) + "_" + hex(random_bytes(secret_bytes)));
}

std::string hash_client_key(const secret& key) {
  return text_of(random_bytes(salt_bytes), key.reveal(), id_of(key.reveal()));
}

std::string hash_named_key(const secret& key) {
  static const auto salt = random_bytes(salt_bytes);
  return text_of(salt, key.reveal(), {});
}

std::optional<key_hash> parse_key_hash(std::string_view text) {
  constexpr auto digest_at = scheme.size() + 2 * salt_bytes + 1, id_at = digest_at + 2 * digest_bytes + 1;
  const bool has_id = text.size() == id_at + id_digits;
  if (!text.starts_with(scheme) || (!has_id && text.size() != id_at - 1)) return std::nullopt;
  if (text[digest_at - 1] != ':' || (has_id && text[id_at - 1] != ':')) return std::nullopt;
  auto salt = from_hex(text.substr(scheme.size(), 2 * salt_bytes), salt_bytes);
  auto digest = from_hex(text.substr(digest_at, 2 * digest_bytes), digest_bytes);
  const auto id = has_id ? text.substr(id_at) : std::string_view();
  if (!salt || !digest || !is_hex(id)) return std::nullopt;
  return key_hash{std::move(*salt), std::move(*digest), std::string(id)};
}

void key_ring::add(const key_hash& h, std::size_t client, std::optional<utc_time> until) {
  entry e{h.salt, h.digest, client, until};
  if (!h.id.empty()) {
    by_id_.insert_or_assign(h.id, std::move(e));
    return;
  }
  auto in = std::find_if(by_salt_.begin(), by_salt_.end(), [&](auto& g) { return g.salt == h.salt; });
  if (in == by_salt_.end()) in = by_salt_.insert(in, {h.salt, {}});
  in->by_digest.insert_or_assign(h.digest, std::move(e));
}

std::optional<std::size_t> key_ring::find(std::string_view key, utc_time now) const {
  if (key.empty() || key.size() > longest_client_key) return std::nullopt;
  const auto owner = [&](const entry& e, const std::string& digest) -> std::optional<std::size_t> {
    if (!same(e.digest, digest) || (e.until && *e.until <= now)) return std::nullopt;
    return e.client;
  };
  if (const auto id = id_of(key); !id.empty())
    if (const auto found = by_id_.find(std::string(id)); found != by_id_.end())
      if (const auto who = owner(found->second, salted(found->second.salt, key))) return who;
  // Whoever tries keys does not know the salts: how long it takes to find no such digest tells him nothing.
  for (const auto& group : by_salt_) {
    const auto digest = salted(group.salt, key);
    if (const auto found = group.by_digest.find(digest); found != group.by_digest.end())
      if (const auto who = owner(found->second, digest)) return who;
  }
  return std::nullopt;
}

} // namespace mainstay::config
