// The two halves of OpenAI's Responses API at the door: responses_request.cpp reads what callers send,
// responses_teller.cpp says what they are told. Nothing is kept between two requests.
#pragma once

#include "net/dialects/caller_dialect.hpp"

namespace mainstay {

/// Of the request, what its response says again.
struct responses_echo {
  std::string members;              // "instructions":...,"tools":... and so on, as JSON
  bool encrypted_reasoning = false; // include: reasoning.encrypted_content
};
std::unique_ptr<answer_teller> responses_teller(responses_echo);

} // namespace mainstay
