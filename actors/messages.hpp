// Every message between actors: here those of all who are supervised, the others by what they are about. In-process
// messages are plain values that never leave the node (actors/local_message.hpp); what travels is in
// actors/remote_messages.hpp. Messages with secrets or prompts carry them behind pointers and print nothing.
#pragma once

#include "actors/answer_messages.hpp"
#include "actors/cluster_messages.hpp"
#include "actors/journal_messages.hpp"
#include "actors/letter.hpp"
#include "actors/local_message.hpp"
#include "actors/metrics_messages.hpp"
#include "actors/remote_messages.hpp"
#include "actors/request_messages.hpp"
#include "config/settings.hpp"
#include "core/lease.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mainstay {

struct directory; // actors/actors.hpp

// -- to everybody who is supervised

/// An injected fault: the handler throws. For drills and tests.
struct inject_fault {};
/// A new configuration, and the names that go with it. Counters, cooldowns and permits survive by name.
struct take_settings {
  config::settings_ptr value;
  std::shared_ptr<const directory> names;
};
/// How many messages wait in the mailbox?
struct ask_backlog {};
/// Asks for a picture of the state; each actor answers with its own view type.
struct look {};
/// The request is over or its run died: whatever it still holds here of these serials comes back.
struct owner_gone {
  request_id owner = 0;
  serial_range which;
};

// -- supervisor

struct actor_row {
  std::string name;
  std::uint64_t id = 0;
  std::uint64_t restarts = 0;
  bool up = false;
  std::string last_fault;
  double up_seconds = 0;
  std::uint64_t messages = 0; // that went to it by its name
};
struct crash_order {
  std::string name;
};

// -- console

/// As console_ask, but to be done here and nowhere else. `who`: as the audit names the operator.
struct console_order {
  std::vector<std::string> words;
  std::string who;
};

} // namespace mainstay

// clang-format off
MAINSTAY_LOCAL(inject_fault) MAINSTAY_LOCAL(take_settings) MAINSTAY_LOCAL(ask_backlog) MAINSTAY_LOCAL(look)
MAINSTAY_LETTER(owner_gone) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<mainstay::actor_row>)
MAINSTAY_LOCAL(crash_order) MAINSTAY_LOCAL(console_order)
    // clang-format on
