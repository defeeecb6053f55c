// What every supervised actor has in common: it dies of an exception with the reason in its DOWN message, whoever asked
// what it died of hears so, it drops what it does not understand without printing it (messages may hold secrets), says
// how much waits in its mailbox, and can be told to fail for a drill.
#pragma once

#include "actors/messages.hpp"

#include <stdexcept>
#include <string>

namespace mainstay {

class injected_failure : public std::runtime_error {
public:
  injected_failure() : std::runtime_error("injected fault") {}
};

[[noreturn]] inline void fail_as_told(const inject_fault&) { throw injected_failure(); }

/// To be called first in a supervised actor's behavior function.
template <class Self>
void live_supervised(Self* self) {
  self->set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  self->set_exception_handler([self](caf::scheduled_actor*, std::exception_ptr& x) -> caf::error {
    // CAF answers the questions that wait in the mailbox, and nobody the one that is being handled.
    // A mere message has no answer: an error in return would end its sender too.
    auto* handled = self->current_mailbox_element();
    if (handled && handled->mid.is_request())
      self->make_response_promise().deliver(caf::make_error(caf::sec::request_receiver_down));
    try {
      std::rethrow_exception(x);
    } catch (const std::exception& e) {
      return caf::make_error(caf::sec::runtime_error, std::string(e.what()));
    } catch (...) { return caf::make_error(caf::sec::runtime_error, std::string("unknown exception")); }
  });
}

/// To be called by the actor itself.
template <class Self>
std::uint64_t waiting_messages(Self* self) {
  return self->mailbox().size();
}

} // namespace mainstay
