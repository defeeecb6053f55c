// The KeyManager: hears how every attempt with a provider key ended, and tells the governor which keys rest, which are
// dead and how well each does; the recovery, for which a model without a key is down; and peers, what was found here.
// Policy: core/key_health.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

/// Tells secrets of one key apart without keeping them.
std::size_t secret_hash(const secret&);

struct key_store {
  explicit key_store(const config::settings&);
  void reconfigure(const config::settings&);
  key_book policy;
  std::map<std::string, std::size_t> secrets; // by key: the hash of the one in force
};

/// `news`: null: there are no peers.
caf::strong_actor_ptr spawn_key_manager(caf::actor_system&, std::shared_ptr<key_store>, governor_actor, recovery_actor,
                                        peer_news_actor news = {});

} // namespace mainstay
