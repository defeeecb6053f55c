// One request and its answer on one connection: reads what is asked, lets the provider judge it, and plays the verdict,
// be it an answer, a stream or a fault. Reports to the provider exactly once how it ended.
#pragma once

#include "tools/mock/dialect.hpp"
#include "tools/mock/peer.hpp"
#include "tools/mock/provider.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

// Serves requests on a connection until either side ends it.
asio::awaitable<void> serve(std::shared_ptr<peer> caller, provider& shared);

class exchange {
public:
  exchange(peer& caller, provider& shared, const request_parser& request);
  // False: the connection is to be ended.
  asio::awaitable<bool> run();

private:
  std::string bearer() const;
  arrival describe(const chat_call& call, std::string_view key) const;

  asio::awaitable<void> administer_it();
  asio::awaitable<void> play(route where, const chat_call& call, std::string_view key);
  asio::awaitable<void> play_refusal(std::string_view model);
  asio::awaitable<void> play_chat(const chat_call& call);
  asio::awaitable<void> play_plain(std::string body, std::uint64_t tokens);
  asio::awaitable<void> send_answer(int status, std::string_view content_type, std::string_view body);

  // True: that was the whole answer.
  asio::awaitable<bool> play_fault(const chat_call& call, std::string_view key);
  asio::awaitable<void> play_endless_headers();
  asio::awaitable<void> play_endless_line(bool stream);
  asio::awaitable<void> play_drip(std::string_view content_type, std::string_view bytes, std::uint64_t tokens);
  asio::awaitable<void> play_part(std::string_view body, std::uint64_t tokens, bool then_drop);

  asio::awaitable<void> play_stream(const event_stream& events, const chat_call& call, std::string_view key);
  asio::awaitable<bool> before_event(const event_stream::event& e, std::size_t index);
  asio::awaitable<void> break_stream(const event_stream& events, const chat_call& call, std::string_view key);
  void queue_event(std::string_view bytes);
  void end_stream();

  // The queue leaves in one write: before a pause, when it grew large, and at the end.
  void queue_head(int status, std::string_view content_type, std::optional<std::size_t> length);
  asio::awaitable<bool> flush();                                // false: the caller left, which is noted
  asio::awaitable<bool> pause(std::chrono::nanoseconds length); // the same
  asio::awaitable<void> stay_silent();
  void drop(bool with_reset);

  peer& peer_;
  provider& provider_;
  const request_parser::value_type& request_;
  const target target_;
  const dialect& dialect_;
  bool keep_alive_;
  bool chunked_; // HTTP/1.0 callers get a body that ends with the connection
  verdict verdict_;
  ending ending_;
  texts_to_embed texts_;
  std::string queue_;
  std::uint64_t queued_tokens_ = 0; // of this answer, sent ones included
  std::chrono::steady_clock::time_point token_due_{};
};

} // namespace mainstay::mock
