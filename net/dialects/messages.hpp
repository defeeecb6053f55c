// The two halves of Anthropic's Messages API at the door: messages_request.cpp reads what callers send,
// messages_teller.cpp says what they are told.
#pragma once

#include "net/dialects/caller_dialect.hpp"

namespace mainstay {

std::unique_ptr<answer_teller> messages_teller();

} // namespace mainstay
