#include "net/dialects/embeddings_dialect.hpp"

#include "net/dialects/gemini_embeddings.hpp"

namespace mainstay {

provider_request_or embeddings_in(dialect to, const chat_request& asked, const provider_terms& terms) {
  switch (to) {
  case dialect::gemini: return gemini_embeddings_request(*asked.bytes, terms.model, terms.leave_out);
  case dialect::anthropic: return request_problem{"Anthropic's API has no embeddings.", "model", "unsupported_request"};
  case dialect::openai: break;
  }
  return provider_request{"/embeddings", {}, upstream_body(asked, terms.model), {}};
}

bytes_ptr embeddings_out(dialect from, const bytes_ptr& body, const chat_request& asked, std::string_view model) {
  if (from != dialect::gemini) return body;
  return gemini_embeddings_answer(*body, model, asked.base64, asked.prompt_tokens);
}

} // namespace mainstay
