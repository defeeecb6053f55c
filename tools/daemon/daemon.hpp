// The daemon: the actor system, the sockets around it, and their order of birth and death.
#pragma once

#include "actors/doors.hpp"
#include "actors/metrics_door.hpp"
#include "actors/supervisor.hpp"
#include "actors/turn.hpp"
#include "tools/daemon/actor_door.hpp"
#include "tools/daemon/peer_links.hpp"

#include <atomic>
#include <mutex>
#include <stdexcept>

namespace mainstay {

/// "FILE: KEY: what is wrong", as the configuration's other errors read.
class bad_setting : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class daemon {
public:
  /// Starts everything; throws bad_setting for what only the start can find wrong in the configuration, and
  /// std::exception with the address that could not be bound.
  daemon(std::string config_file, config::settings_ptr, bool json_logs);
  ~daemon();

  /// Reads the file again, as a signal asked for. A wrong one is logged, every error, and changes nothing.
  void reload_by_signal();

  /// Refuses what is new, finishes what runs, ends everything. Returns the exit code: 0, 3 if the limit cut something
  /// off, 4 if an actor was given up.
  int drain();

  /// "3 in flight", from the event loop, the supervisor and the dispatcher; nothing if one of them did not answer in
  /// time. Any thread.
  std::optional<std::string> pulse(duration patience);

private:
  class system_config;
  daemon_hooks::outcome reload();
  /// Writes it down, and puts it in force: what is taken away before, what is given afterwards.
  daemon_hooks::outcome change_client(const client_order&);
  /// Why not; empty: it is on disk.
  std::string keep(const client_change&);
  /// Why somebody was not told; empty: everybody knows it.
  std::string tell_household(const config::settings_ptr&);
  void open_doors();
  void open_console(const config::listen_address&);
  void open_to_peers(const config::cluster_settings&);
  /// Certificates and keys of doors that have some; for connections to come.
  void renew_encryption();
  void shut_down();
  std::string later_settings(const config::settings&) const;
  std::string later_encryption(const config::settings&) const;
  std::string later_cluster(const config::settings&) const;
  std::optional<drain_result> drain_dispatcher(instant until);
  /// How many durable requests have no answer; none: it did not say.
  std::optional<std::uint64_t> flush_journal();
  /// What is reported of the last requests is with everybody who tells of it.
  void flush_reports();
  daemon_hooks hooks();

  const bool json_logs_;
  std::string file_;
  config::settings_ptr from_file_;
  kept_files kept_; // opened before anything else
  client_changes changes_;
  config::settings_ptr settings_;                         // in force: the file's, with the changes
  const std::optional<config::cluster_settings> cluster_; // as at the start
  std::mutex reloading_;
  std::atomic<bool> ready_{false}, given_up_{false};
  instant started_ = clock::now();
  std::shared_ptr<live_settings> live_;
  std::shared_ptr<event_loop> loop_; // both HTTP doors, the calls to providers and the actors they speak to
  std::shared_ptr<http::client> client_;
  std::unique_ptr<system_config> system_config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<turn> turn_;
  household house_;
  std::shared_ptr<dialled_links> links_;     // null: this node is alone
  std::unique_ptr<actor_door> console_door_; // where the console speaks TLS
  std::unique_ptr<actor_door> peer_door_;
  std::unique_ptr<http::server> http_, metrics_;
  std::unique_ptr<mq::server> zmq_;
  bool http_tls_ = false, metrics_tls_ = false, curve_ = false, peer_tls_ = false; // what the doors were opened with
};

} // namespace mainstay
