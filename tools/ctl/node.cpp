#include "tools/ctl/node.hpp"

#include <iostream>
#include <thread>

namespace mainstay::ctl {

namespace {

constexpr auto patience = std::chrono::seconds(15);
constexpr auto ask_again_after = std::chrono::milliseconds(10);
constexpr int asks_at_most = 20;

} // namespace

std::optional<console_reply> node::ask(std::vector<std::string> words) {
  std::optional<console_reply> got;
  const console_ask question{std::move(words)};
  bool died = true; // before it began with our question: its successor may be asked the same
  for (int i = 0; died && i < asks_at_most; ++i) {
    if (i > 0) std::this_thread::sleep_for(ask_again_after);
    died = false;
    self_->request(console_, patience, question)
        .receive([&](const console_reply& reply) { got = reply; },
                 [&](const caf::error& e) {
                   died = e == caf::sec::request_receiver_down && i + 1 < asks_at_most;
                   if (!died) std::cerr << "no answer from the node: " << to_string(e) << "\n";
                 });
  }
  return got;
}

} // namespace mainstay::ctl
