// Words about circuits and keys as JSON, the heads of `circuit.news` and `key.news`: times are what is left of them,
// for no two nodes' clocks agree, and a secret is its mark. What comes in is judged: a head that is no list of words,
// or of too many, is none; words that make no sense are left out and counted.
#pragma once

#include "core/peer_word.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::words {

inline constexpr std::size_t most_words = 100; // in one message

std::string circuits(const std::vector<circuit_word>&, instant now);
struct heard_circuits {
  std::vector<circuit_word> good;
  std::uint64_t bad = 0;
};
std::optional<heard_circuits> circuits_in(const std::string& head, const std::string& from, instant now);

/// `mark_of` a key's secret.
std::string keys(const std::vector<key_word>&, const std::function<std::string(const std::string& key)>& mark_of,
                 instant now);
struct heard_key {
  key_word word;
  std::string mark;
};
struct heard_keys {
  std::vector<heard_key> good;
  std::uint64_t bad = 0;
};
std::optional<heard_keys> keys_in(const std::string& head, const std::string& from, instant now);

} // namespace mainstay::words
