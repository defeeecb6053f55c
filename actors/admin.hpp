// The admin: the console's typed interface. One command line in, one JSON object out. Asks everybody for their views,
// passes orders on. Runs on a thread of its own, so that a slow answer delays no other actor.
#pragma once

#include "actors/actors.hpp"

#include <functional>

namespace mainstay {

class audit_store;
class peer_links;

/// What only the daemon itself can do.
struct daemon_hooks {
  struct outcome {
    bool ok = false;
    std::string text;
  };
  std::function<outcome()> reload; // reads the file again; keeps the last good configuration
  std::function<outcome(const client_order&)> change_client;
  std::function<void()> drain; // begins the drain; returns at once
  std::function<bool()> ready;
  std::string version;
  instant started{};
  bool json_logs = false;
  std::shared_ptr<peer_links> links; // null: this node is alone
};

struct admin_store {
  directory_ptr names;
  config::settings_ptr settings;
  daemon_hooks hooks;
  std::shared_ptr<audit_store> audit; // null: there is none
};

caf::strong_actor_ptr spawn_admin(caf::actor_system&, std::shared_ptr<admin_store>);

} // namespace mainstay
