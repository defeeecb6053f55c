// What other processes reach of an actor here over CAF's networking: a handle that is published in its place and passes
// on what its interface says, and nothing else. CAF delivers whatever somebody sends: orders to end (exit_msg), news of
// deaths, errors, answers to questions that were never asked of it, in the name of anybody; it even lets actors be
// linked. Promises: from here no such message reaches an actor; what does is from another process, and speaks for
// nobody but that one. Leaves who may connect to the doors.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

/// Of the part that speaks to other nodes. Never ends by itself.
peer_actor entrance_of(const cluster_actor&);
/// Of the console: questions.
console_actor entrance_of(const admin_actor&);

} // namespace mainstay
