// The console's listening socket where it speaks mutual TLS. CAF's own (caf::openssl::publish) takes connections
// without end, keeps whoever never finishes a handshake, lets in every certificate of the authority, and ends the
// process when it cannot open its files: off loopback any stranger could. This one makes CAF's connections itself, with
// net/tls_stream. Promises: at most `most_connections`; a handshake has five seconds, and when places are used up the
// oldest one makes room, a console that has shown its certificate never; a connection that cannot be made is closed,
// and that is all.
#pragma once

#include "actors/actors.hpp"
#include "net/tls_stream.hpp"

#include <memory>
#include <string>

namespace mainstay {

class console_door {
public:
  /// Listens. Throws std::runtime_error.
  console_door(caf::actor_system&, const console_actor&, const std::string& host, std::uint16_t port,
               std::size_t most_connections, std::shared_ptr<const tls_context>);
  ~console_door();
  console_door(const console_door&) = delete;
  console_door& operator=(const console_door&) = delete;

  /// For connections to come. Those of consoles whose certificates have no name that it lets in are ended.
  void use_tls(std::shared_ptr<const tls_context>);
  std::uint16_t port() const noexcept { return port_; }

private:
  struct staff;
  caf::actor_system& system_;
  std::unique_ptr<staff> staff_;
  std::uint16_t port_ = 0;
};

} // namespace mainstay
