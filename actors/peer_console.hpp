// The console's way to other nodes: puts an operator's words to one of them, or to all, and gathers what they say
// (actors/console_others says which words those are). And theirs to ours: what a peer's operator wants is done by the
// admin here, in that operator's name. Promises: a node that does not answer is named, and waited for no longer than
// peer_patience; what another node asks is never passed on; questions under way are bounded, here and for each peer.
// A node without an admin door of its own obeys nobody.
#pragma once

#include "actors/actors.hpp"
#include "core/question_numbers.hpp"

#include <memory>

namespace mainstay {

struct peer_console_store {
  directory_ptr names;
  config::settings_ptr settings;
  std::uint64_t last_question = some_number(); // outlives the actor: late answers are to other questions
};

/// `own`: this actor's stable name.
caf::strong_actor_ptr spawn_peer_console(caf::actor_system&, std::shared_ptr<peer_console_store>,
                                         peer_console_actor own);

} // namespace mainstay
