// One attempt at a provider, from the governor's grant to its settlement: what it has borrowed (lease, permit, call)
// and what came back so far. The functions below give back what was borrowed and tell those who judge, each exactly
// once; what the attempt means for its request is the run's affair.
#pragma once

#include "actors/run_record.hpp"
#include "core/lessons.hpp"
#include "net/dialects/provider_dialect.hpp"
#include "net/stream_relay.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mainstay {

struct attempt {
  lease_id lease;
  instant send_by = instant::max();
  bool unsent = false;    // it was too late to send it
  bool permitted = false; // the breaker's permit is held
  bool placed = false;    // the call is open
  bool as_stream = false; // the provider answers with server-sent events
  bool held_up = false;   // a slow reader's: it tells nothing about the provider's speed
  bool limited_key = false;
  bool stamp_at_once = false;   // the governor waits to hear that the request has left
  bool prefilled = false;       // asked to go on with what the caller has
  bool prefill_refused = false; // and would not
  dialect speaks = dialect::openai;
  bool native = false;               // asked in its caller's own words, which are its own
  answer_label label;                // of an answer that has to be translated
  std::vector<std::string> left_out; // parameters that its dialect does not have
  int cuts = 0;                      // of the request, when it was asked
  std::uint8_t number = 0;           // in its request's story
  std::uint64_t away = 0;            // not at a provider, but at a peer under that number: nothing here was borrowed
  int status = 0;
  std::size_t received = 0, credited = 0; // flow control, bytes
  std::optional<stream_relay> relay;
  std::vector<bytes_ptr> pieces; // of a plain answer or an error body
  std::size_t size = 0;
  std::shared_ptr<const header_list> headers;
  target at;
  std::string key, source;
  std::string way;        // to take; empty: its provider has only one
  bool other_way = false; // another healthy one was left
  std::size_t secret_hash = 0;
  lesson known;         // of this target
  instant kept_until{}; // the lease
  std::optional<instant> sent_at;
  instant began{}, first_byte{}, first_visible{}, last_visible{};
  std::uint64_t tokens_seen = 0; // of a stream
  duration longest_gap{};        // between two pieces that brought some

  bool refused_or_ignored_prefill() const { return prefill_refused || (relay && relay->ignored_prefill()); }
  std::string joined() const;
  /// A whole answer of its provider's as one of OpenAI's; what is none in its dialect stays as it is.
  bytes_ptr in_our_words(const chat_request& asked, const bytes_ptr& said) const;
  /// A piece of the stream was read: did it bring tokens, and how long after those before?
  void see_tokens(instant now);
  /// What the provider will want to be paid for although the answer is not whole: nothing where it refused, the prompt
  /// and what came of the answer where it was at work.
  token_usage usage_if_failed(const chat_request&, failure_class) const;
  /// The provider's count where it gave one, else an estimate from what came.
  token_usage usage_or_estimate(const chat_request&, const std::optional<token_usage>&) const;
};

/// What an attempt's coming and going needs: its request, everybody's names, the run that hears of it.
struct attempt_links {
  run_record& rec;
  const directory& names;
  caf::actor_addr run;
};

inline constexpr std::size_t stream_window = 256u << 10; // bytes of a stream between provider and a slow caller

/// The target's model as the configuration has it: circuits and metrics are kept by names that no caller can invent.
const std::string& configured_model(const run_record&, const target&);

/// Places the call of a permitted attempt. False: its key or a way to it is not in this request's configuration. A
/// failure: the request cannot be said in the provider's dialect.
std::variant<bool, failure> place(attempt&, const attempt_links&);
/// Takes the provider's keys out of what it says of them.
void conceal_keys(const attempt&, const run_record&, provider_error&);
/// Lets so many more bytes through.
void let_through(attempt&, std::size_t bytes, const attempt_links&);
/// Ends the call, if it is open.
void cancel(attempt&, const attempt_links&);
/// Nothing was sent: lease and permit go back unused, whether they were given already or are still being asked for.
void hand_back(const attempt&, const attempt_links&);
void hand_back_lease(lease_id, const attempt_links&);
/// It gave the answer. `usage` of it alone.
void settle_success(attempt&, const std::optional<token_usage>& usage, const attempt_links&);
/// It gave none. Ends the call too.
void settle_failure(attempt&, const failure&, const attempt_links&);

} // namespace mainstay
