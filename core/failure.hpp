// What can go wrong with one attempt at a provider, whose fault it is and where a retry may go.
// This is the one classifier and the one table of rules: breaker, key manager, plan and metrics all ask here.
#pragma once

#include "core/clock.hpp"
#include "core/feature.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

enum class failure_class : std::uint8_t {
  caller_fault,        // 400, 413, 422: the body itself is wrong
  auth,                // 401, 403, and the 400s that say "invalid api key"
  quota_spent,         // 402, and the 429s that say "insufficient_quota" or name billing
  rate_limited,        // 429
  model_missing,       // 404, or a code such as model_not_found
  unsupported_feature, // this target has no tools, or no JSON mode (core/feature.hpp)
  context_length,      // the conversation does not fit this model's window
  content_filter,      // the provider refused the content; routing around it would be wrong
  overloaded,          // 503, 529, "overloaded"
  server_error,        // any other 5xx, 408, 409
  dns_failed,          // the name did not resolve
  connect_failed,      // refused, unreachable, TLS handshake or certificate
  reset,               // the connection died before the response head
  connect_timeout,
  first_byte_timeout, // connected, request sent, no response head or no first event in time
  idle_timeout,       // the response stopped in the middle
  total_timeout,      // the provider's own total limit for one call passed
  truncated,          // the connection ended in the middle of the response
  malformed,          // 2xx, but not an answer: HTML, half a JSON, a flood without a line end
  cancelled,          // the caller left, or a hedge lost: nobody's fault
  deadline,           // the caller's deadline passed
};
inline constexpr std::size_t failure_class_count = 21;

/// "rate_limited" and so on: the label used in metrics, logs and error codes.
std::string_view to_string(failure_class) noexcept;
/// The class of that label; none: no class has it.
std::optional<failure_class> failure_named(std::string_view label) noexcept;

enum class blame : std::uint8_t { caller, key, target, network, nobody };

/// Where the next attempt may go, and what the failure counts for.
struct failure_rules {
  blame whose;
  bool other_key;        // another key of the same target, at once, free of max_retries
  bool same_target;      // the same target again after a backoff
  bool other_target;     // equal targets and fallbacks
  bool model_circuit;    // counts against the breaker's circuit of that model
  bool endpoint_circuit; // counts against the breaker's circuit of the endpoint
};
const failure_rules& rules_of(failure_class) noexcept;

/// The facts of an error answer, as a wire dialect read them out of status, headers and body.
struct provider_error {
  int status = 0;                         // HTTP status; 200 for an error object inside a stream
  std::string type, code, param, message; // fields of the error object, empty where absent
  std::optional<duration> retry_after;    // see core/retry_after.hpp
};

/// Decides the class of an error answer. Status first, then the code, type and wording that providers are known to hide
/// other causes behind (a spent quota in a 429, a bad key in a 400, a context length in a 400, an overload in a 200
/// stream).
failure_class classify(const provider_error&) noexcept;

/// Which feature the target says it has not; none: it says something else, however classify() calls it.
std::optional<feature> feature_refused(const provider_error&) noexcept;

/// One failed attempt.
struct failure {
  failure_class what = failure_class::server_error;
  provider_error said;          // for network failures only `message` is set, by us
  bool kept_connection = false; // a reset of a connection that had served before, without a byte of an answer
  bool other_way = false;       // another healthy way to the target is left
};

} // namespace mainstay
