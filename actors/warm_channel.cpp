#include "actors/warm_channel.hpp"

#include "net/chat_answer.hpp"

namespace mainstay {

namespace {

std::string label(const header_list& headers, std::string_view name) {
  auto* value = find_header(headers, name);
  return value ? *value : "";
}

} // namespace

warm_channel::warm_channel(warmer_actor warmer, std::string id, std::uint64_t line)
  : warmer_(std::move(warmer)), id_(std::move(id)), line_(line) {}

warm_channel::~warm_channel() { tell(warming::ending::failed, "it ended without an answer"); }

void warm_channel::reply(int status, header_list headers, bytes_ptr body) {
  if (status == 200)
    answered(headers);
  else
    refused(status, headers, *body);
}

void warm_channel::stream_event(bytes_ptr json) {
  if (written_) written_(json->size());
}

void warm_channel::stream_end(bytes_ptr, header_list trailers) { answered(trailers.empty() ? head_ : trailers); }

void warm_channel::stream_error(int status, bytes_ptr error, header_list trailers) {
  refused(status, trailers, *error);
}

void warm_channel::answered(const header_list& headers) {
  if (label(headers, "x-mainstay-source") == "cache") return tell(warming::ending::was_there, "");
  if (label(headers, "x-mainstay-degraded") != "true") return tell(warming::ending::kept, "");
  tell(warming::ending::failed, "its answer is not kept: " + label(headers, "x-mainstay-reason"));
}

/// In a provider's own words there may be some of the caller's.
void warm_channel::refused(int status, const header_list& headers, const std::string& body) {
  const auto said = read_error(status, headers, body, std::chrono::system_clock::now());
  const bool own_words = label(headers, "x-mainstay-attempts") == "0";
  tell(own_words && status < 500 ? warming::ending::refused : warming::ending::failed,
       std::to_string(status) + " " + said.code + (own_words ? ": " + said.message : ""),
       said.code == "draining" || said.code == "shutting_down");
}

void warm_channel::tell(warming::ending how, std::string problem, bool node_ends) {
  if (std::exchange(over_, true)) return;
  letter<warm_over>::post(caf::actor_cast<caf::strong_actor_ptr>(warmer_),
                          warm_over{id_, line_, how, std::move(problem), node_ends});
}

} // namespace mainstay
