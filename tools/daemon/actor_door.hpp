// A listening socket over which CAF's nodes reach one actor of ours: the console's where it speaks mutual TLS, and the
// peers'. CAF's own (caf::openssl::publish) takes connections without end, keeps whoever never finishes a handshake,
// lets in every certificate of the authority, ends the process when it cannot open its files, and lets whoever is in
// speak to every actor. This one makes CAF's connections itself. Promises: at most `most_connections`; a handshake has
// five seconds, and when places are used up the oldest one makes room, who has shown its certificate never; a
// connection that cannot be made is closed, and that is all; nobody else but the actor is reached (net/basp_gate).
#pragma once

#include "actors/actors.hpp"
#include "net/tls_stream.hpp"

#include <memory>
#include <set>
#include <string>

namespace mainstay {

class actor_door {
public:
  static constexpr std::size_t largest_message = 9u << 20; // a peer's, and what it stands in

  struct terms {
    std::string host;
    std::uint16_t port = 0;
    std::size_t most_connections = 0;
    std::shared_ptr<const tls_context> tls; // null: in the clear
    bool of_nodes = false;                  // who is stuck is given up, and dials again
  };
  /// Listens. Throws std::runtime_error.
  template <class Handle>
  actor_door(caf::actor_system& sys, const Handle& actor, terms t)
    : actor_door(sys, caf::actor_cast<caf::strong_actor_ptr>(actor), sys.message_types(actor), std::move(t)) {}
  ~actor_door();
  actor_door(const actor_door&) = delete;
  actor_door& operator=(const actor_door&) = delete;

  /// For connections to come. Those of guests whose certificates have no name that it lets in are ended.
  void use_tls(std::shared_ptr<const tls_context>);
  std::uint16_t port() const noexcept { return port_; }

private:
  actor_door(caf::actor_system&, caf::strong_actor_ptr, std::set<std::string> interface, terms);

  struct staff;
  caf::actor_system& system_;
  std::unique_ptr<staff> staff_;
  std::uint16_t port_ = 0;
};

/// The connection breaks when its other end acknowledges nothing for some seconds.
void give_up_when_stuck(int fd);

} // namespace mainstay
