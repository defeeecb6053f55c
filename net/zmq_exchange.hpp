// One request of one client between its arrival and the end of its answer, and the ways of answering it from any
// thread. Promises: an exchange ends exactly once, as answered or as left; answers travel to the loop's thread through
// the inbox, which holds no more than the client's flow admits; a response that is dropped unanswered answers 500 by
// itself.
#pragma once

#include "net/event_loop.hpp"
#include "net/zmq_outbox.hpp"
#include "net/zmq_server.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mainstay::mq {

class exchange {
public:
  exchange(std::uint64_t connection, std::string id, bool req_client, std::shared_ptr<flow> way)
    : connection(connection), id(std::move(id)), req_client(req_client), way(std::move(way)) {}

  const std::uint64_t connection; // its number
  const std::string id;
  const bool req_client;
  const std::shared_ptr<flow> way;

  /// Claims the end for a final answer; false if it was answered already or the caller left.
  bool answer() noexcept { return end_as(ending::answered); }
  /// Claims the end for a caller who left; then, and only then, `on_left` should be called by the loop's thread.
  bool leave() noexcept { return end_as(ending::left); }
  bool open() const noexcept { return ending_ == ending::none; }
  bool left() const noexcept { return ending_ == ending::left; }

  /// Calls the observer, at most once over all calls.
  void tell_left() noexcept;
  void on_left(std::function<void()>);
  /// After the last of an answer: an observer that owns its response would else keep both alive.
  void forget_observers() noexcept;

  /// Who is to be asked when the caller cancels; empty: nobody, the request just ends.
  void on_cancel(std::function<void()>);
  std::function<void()> whom_to_ask();

  void observe(std::size_t step, std::function<void(std::size_t)>);
  void queued(std::size_t bytes);
  /// `bytes` of an event went to the network: tells the observer if a step is full or nothing waits any more. On the
  /// loop's thread.
  void handed_over(std::size_t bytes) noexcept;

private:
  enum class ending : std::uint8_t { none, answered, left };
  bool end_as(ending e) noexcept {
    auto none = ending::none;
    return ending_.compare_exchange_strong(none, e);
  }

  std::atomic<ending> ending_{ending::none};
  std::mutex guard_; // of all below; never held while an observer runs
  std::function<void()> left_, cancelled_;
  bool told_ = false, closed_ = false;
  std::function<void(std::size_t)> written_;
  std::size_t step_ = 0, backlog_ = 0, unreported_ = 0;
  bool backed_up_ = false;
};

/// From those who answer to the loop's thread.
struct command {
  enum class what : std::uint8_t { part, last, tell_left, overflow };
  what kind = what::part;
  std::shared_ptr<exchange> of;
  outgoing message;
  std::size_t event_bytes = 0; // of a stream event: what observe_progress counts
};

/// The way to the loop's thread. However much is pushed before the loop looks, it is asked to look once.
class inbox {
public:
  inbox(event_loop& loop, std::function<void()> look) : loop_(loop), look_(std::move(look)) {}
  /// False once closed. Instead of what the client's flow does not admit comes one `overflow`.
  bool push(command);
  /// Swaps everything pushed so far into `out`, which must be empty.
  void take(std::vector<command>& out);
  /// To be called before the loop ends; responses may outlive it.
  void close();

private:
  event_loop& loop_;
  std::function<void()> look_;
  std::mutex guard_;
  std::vector<command> commands_;
  bool asked_ = false, closed_ = false;
};

std::shared_ptr<response> make_response(std::shared_ptr<inbox>, std::shared_ptr<exchange>);

/// An `error` in one piece.
outgoing error_message(std::string_view id, bool delimiter, int status, std::string_view code, std::string_view text,
                       const header_list& headers = {});

} // namespace mainstay::mq
