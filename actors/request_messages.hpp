// Messages on a request's way: from the door through dispatcher and run to limits, key, breaker and upstream, and back.
#pragma once

#include "actors/letter.hpp"
#include "actors/local_message.hpp"
#include "core/breaker.hpp"
#include "core/clock.hpp"
#include "core/key_health.hpp"
#include "core/lease.hpp"
#include "core/lessons.hpp"
#include "core/model_ranking.hpp"
#include "core/outage.hpp"
#include "core/peer_room.hpp"
#include "core/rate_governor.hpp"
#include "core/recent_traffic.hpp"
#include "net/bytes.hpp"
#include "net/http_client.hpp"
#include "net/reply_channel.hpp"

#include <caf/all.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

struct run_record; // actors/run_record.hpp
using run_record_ptr = std::shared_ptr<run_record>;
class flight_channel; // actors/flight_channel.hpp

// -- dispatcher

/// A request from a door. Lost for good only if even its letters die: then the caller hears 500.
struct submission {
  run_record_ptr record;
  void on_lost();
};
struct caller_left {
  request_id id = 0;
};
/// The run answered, or nobody is left to be answered.
struct run_finished {
  request_id id = 0;
};
struct drain_order {
  duration limit{};
};
struct drain_result {
  std::size_t cut = 0; // durable requests that are in the journal are not
  std::vector<std::string> cut_ids;
};
struct dispatcher_view {
  std::uint64_t accepted = 0, finished = 0, refused = 0, recovered = 0;
  std::size_t in_flight = 0;
  bool draining = false;
  std::size_t places = 0; // requests that it would still accept
};
/// From the guests: what this node has no place for may go to a peer, or may not any more.
struct peers_room {
  bool any = false;
};

// -- request_run

struct run_wake {
  std::uint64_t generation = 0;
};
/// No more of it is wanted: its time is over, or its record says that its client was revoked.
struct deadline_over {};
/// The attempt or the question of that serial has been under way for so long that another may be asked beside it, or
/// elsewhere. `move`: a peer may have room, and why that is looked for; then of serial 0 too, which is any.
struct patience_over {
  std::uint32_t serial = 0;
  std::optional<move_reason> move;
};
struct call_head {
  std::uint32_t serial = 0;
  int status = 0;
  std::shared_ptr<const header_list> headers;
};
struct call_data {
  std::uint32_t serial = 0;
  bytes_ptr piece;
};
struct call_end {
  std::uint32_t serial = 0;
  std::optional<http::call_error> error;
  http::call_summary summary;
};
/// The caller read that many bytes of what was sent.
struct caller_progress {
  std::size_t bytes = 0;
};

/// Of a caller who shares a flight: its answer is complete, or the flight failed.
struct flight_ended {};
/// Of a flight: it lives by other terms now.
struct flight_terms {};

// -- flights

/// The cache had no answer for this request when it looked: a seat on the flight that gets one.
struct flight_ask {
  run_record_ptr record;
};
/// No flight: the answer is in the cache by now.
struct flight_seat {
  std::shared_ptr<flight_channel> flight;
  bool leads = false;
};
/// That request needs its seat no more, if it has one.
struct flight_leave {
  request_id who = 0;
};
/// The flight is over. `landed`: with an answer that was given to the cache.
struct flight_over {
  request_id flight = 0;
  bool landed = false;
};
struct flights_view {
  std::size_t under_way = 0, callers = 0;
  std::uint64_t saved = 0;
};

// -- rate_governor

struct admit_client {
  lease_id id;
  std::string client;
  std::uint64_t tokens = 0;
  instant expires{};
  std::string address; // the caller's, where its client limits each; else empty
};
/// `max_retries`: what the adaptive brake allows now.
struct capacity_reply {
  bool granted = false;
  grant got;
  refusal no;
  int max_retries = 0;
};
struct lease_sent {
  lease_id id;
  instant at{};
};
struct keep_lease {
  lease_id id;
  instant expires{};
};
struct settle_lease {
  lease_id id;
  governor::settlement how;
};
struct withdraw_lease {
  lease_id id;
};
/// How many calls could begin at once?
struct ask_slots {};
/// A moment is over: what months have used is written down anew.
struct note_due {};
/// What became of the latest keep_months.
struct months_kept {
  bool kept = false;
};

// -- breaker, one per provider

