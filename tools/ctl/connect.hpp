// The way to a node: where it is, with which certificate, and why it could not be reached. With a certificate the
// connection is mutual TLS; the files are judged before CAF reads them, for it ends the process over wrong ones.
#pragma once

#include "actors/actors.hpp"

#include <caf/io/middleman_actor.hpp>

#include <string>

namespace mainstay::ctl {

/// Where the node's console is.
struct console_address {
  std::string host;
  std::uint16_t port = 0;
};

/// Files of PEM; all or none.
struct certificate_files {
  std::string cert, key, ca;
  bool any() const noexcept { return !cert.empty() || !key.empty() || !ca.empty(); }
};

/// What is wrong with them, a line each; "": nothing.
std::string faults_of(const certificate_files&);

/// Tells CAF, before its system begins.
void use(const certificate_files&, caf::actor_system_config&);

/// Who connects: with TLS where the system was told so.
caf::io::middleman_actor connector(caf::actor_system&);

struct connection {
  console_actor console; // null: it could not be reached
  std::string why_not;   // a sentence
};
/// Within five seconds.
connection connect(caf::actor_system&, const console_address&, const certificate_files&);

} // namespace mainstay::ctl
