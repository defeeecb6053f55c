// Gemini's dialect: the input is a chat request to be put in its words, one of its streams, or one of its answers.
#include "net/dialects/embeddings_dialect.hpp"

#include "tests/fuzz/dialects.hpp"

using namespace mainstay;

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const answer_label label{"chatcmpl-1", "m", 1'700'000'000};
  check_request(input, gemini_request, draw);
  check_stream(
      input, [&] { return gemini_stream(label); }, draw);
  check_answer(gemini_completion(input, label));
  const auto asked = parse_embeddings_request(make_bytes(R"({"model":"e","input":["a"],"encoding_format":"base64"})"));
  const auto vectors =
      embeddings_out(dialect::gemini, make_bytes(std::string(input)), std::get<chat_request>(asked), "e");
  if (vectors) MUST(read_answer(request_kind::embeddings, *vectors).valid);
  const auto other = parse_embeddings_request(make_bytes(std::string(input)));
  if (!std::holds_alternative<chat_request>(other)) return;
  const auto made = embeddings_in(dialect::gemini, std::get<chat_request>(other), {.model = "e"});
  if (const auto* call = std::get_if<provider_request>(&made))
    MUST(json::parse(*call->body));
  else
    check_named(std::get<request_problem>(made));
}
