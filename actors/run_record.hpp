// What outlives a run: the accepted request and everything needed to go on with it where its run died. Held by the
// dispatcher's store and by the one run that works on it; only that run changes it, so it needs no lock. The first part
// never changes after acceptance.
#pragma once

#include "actors/actors.hpp"
#include "config/settings.hpp"
#include "core/boxed.hpp"
#include "core/request_plan.hpp"
#include "core/trace_context.hpp"
#include "net/chat_request.hpp"
#include "net/dialects/caller_dialect.hpp"
#include "net/redaction/placeholders.hpp"
#include "net/stream_relay.hpp"

#include <atomic>

namespace mainstay {

struct native_request; // net/dialects/caller_dialect.hpp

enum class cache_mode : std::uint8_t { use, refresh, off };

/// What most requests have nothing of: thousands may wait at a time.
struct particulars {
  std::shared_ptr<const native_request> native; // what `body` was made of, where some provider speaks that; else null
  std::string address;                          // the caller's, where its client limits each; else empty
  std::string region;                           // where its targets have to stand; empty: anywhere
  placeholders_ptr placeholders;                // what `body` holds in place of what its caller wrote
  std::string denied;                           // the rule that a text of it matches; empty: none
  std::string guest_client;                     // of a peer's request: for whom it is
};

/// A request as a door hands it over: authenticated, not yet read.
struct inbound {
  std::string id; // x-request-id
  config::settings_ptr settings;
  const config::client_settings* client =
      nullptr; // inside settings; null: a loopback caller where no clients are configured
  priority level = priority::normal;
  cache_mode cache = cache_mode::use;
  bool plain_only = false; // a REQ client cannot take a stream
  feature_set dispensable; // what the caller does without rather than get an error
  bool trial = false;      // an operator's (actors/trial.hpp)
  bool for_cache = false;  // its answer is for the cache alone: what would not be kept there is of no use
  bool foreign = false;    // its caller speaks another dialect, and `body` was made of that
  bool restores = false;   // its answer is changed or judged on its way back: a provider's own form is no use
  request_kind kind = request_kind::chat;
  instant received{}, deadline{};
  bytes_ptr body;                             // a request of OpenAI's
  std::shared_ptr<const trace_context> trace; // that it is a part of; null: of none
  std::string idempotency_key;                // the caller's; empty: none given
  boxed<particulars> rest;
  std::shared_ptr<reply_channel> reply;

  std::string client_name() const {
    if (client) return client->name;
    return particular().guest_client.empty() ? "local" : particular().guest_client;
  }
  const particulars& particular() const {
    static const particulars none;
    return rest ? *rest : none;
  }
  particulars& make_particular() { return rest ? *rest : rest.emplace(); }
};

/// What the requests of a revoked client hear.
inline constexpr auto revoked_words = "this API key was revoked";

class journal_channel; // actors/journal_channel.hpp
class flight_channel;  // actors/flight_channel.hpp

/// So often may one request move; each time but the first follows a loss.
inline constexpr std::uint8_t moved_enough = 3;

struct run_record {
  request_id number = 0; // given by the door, unique in this daemon
  inbound in;
  std::atomic<bool> caller_gone{false};     // set by the door
  std::atomic<bool> client_revoked{false};  // set by the dispatcher
  int losses = 0;                           // runs that died over it
  std::shared_ptr<journal_channel> durable; // in.reply, where the request is durable; else null
  std::string durable_id;                   // the caller's own name for it
  utc_time not_before{};                    // of a durable one
  std::size_t merged = 0;                   // of so many durable requests; 0: of its caller's alone
  bool batch = false;                       // it may be merged with others
  bool admitted_once = false;               // by journal and repeats: it is this run's to answer
  std::shared_ptr<flight_channel> flight;   // in.reply, where this is what others share; else null
  boxed<std::string> question;              // of a flight: what other nodes know it by; empty: it is none of theirs
  std::atomic<bool> withheld{false};        // its answer was denied on the way out
  bool guest = false;                       // a peer's, which has its caller: it is admitted, and stays here
  std::optional<move_reason> must_move;     // this node accepted it for a peer to do; the dispatcher's word
  std::atomic<bool> away{false};            // a peer works on it
  bool patient = false; // it waits for whoever rests, to its deadline: nothing of before was left to give

  // -- the run's, from here on
  std::string batch_shape; // with whom it may be merged; empty: with nobody
  boxed<chat_request> asked;
  const config::model_settings* model = nullptr;
  std::shared_ptr<const config::model_settings> in_region; // `model`, where its region leaves out targets
  boxed<request_plan> plan;
  boxed<std::vector<std::string>> broken_ways; // to the target in question, while another is looked for
  std::uint32_t next_serial = 1;               // 0 is the client's own admission
  boxed<client_admission> admission;
  std::string cache_key;
  feature_set dropped;                    // left out of `asked`, for targets that lack it
  instant cache_asked{};                  // when the cache was asked
  bool cached = false;                    // its answer was given to the cache
  bool seat_asked = false;                // on a flight that others may share
  std::shared_ptr<flight_channel> shares; // that flight, where it has a seat
  bool paid = false;                      // its client's tokens are settled, or somebody else will
  int cuts = 0;                           // how often `asked` was made shorter than what the caller wrote
  stream_memory stream;
  std::vector<target> refused_prefill; // or ignored it, for this request
  std::uint64_t tokens_spent = 0;      // by the attempts that ended
  bool head_sent = false, answered = false;
  std::uint8_t attempts_begun = 0;
  std::uint8_t moves = 0;               // to peers
  request_story story;                  // for the report
  std::shared_ptr<run_report> reported; // report()
  run_report& report() { return reported ? *reported : *(reported = std::make_shared<run_report>()); }
  /// What happened now; returns the time. `attempt`: its number, 0 for the request as a whole.
  instant note(story_mark what, std::uint8_t attempt = 0) {
    const auto now = clock::now();
    story.add(what, now - in.received, attempt);
    return now;
  }
  duration provider_time{}; // in attempts, waits and queues: what is not Mainstay's own overhead
};

} // namespace mainstay
