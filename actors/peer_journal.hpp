// Looks for durable requests in other nodes' journals, and lets other nodes look into ours: whoever collects or cancels
// is answered by any node as by the one that has the request. Promises: a node that is not reached, or says nothing for
// a while, is named in the answer (503 node_unreachable), for then nobody knows that there is no such request; what
// another node asks is never passed on; a client is who its node says it is. Questions under way are bounded, here and
// for each peer.
#pragma once

#include "actors/actors.hpp"
#include "core/question_numbers.hpp"

#include <memory>

namespace mainstay {

struct peer_journal_store {
  directory_ptr names;
  config::settings_ptr settings;
  std::uint64_t last_question = some_number(); // outlive the actor: late answers are to other questions
  std::uint64_t last_guest = some_number();
};

/// `own`: this actor's stable name.
caf::strong_actor_ptr spawn_peer_journal(caf::actor_system&, std::shared_ptr<peer_journal_store>,
                                         peer_journal_actor own);

} // namespace mainstay
