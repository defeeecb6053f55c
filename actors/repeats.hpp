// Repeated requests: one actor that asks core/repeat_book who runs, waits or gets the first answer again under an
// idempotency key, and holds the questions of those who wait. Where there is a journal, keys that the book does not
// know are looked for there before anybody runs, and answers are kept there too; while it cannot be asked, nobody runs.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

struct repeats_store {
  explicit repeats_store(const config::settings&);
  repeat_book book;
};

/// Of a client's key among all clients' keys.
std::string repeat_key(const std::string& client, const std::string& key);

caf::strong_actor_ptr spawn_repeats(caf::actor_system&, std::shared_ptr<repeats_store>, journal_actor);

} // namespace mainstay
