// The way back to a caller of another node, in a live_caller's hands: what the journal says is said to the peer that
// asks. May be used from any thread.
#pragma once

#include "actors/actors.hpp"
#include "net/zmq_server.hpp"

namespace mainstay {

class peer_caller final : public mq::response {
public:
  /// `n`: the peer's number of its question. `refused`: who hears that something could not be sent.
  peer_caller(cluster_actor links, std::string peer, std::uint64_t n, peer_listener refused)
    : links_(std::move(links)), refused_(std::move(refused)), peer_(std::move(peer)), n_(n) {}

  void accepted(header_list headers, bytes_ptr body) override;
  void reply(int status, header_list headers, bytes_ptr body) override;

  // Whoever collects gets a whole answer.
  void stream_head(header_list) override {}
  void stream_event(bytes_ptr) override {}
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr, header_list) override {}
  void stream_error(int status, bytes_ptr body, header_list headers) override {
    reply(status, std::move(headers), std::move(body));
  }
  void observe_progress(std::size_t, std::function<void(std::size_t)>) override {}
  void on_caller_left(std::function<void()>) override {} // the peer says so
  void on_cancel(std::function<void()>) override {}      // likewise

private:
  const cluster_actor links_;
  const peer_listener refused_;
  const std::string peer_;
  const std::uint64_t n_;
};

} // namespace mainstay
