// What a node says of a circuit or a provider key: to its peers of its own, or, with `from`, as a peer said it of
// theirs. A peer's word is advice: it makes nobody sure, it never lasts longer than `longest_advice` unless it is said
// again, and it is never told on.
#pragma once

#include "core/circuit.hpp"

#include <string>

namespace mainstay {

struct circuit_word {
  std::string provider;
  std::string model; // empty: its endpoint ...
  std::string way;   // ... by that way; empty: it has only one
  circuit_state state = circuit_state::closed;
  instant until{};  // of an open one
  std::string why;  // it was opened: a failure class
  std::string from; // the peer's address; empty: found here

  /// What of two words is about the same.
  std::string subject() const { return provider + '\n' + model + '\n' + way; }
  /// There is nothing to be told once that is told.
  bool over(instant) const noexcept { return state == circuit_state::closed; }
  /// It matters to who has just come.
  bool stands(instant now) const noexcept { return state == circuit_state::open && until > now; }
  bool same(const circuit_word& other) const noexcept { return state == other.state && until == other.until; }
};

struct key_word {
  std::string key;
  bool disabled = false; // by its provider, not by an operator
  instant until{};       // not to be used before
  std::string why;
  std::size_t secret_hash = 0; // of the secret it is about; only within the node
  std::string from;

  const std::string& subject() const noexcept { return key; }
  bool over(instant now) const noexcept { return !stands(now); }
  bool stands(instant now) const noexcept { return disabled || until > now; }
  bool same(const key_word& other) const noexcept {
    return disabled == other.disabled && until == other.until && secret_hash == other.secret_hash;
  }
};

} // namespace mainstay
