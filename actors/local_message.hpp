// How CAF is told that a message never leaves the process, so that it needs no serialisation: at the foot of each
// header of messages, outside of its namespace. Says nothing of what travels (actors/remote_messages.hpp).
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#define MAINSTAY_LOCAL(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(mainstay::type)
/// One that travels in a letter, and so must not get lost.
#define MAINSTAY_LETTER(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(mainstay::letter<mainstay::type>)
