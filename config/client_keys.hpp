// Clients' keys: how one is made, what is kept of it and how its client is found. Kept is a salted SHA-256 alone, as
// text: "sha256:SALT:DIGEST", and for keys that were made here ":ID" behind it, the public part of the key, which finds
// its hash at once whatever their number. A fast hash is enough for 256 random bits; of keys that somebody thought up
// it asks for length (docs/operations.md). Digests are compared in constant time.
#pragma once

#include "core/clock.hpp"
#include "core/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mainstay::config {

constexpr std::size_t shortest_hashed_key = 32; // who has the hash may try as many as he likes, without asking a door
constexpr std::size_t longest_client_key = 512;

/// "msk_ID_SECRET": 64 random bits that may be shown, and 256 that may not, in hex. Throws std::runtime_error if
/// OpenSSL has no random numbers.
secret make_client_key();

/// What is kept of that key, under a salt of its own.
std::string hash_client_key(const secret& key);
/// The same for keys that stand in the configuration or its environment: all of a process under one salt.
std::string hash_named_key(const secret& key);

struct key_hash {
  std::string salt, digest; // bytes
  std::string id;           // empty: of a key that was not made here
};
std::optional<key_hash> parse_key_hash(std::string_view text);

/// Finds whose a key is: one digest for a key that was made here, otherwise one for each salt.
class key_ring {
public:
  static constexpr std::size_t most_salts = 16;

  void add(const key_hash&, std::size_t client, std::optional<utc_time> until = {});
  std::optional<std::size_t> find(std::string_view key, utc_time now) const;
  std::size_t salts() const noexcept { return by_salt_.size(); }

private:
  struct entry {
    std::string salt, digest;
    std::size_t client = 0;
    std::optional<utc_time> until;
  };
  std::unordered_map<std::string, entry> by_id_;
  struct group {
    std::string salt;
    std::unordered_map<std::string, entry> by_digest;
  };
  std::vector<group> by_salt_;
};

} // namespace mainstay::config
