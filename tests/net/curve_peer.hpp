// The client's side of CURVE, written from the specification for the tests, and the fuzzer, that must say what no
// library would.
#pragma once

#include "net/curve_session.hpp"
#include "net/zmtp_wire.hpp"

#include <sodium.h>
#include <stdexcept>

namespace mainstay::mq::test {

struct key_pair {
  std::string public_key = std::string(32, '\0'), secret_key = std::string(32, '\0');
  key_pair() {
    if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be used");
    crypto_box_keypair(reinterpret_cast<unsigned char*>(public_key.data()),
                       reinterpret_cast<unsigned char*>(secret_key.data()));
  }
};

class curve_peer {
public:
  curve_peer(std::string server, key_pair own) : server_(std::move(server)), own_(std::move(own)) {}

  std::string hello() {
    const auto n = next();
    return "\5HELLO\1" + std::string(73, '\0') + transient_.public_key + n +
           box(std::string(64, '\0'), "CurveZMQHELLO---" + n, server_, transient_.secret_key);
  }

  /// Of the answer to a hello(): false if it is none for us.
  bool take_welcome(const std::string& command) {
    if (command.size() != 168 || !command.starts_with("\7WELCOME")) return false;
    const auto text = unbox(command.substr(24), "WELCOME-" + command.substr(8, 16), server_, transient_.secret_key);
    if (text.size() != 128) return false;
    their_transient_ = text.substr(0, 32);
    cookie_ = text.substr(32);
    return true;
  }

  /// `vouch_for`: the server key that the vouch names, if it is to be a wrong one.
  std::string initiate(const std::string& metadata, std::string vouch_for = "") {
    const std::string long_number(16, 'v');
    const auto vouch = long_number + box(transient_.public_key + (vouch_for.empty() ? server_ : vouch_for),
                                         "VOUCH---" + long_number, their_transient_, own_.secret_key);
    const auto n = next();
    return "\10INITIATE" + cookie_ + n +
           box(own_.public_key + vouch + metadata, "CurveZMQINITIATE" + n, their_transient_, transient_.secret_key);
  }

  /// What a READY says.
  std::string take_ready(const std::string& command) {
    if (!command.starts_with("\5READY") || command.size() < 30) return "no READY";
    return unbox(command.substr(14), "CurveZMQREADY---" + command.substr(6, 8), their_transient_,
                 transient_.secret_key);
  }

  std::string message(const std::string& bytes, unsigned char flags = 0) {
    const auto n = next();
    return "\7MESSAGE" + n +
           box(static_cast<char>(flags) + bytes, "CurveZMQMESSAGEC" + n, their_transient_, transient_.secret_key);
  }
  /// The flags and the bytes of what came.
  std::string take_message(const std::string& command) {
    if (!command.starts_with("\7MESSAGE") || command.size() < 33) return "no MESSAGE";
    return unbox(command.substr(16), "CurveZMQMESSAGES" + command.substr(8, 8), their_transient_,
                 transient_.secret_key);
  }

  std::uint64_t number = 0; // of the last nonce

private:
  std::string next() {
    ++number;
    std::string out;
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
    return out;
  }
  static const unsigned char* bytes(const std::string& s) { return reinterpret_cast<const unsigned char*>(s.data()); }
  static std::string box(const std::string& text, const std::string& nonce, const std::string& to,
                         const std::string& from) {
    std::string out(text.size() + 16, '\0');
    if (crypto_box_easy(reinterpret_cast<unsigned char*>(out.data()), bytes(text), text.size(), bytes(nonce), bytes(to),
                        bytes(from)) != 0)
      throw std::runtime_error("a box cannot be made");
    return out;
  }
  static std::string unbox(const std::string& boxed, const std::string& nonce, const std::string& from,
                           const std::string& to) {
    std::string out(boxed.size() - 16, '\0');
    const bool opened = crypto_box_open_easy(reinterpret_cast<unsigned char*>(out.data()), bytes(boxed), boxed.size(),
                                             bytes(nonce), bytes(from), bytes(to)) == 0;
    return opened ? out : "it does not open";
  }

  const std::string server_;
  const key_pair own_, transient_;
  std::string their_transient_ = std::string(32, '\7'), cookie_ = std::string(96, '\0'); // nobody's until a WELCOME
};

/// The Socket-Type of a DEALER.
inline const std::string dealer_properties("\13Socket-Type\0\0\0\6DEALER", 22);

} // namespace mainstay::mq::test
