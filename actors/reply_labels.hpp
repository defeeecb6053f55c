// The headers and bodies Mainstay adds to answers: labels that say where an answer came from, a client's own limits,
// errors.
#pragma once

#include "actors/run_record.hpp"
#include "core/final_answer.hpp"

namespace mainstay {

struct answer_labels {
  std::string_view source;          // empty: nobody was asked
  std::string_view provider, model; // of who answered
  int attempts = 0;
  bool degraded = false;
  std::string_view reason;           // of the degradation
  feature_set dropped;               // what the request was asked without
  std::vector<std::string> left_out; // parameters that the target's dialect does not have
  std::string_view node;             // another one, that did it
  bool final_failure = false;        // adds x-should-retry: false
  std::optional<int> retry_after_seconds;
};

/// x-request-id, x-mainstay-*, and x-ratelimit-* for a client with limits.
header_list headers_for(const run_record&, const answer_labels&, instant now);

/// The value of x-mainstay-latency-ms.
std::string latency_text(duration took);

/// x-ratelimit-*, for a client with limits.
header_list client_limits(const run_record&);

/// {"error":{...}} of a final answer.
bytes_ptr error_bytes(const final_answer&);

/// Rate-limit headers of a provider's answer; none if it sent none.
std::optional<governor::provider_limits> limits_in(const header_list&, const std::string& key,
                                                   const std::string& model);

} // namespace mainstay
