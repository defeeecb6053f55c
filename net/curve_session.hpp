// CURVE, how ZeroMQ encrypts and knows its peers (rfc.zeromq.org/spec/26 and 25), the server's side of one connection:
// HELLO answered by WELCOME, INITIATE by READY, then each frame in a box of its own. Pure but for random numbers: what
// a client sent in, what it is sent out. Promises: whatever the bytes are, nothing is accepted that was not made for
// this door and this connection by a client whose key is listed; a box is opened once and in its order; keys of a
// connection are wiped with it. The length of commands is the reader's to limit (net/zmtp_wire).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace mainstay::mq {

/// The door's own pair, and the public keys of those who may connect: 32 bytes each.
struct curve_keys {
  std::string public_key, secret_key;
  std::set<std::string, std::less<>> clients;
};
/// The pair of a secret key. Throws std::runtime_error.
std::shared_ptr<const curve_keys> make_curve_keys(std::string secret_key, std::set<std::string, std::less<>> clients);

class curve_session {
public:
  /// How much longer a boxed frame is than what is in it.
  static constexpr std::size_t overhead = 33;

  explicit curve_session(std::shared_ptr<const curve_keys>);
  ~curve_session();
  curve_session(const curve_session&) = delete;
  curve_session& operator=(const curve_session&) = delete;

  /// A HELLO, to which `welcome` is the answer; false: it is none, or not for this door's key.
  bool hello(std::string_view command, std::string& welcome);

  enum class verdict : std::uint8_t { fine, malformed, stranger };
  /// An INITIATE and what it says of the socket.
  verdict initiate(std::string_view command, std::string& metadata);
  std::string ready(std::string_view metadata);

  enum flags : unsigned char { more = 1, command = 2 };
  /// A MESSAGE, of which what was in it is left; false: it is none, repeated, or altered.
  bool open(std::string& message, unsigned char& flags);
  /// Appends the MESSAGE of these bytes.
  void seal(std::string& out, unsigned char flags, std::string_view bytes);

  /// Of the client, after a fine INITIATE.
  const std::string& client_key() const noexcept { return client_; }

private:
  using key = std::array<unsigned char, 32>;
  bool is_next(std::string_view nonce) noexcept;
  void append_nonce(std::string& out);

  const std::shared_ptr<const curve_keys> keys_;
  key transient_public_{}, transient_secret_{}, cookie_key_{}, shared_{};
  std::string peer_, client_; // the client's transient and permanent public keys
  std::uint64_t heard_ = 0, said_ = 0;
  bool greeted_ = false, done_ = false;
};

} // namespace mainstay::mq
