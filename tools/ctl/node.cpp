#include "tools/ctl/node.hpp"

#include <future>
#include <iostream>
#include <thread>

namespace mainstay::ctl {

namespace {

constexpr auto patience = std::chrono::seconds(15);
constexpr auto ask_again_after = std::chrono::milliseconds(10);
constexpr int asks_at_most = 20;

} // namespace

/// By an actor of its own: one that blocks for the answer would not see that the node has gone.
node::heard node::ask_once(const console_ask& question) {
  auto promise = std::make_shared<std::promise<heard>>();
  auto future = promise->get_future();
  sys_.spawn([promise, question, console = console_](caf::event_based_actor* self) {
    const auto tell = [promise, self](heard h) {
      promise->set_value(std::move(h));
      self->quit();
    };
    self->set_down_handler([tell](const caf::down_msg& down) { tell({std::nullopt, down.reason}); });
    self->monitor(console);
    self->request(console, patience, question)
        .then(
            [tell](const console_reply& r) {
              tell({r, {}});
            },
            [tell](const caf::error& e) {
              tell({std::nullopt, e});
            });
  });
  return future.get();
}

std::optional<console_reply> node::ask(std::vector<std::string> words) {
  const console_ask question{line(std::move(words))};
  for (int i = 1;; ++i) {
    auto got = ask_once(question);
    if (got.reply) return std::move(got.reply);
    const bool died = got.why == caf::sec::request_receiver_down; // before it began: its successor may be asked
    if (!died || i == asks_at_most) {
      std::cerr << "no answer from the node: " << to_string(got.why) << "\n";
      return std::nullopt;
    }
    std::this_thread::sleep_for(ask_again_after);
  }
}

} // namespace mainstay::ctl
