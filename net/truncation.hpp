// A conversation that is too long, made shorter by leaving out its oldest turns. The caller's bytes are kept but for
// what is left out: messages are cut out of their list, never written anew.
#pragma once

#include "net/chat_request.hpp"

namespace mainstay {

/// At most `budget` tokens of prompt, by the estimate of parse_chat_request, the tools included.
/// What stays: every system message; the last user message, and of what follows it the last round (an answer, or calls
/// with their results); then, from the newest to the oldest, as much as fits: the other rounds behind the last user
/// message, and the turns before it, each from a user message to the next one. So calls and their results stay
/// together, and the list begins with the user if it did. Where the first thing left out was, a system message says so.
/// Of the turn that does not fit as a whole the end of its user's text is kept, if that text is plain and 1,000 tokens
/// of it or more are. Null: nothing has to go, nothing could be left out, or what must stay is too long by itself.
bytes_ptr leave_out_oldest(const chat_request&, std::uint64_t budget);

} // namespace mainstay
