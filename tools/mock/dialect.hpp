// What a provider's dialect knows: reading a chat call, and writing answers, streams and errors as that vendor does.
// Everything else (faults, pauses, limits, logs) is the same for all and works on bytes and event boundaries.
#pragma once

#include "tools/mock/answer.hpp"
#include "tools/mock/limits.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

// A whole streamed answer laid out: `bytes` cut into events, so that consecutive ones can leave in one write.
struct event_stream {
  enum class kind : std::uint8_t { opening, token, closing, done };
  struct event {
    std::size_t end;
    kind what;
  };
  std::string bytes;
  std::vector<event> events;

  void mark(kind what) { events.push_back({bytes.size(), what}); }
};

// An answer that is an error, as that vendor words it.
struct wire_error {
  int status = 400;
  std::string body;
};

// Who answers, and under which id: for the fields that name the answer.
struct answer_label {
  std::string_view provider;
  std::uint64_t number = 0;
};

// What a request's first line says, and whether it has the header anthropic-version.
struct target {
  std::string_view method, path, query;
  bool names_version = false;
};

enum class route : std::uint8_t { chat, token_count, embeddings, models, model, unknown };

struct texts_to_embed {
  std::vector<std::string> texts;
  bool base64 = false;         // vectors as such, else as numbers
  std::size_t most = SIZE_MAX; // numbers of a vector
};

class dialect {
public:
  virtual ~dialect() = default;
  // What is asked for there; none: it is meant for another dialect.
  virtual std::optional<route> route_of(const target&) const = 0;
  virtual limit_headers limits_in() const = 0;
  // Fills `call`, or says what is wrong with the body.
  virtual std::optional<wire_error> read_chat(const target&, std::string_view body, chat_call& call) const = 0;
  // The answer to route::token_count, whose body is a chat call's.
  virtual std::string token_count(const chat_call&) const { return "{}"; }
  // Of route::embeddings. Fills model and user of the call, and the texts.
  virtual std::optional<wire_error> read_embeddings(const target&, std::string_view, chat_call&,
                                                    texts_to_embed&) const {
    return wire_error{404, "{}"};
  }
  virtual std::string embeddings(const chat_call&, const texts_to_embed&) const { return "{}"; }
  virtual std::string plain(const chat_call&, const answer&, answer_label) const = 0;
  virtual event_stream stream(const chat_call&, const answer&, answer_label) const = 0;
  // The default body of an error status.
  virtual std::string error_body(int status, std::string_view model, std::string_view key) const = 0;
  // A known failure by the script's name for it; nothing for an unknown name.
  virtual std::optional<wire_error> named_error(std::string_view name, std::string_view model,
                                                std::string_view key) const = 0;
  // The event that carries an error inside a stream; `body` is the error's JSON.
  virtual std::string error_event(std::string_view body) const = 0;
  virtual std::string rate_limited(std::string_view model, std::string_view what, std::uint64_t limit,
                                   std::uint64_t used, std::uint64_t requested, std::string_view wait) const = 0;
  virtual std::string unknown_path(std::string_view method, std::string_view path) const = 0;
  virtual wire_error missing_key() const = 0;
  virtual std::string models(const std::vector<std::string>& names) const = 0;
  virtual std::string model(std::string_view name) const = 0;
};

const dialect& openai_dialect();
const dialect& anthropic_dialect();
const dialect& gemini_dialect();

// Who is meant. OpenAI's takes what no other one does.
const dialect& dialect_of(const target&);

} // namespace mainstay::mock