/// `answer_cap` in tokens, 0 for none: to be told how long such an answer takes.
struct ask_permit {
  lease_id id;
  std::string model;
  std::uint64_t answer_cap = 0;
  provider_breaker::wish how; // where its way has to stand, and by which it did not get through
};
struct permit_reply {
  provider_breaker::answer permit;
  lesson known;
};
/// `first_word`, `first_byte`: how long the answer took to begin, and its response to, where there is one.
struct settle_permit {
  lease_id id;
  std::optional<failure_class> how;
  std::string model;
  std::optional<provider_lessons::event> learned;
  std::optional<duration> first_word, first_byte;
};
struct breaker_order {
  provider_breaker::order what{};
};
/// The endpoint and these circuits may be tried, or it cannot be reached.
struct provider_sign {
  provider_breaker::sign what{};
  std::vector<std::string> circuits;
  std::string way; // by which it was asked; empty: by all of them
};
struct breaker_view {
  std::string provider;
  std::vector<provider_breaker::view> circuits;
  std::vector<model_ranking::view> models; // ranked ones
  std::vector<endpoint_choice::view> ways;
  std::size_t permits_out = 0;
};

// -- key_manager

/// `secret_hash` tells which secret it was: a key whose secret was changed meanwhile is not judged by the old one.
struct key_outcome {
  std::string key;
  std::size_t secret_hash = 0;
  std::optional<failure_class> how;
  std::optional<duration> retry_after;
};
struct key_order {
  std::string key;
  bool enable = false;
};

// -- recovery

/// What a provider said to the question for its models; no status: nothing.
struct listing_over {
  std::string provider;
  int status = 0;
  std::optional<failure_class> error;
};
struct recovery_view {
  std::vector<outage_book::view> models;
  std::map<std::string, std::size_t> parked; // durable requests, now
};

// -- upstream, one per provider

/// Starts a call; head, data and end go to `run`, be it a caller's or Mainstay's own.
struct place_call {
  lease_id id;
  std::shared_ptr<http::call> what;
  caf::actor_addr run;
  caf::strong_actor_ptr tell_sent; // the governor, where it wants to know at once that the request has left; or null
  bool waited = false;             // it was held back by a drill, and its time has come
};
struct cancel_call {
  lease_id id;
};
struct add_credit {
  lease_id id;
  std::size_t bytes = 0;
};
struct call_over {
  lease_id id;
};
struct upstream_view {
  std::string provider;
  std::size_t open_calls = 0;
  std::uint64_t placed = 0, cancelled = 0;
};

} // namespace mainstay

// clang-format off
MAINSTAY_LETTER(submission) MAINSTAY_LETTER(caller_left) MAINSTAY_LOCAL(caller_left) MAINSTAY_LETTER(run_finished)
MAINSTAY_LOCAL(drain_order) MAINSTAY_LOCAL(drain_result) MAINSTAY_LOCAL(dispatcher_view) MAINSTAY_LOCAL(peers_room)
MAINSTAY_LOCAL(run_wake) MAINSTAY_LOCAL(deadline_over) MAINSTAY_LOCAL(patience_over) MAINSTAY_LOCAL(call_head)
MAINSTAY_LOCAL(call_data) MAINSTAY_LOCAL(call_end) MAINSTAY_LOCAL(caller_progress) MAINSTAY_LOCAL(flight_ended)
MAINSTAY_LOCAL(flight_terms) MAINSTAY_LOCAL(flight_ask) MAINSTAY_LOCAL(flight_seat) MAINSTAY_LETTER(flight_leave)
MAINSTAY_LETTER(flight_over) MAINSTAY_LOCAL(flights_view) MAINSTAY_LOCAL(admit_client) MAINSTAY_LOCAL(capacity_reply)
MAINSTAY_LOCAL(lease_sent) MAINSTAY_LOCAL(keep_lease) MAINSTAY_LETTER(settle_lease) MAINSTAY_LOCAL(withdraw_lease)
MAINSTAY_LOCAL(ask_slots) MAINSTAY_LOCAL(note_due) MAINSTAY_LOCAL(months_kept) MAINSTAY_LOCAL(ask_permit)
MAINSTAY_LOCAL(permit_reply) MAINSTAY_LETTER(settle_permit) MAINSTAY_LOCAL(breaker_order)
MAINSTAY_LOCAL(provider_sign) MAINSTAY_LOCAL(breaker_view) MAINSTAY_LETTER(key_outcome) MAINSTAY_LOCAL(key_order)
MAINSTAY_LOCAL(listing_over) MAINSTAY_LOCAL(recovery_view) MAINSTAY_LETTER(place_call) MAINSTAY_LETTER(cancel_call)
MAINSTAY_LETTER(add_credit) MAINSTAY_LETTER(call_over) MAINSTAY_LOCAL(upstream_view) MAINSTAY_LOCAL(client_admission)
MAINSTAY_LOCAL(capacity_request) MAINSTAY_LOCAL(key_standing) MAINSTAY_LOCAL(governor::circuit_news)
MAINSTAY_LOCAL(governor::model_news) MAINSTAY_LOCAL(governor::outage_news) MAINSTAY_LOCAL(governor::budget_news)
MAINSTAY_LOCAL(governor::provider_limits) MAINSTAY_LOCAL(governor::view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<mainstay::key_book::view>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<mainstay::key_standing>) MAINSTAY_LOCAL(governor::free_slots)
    // clang-format on
