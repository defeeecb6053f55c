// What there is to say of one request when it is over, and of every call that was made for it: metrics, costs, alerts,
// traces and the audit all go by this. No text of any prompt or answer is in it.
#pragma once

#include "core/boxed.hpp"
#include "core/clock.hpp"
#include "core/failure.hpp"
#include "core/lease.hpp"
#include "core/priority.hpp"
#include "core/request_story.hpp"
#include "core/token_usage.hpp"
#include "core/trace_context.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

struct attempt_report {
  std::uint8_t number = 0; // as in the story
  std::string provider, model, key, source;
  std::string way; // that it took to its provider; empty: there is only one
  std::optional<failure_class> failed;
  int status = 0;         // HTTP; 0: nobody answered
  duration began{};       // since the request came
  duration first_token{}; // since it began; zero: none came
  duration took{};
  duration longest_gap{};                            // between two pieces of a stream
  duration between_tokens{};                         // mean; zero: fewer than two came, or not as a stream
  std::uint64_t input_tokens = 0, output_tokens = 0; // of a failed one that gave a part of the answer, estimated
  token_usage billed;        // what its provider wants to be paid for, estimated where it does not say
  std::optional<double> usd; // what that costs; none: the model's price is not known
};

struct run_report {
  request_id number = 0;         // in this daemon
  std::string id, client, model; // `model` is the configured name
  std::string durable_id;        // the caller's own name for it
  utc_time arrived{};
  priority level = priority::normal;
  bool stream = false;
  std::string source; // "" if it was refused before anybody was asked
  int status = 0;
  std::string outcome; // "ok", or the failure class
  std::string code;    // of the error that its caller got
  std::string reason;  // why the answer is a degraded one; "" if it is not
  std::vector<attempt_report> attempts;
  int retries = 0;
  std::vector<std::string> retry_reasons;
  duration took{}, overhead{};
  std::uint64_t input_tokens = 0, output_tokens = 0, cached_tokens = 0, reasoning_tokens = 0, cache_write_tokens = 0;
  std::uint64_t charged_tokens = 0;     // to keys, failed attempts included, estimated where nobody said
  std::string provider, target_model;   // who answered
  std::string cache_tier, cache_result; // "" if the cache was not asked
  double saved_usd = 0;                 // what an answer that was there already would have cost
  bool embeddings = false;              // were asked for
  bool flight = false;                  // only its attempts and tokens count: its callers, or a peer, report themselves
  request_id shared = 0;                // number of the flight that it had its answer from
  boxed<std::string> host;              // the node that it was moved to last; empty: it was not
  bool durable = false;                 // without an answer it will be run again
  bool own_limit = false;               // refused for what its client may ask
  std::vector<std::pair<std::string, std::uint32_t>> redacted; // so many of each kind were replaced
  bool trial = false;                                          // an operator's, who asks what came of it
  request_story story;
  std::shared_ptr<const trace_context> trace; // that is to be told of; null: none

  bool ok() const noexcept { return outcome == "ok"; }
  /// Its caller got an error for which neither it nor a limit of its client is to blame, had not left, and nothing will
  /// run it again.
  bool lost() const noexcept;
  /// "email 2, phone 1"; empty: nothing was replaced.
  std::string redacted_text() const;
  /// What its calls cost; none: nobody knows of any.
  std::optional<double> usd() const;
  /// How much sooner its last call could have begun, had it been the first.
  duration added_by_retries() const noexcept;
};
using report_ptr = std::shared_ptr<const run_report>;

/// A call that several durable requests were merged into had an answer: so many of them got theirs from it.
struct batch_report {
  std::string model, client; // the configured name; whose requests they were
  std::size_t answered = 0, alone = 0;
  std::int64_t calls_saved = 0, tokens_saved = 0; // tokens: of prompts, estimated
};

} // namespace mainstay
