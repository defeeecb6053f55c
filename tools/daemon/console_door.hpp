// The console's listening socket where it speaks mutual TLS. CAF's own (caf::openssl::publish) takes connections
// without end, keeps whoever never finishes a handshake, and ends the process when it cannot open its files for want of
// descriptors: off loopback any stranger could. This one makes CAF's connections itself. Promises: at most
// `most_connections`; when they are used up the handshake that is the oldest makes room, a console that has shown its
// certificate never; a connection that cannot be made is closed, and that is all.
#pragma once

#include "actors/actors.hpp"

#include <caf/io/middleman_actor.hpp>

#include <string>

namespace mainstay {

class console_door {
public:
  /// Listens; the system has CAF's openssl module. Throws std::runtime_error.
  console_door(caf::actor_system&, const console_actor&, const std::string& host, std::uint16_t port,
               std::size_t most_connections);
  ~console_door();
  console_door(const console_door&) = delete;
  console_door& operator=(const console_door&) = delete;

  std::uint16_t port() const noexcept { return port_; }

private:
  caf::io::middleman_actor listener_;
  std::uint16_t port_ = 0;
};

} // namespace mainstay
