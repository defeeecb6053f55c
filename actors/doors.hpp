// The doors: what the HTTP and ZeroMQ sockets do with a request. They run on the sockets' threads, hold no state of
// their own and hand everything to the dispatcher.
#pragma once

#include "actors/intake.hpp"
#include "net/http_server.hpp"
#include "net/zmq_server.hpp"

namespace mainstay {

/// POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models, GET /v1/models/{name}.
std::shared_ptr<http::handler> make_http_door(std::shared_ptr<live_settings>, directory_ptr);

/// x-request-id and x-should-retry: false, for answers that no run gives.
header_list final_labels();

/// The verbs `chat`, `embeddings`, `collect` and `cancel`.
std::shared_ptr<mq::handler> make_zmq_door(std::shared_ptr<live_settings>, directory_ptr);

} // namespace mainstay
