// What became of a post of Mainstay's own (an alert, spans): told once to whoever made it. Lives on the client's loop.
#pragma once

#include "actors/metrics_messages.hpp"
#include "actors/turn.hpp"
#include "net/http_client.hpp"

namespace mainstay {

template <class Handle>
class post_reporter : public http::call_observer {
public:
  post_reporter(std::uint64_t number, Handle to) : number_(number), to_(std::move(to)) {}
  void on_head(int status, header_list) override { status_ = status; }
  void on_data(bytes_ptr) override {}
  void on_end(std::optional<http::call_error> error, const http::call_summary&) override {
    tell(to_, post_over{number_, error ? 0 : status_});
  }

private:
  const std::uint64_t number_;
  const Handle to_;
  int status_ = 0;
};

} // namespace mainstay
