// Anthropic's dialect: the input is a chat request to be put in its words, one of its streams, or one of its answers.
#include "tests/fuzz/dialects.hpp"

using namespace mainstay;

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const answer_label label{"chatcmpl-1", "m", 1'700'000'000};
  const bool native = draw.coin();
  check_request(input, anthropic_request, draw);
  check_stream(
      input, [&] { return anthropic_stream(label, native); }, draw);
  check_answer(anthropic_completion(input, label, native));
}
