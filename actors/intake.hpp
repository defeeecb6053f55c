// What both doors do with a request before the dispatcher sees it: who is it from, what may it ask, how long may it
// take.
#pragma once

#include "actors/privacy.hpp"
#include "actors/run_record.hpp"

#include <atomic>
#include <functional>
#include <variant>

namespace mainstay {

/// The configuration for requests to come. Doors read it on their threads; a reload replaces it.
class live_settings {
public:
  explicit live_settings(config::settings_ptr s) : value_(std::move(s)) {}
  config::settings_ptr load() const { return value_.load(); }
  void store(config::settings_ptr s) { value_.store(std::move(s)); }

private:
  std::atomic<config::settings_ptr> value_;
};

struct intake_refusal {
  int status = 0;
  std::string message, type, code, param;
};

/// Who is calling, by the key's hash: one digest or a few, however many clients there are. Without configured clients
/// only loopback callers are served (null client).
std::variant<const config::client_settings*, intake_refusal> identify(const config::settings&, const header_list&,
                                                                      bool loopback);

/// Whether the client's `models` (names or patterns; none: all) allow this one.
bool may_ask(const config::client_settings*, const std::string& model);

/// A fresh x-request-id, unique among all daemons.
std::string new_request_name(request_id number);
request_id new_request_number();

/// The trace that a request with these headers is a part of: its caller's, who decides whether it is in the sample, or
/// a new one where this node traces and takes it into the sample; else none.
std::shared_ptr<const trace_context> trace_of(const config::settings&, const header_list&);

/// Reads the x-mainstay-* headers of a request whose caller is known. The record has its number and id, but no reply
/// channel yet.
std::variant<run_record_ptr, intake_refusal> read_intake(config::settings_ptr, const config::client_settings*,
                                                         const header_list&, screened_request body, instant now);

/// Where its client limits each address: which one this is. `peer`: as the doors name it.
void note_address(run_record&, std::string_view peer);

/// Hands an accepted record to the dispatcher and lets the caller's leaving follow it.
void submit(const dispatcher_actor&, const run_record_ptr&,
            const std::function<void(std::function<void()>)>& on_caller_left);

/// The words of a 404: which models this client may ask for.
std::string unknown_model(const config::settings&, const config::client_settings*);

/// GET /v1/models: what this client may ask for, in OpenAI's or Anthropic's shape.
std::string models_json(const config::settings&, const config::client_settings*, dialect);
/// GET /v1/models/{name}; empty if this client may not ask for it or nobody knows it.
std::string model_json(const config::settings&, const config::client_settings*, const std::string& name, dialect);

} // namespace mainstay
