// Every message between actors, and its registration with CAF. In-process messages are plain values that never leave
// the node; only console_ask, console_reply and peer_message travel, and are registered for that. Messages with secrets
// or prompts carry them behind pointers and print nothing.
#pragma once

#include "actors/letter.hpp"
#include "config/settings.hpp"
#include "core/alert_book.hpp"
#include "core/breaker.hpp"
#include "core/cost_ledger.hpp"
#include "core/drill_book.hpp"
#include "core/flight_book.hpp"
#include "core/kept_answer.hpp"
#include "core/key_health.hpp"
#include "core/lessons.hpp"
#include "core/load_watch.hpp"
#include "core/membership.hpp"
#include "core/model_ranking.hpp"
#include "core/outage.hpp"
#include "core/peer_room.hpp"
#include "core/rate_governor.hpp"
#include "core/recent_requests.hpp"
#include "core/recent_traffic.hpp"
#include "core/repeat_book.hpp"
#include "core/run_report.hpp"
#include "core/warming.hpp"
#include "net/cached_answer.hpp"
#include "net/http_client.hpp"
#include "net/reply_channel.hpp"

#include <caf/all.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

struct directory;  // actors/actors.hpp
struct run_record; // actors/run_record.hpp
using run_record_ptr = std::shared_ptr<run_record>;
class live_caller;    // actors/live_caller.hpp
class flight_channel; // actors/flight_channel.hpp
namespace http {
class response; // net/http_server.hpp
}

// -- to everybody who is supervised

/// An injected fault: the handler throws. For drills and tests.
struct inject_fault {};
/// A new configuration, and the names that go with it. Counters, cooldowns and permits survive by name.
struct take_settings {
  config::settings_ptr value;
  std::shared_ptr<const directory> names;
};
/// How many messages wait in the mailbox?
struct ask_backlog {};
/// Asks for a picture of the state; each actor answers with its own view type.
struct look {};
/// The request is over or its run died: whatever it still holds here of these serials comes back.
struct owner_gone {
  request_id owner = 0;
  serial_range which;
};

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
/// It gave a free answer, or somebody waits to try it: the endpoint and these circuits may be tried. Or it cannot be
/// reached.
struct provider_sign {
  bool answers = false;
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

// -- cache_actor

/// `stale_too`: nobody else has an answer, an old one will do.
struct cache_ask {
  std::string key;
  bool stale_too = false;
};
struct cache_reply {
  bytes_ptr completion;
  std::string tier;
}; // null: a miss
struct cache_put {
  std::string key;
  bytes_ptr completion;
  std::uint32_t cost = 0; // milliseconds it took its provider
  bytes_ptr request;      // with `scope`: what similar questions may get it too; null: none may
  std::string scope;
};
struct cache_clear {};
/// The tiers that could not be asked: empty when all is gone.
struct cache_cleared {
  std::vector<std::string> not_here;
};
struct redis_answer {
  std::uint64_t id = 0;
  cached_answer what;
}; // from the Redis thread
struct redis_cleared {
  std::uint64_t id = 0;
  bool done = false;
}; // from the Redis thread
/// That question, or that clearing, has waited for the disk for long enough.
struct disk_overdue {
  std::uint64_t id = 0;
};
/// Providers fail, or fail no more.
struct provider_trouble {
  bool now = false;
};
struct cache_tier_view {
  std::string name, state; // "up", "down"
  std::optional<std::size_t> entries, bytes;
  std::uint64_t hits = 0, stale_hits = 0, evictions = 0, timeouts = 0, failures = 0, dropped = 0;
};
struct cache_view {
  bool enabled = false, stretched = false;
  duration fresh_for{};
  std::uint64_t misses = 0, puts = 0;
  std::vector<cache_tier_view> tiers;
  bool redis_configured = false, redis_up = false;
  std::string redis_breaker;
};

/// From the metrics: what the load asks of cache and governor.
using load_orders = load_watch::orders;

// -- answer_keeper

/// Something waits in the store's queue.
struct writes_wait {};
/// A moment is over: what is too old goes, a file that failed is tried again.
struct keeper_due {};
struct disk_ask {
  std::string key;
};
struct disk_reply {
  cached_answer what;
};

// -- similar

/// Is there an answer to a question that is near this one? `scope`: whom the answer depends on besides the request.
struct similar_ask {
  bytes_ptr request;
  std::string scope;
  instant until{}; // nobody waits for the answer any longer
};
struct similar_reply {
  bytes_ptr completion;
}; // null: none
/// The vector of that question or answer; empty: there is none.
struct embedded {
  std::uint64_t id = 0;
  std::vector<float> vector;
};
struct similar_view {
  std::string method;
  double threshold = 0, threshold_now = 0;
  bool always = false;
  std::size_t entries = 0, bytes = 0;
  std::uint64_t hits = 0, misses = 0, evictions = 0, unfit = 0, dropped = 0, cut_short = 0;
  std::uint64_t embedded = 0, not_embedded = 0;
};

// -- state_keeper

/// Answered to the governor with months_kept.
struct keep_months {
  std::vector<month_count> counts;
};
struct keep_load {
  load_pattern::cells cells{};
};
struct keep_costs {
  std::vector<cost_ledger::row> rows;
};
struct keep_client {
  client_change change;
};

// -- journal

/// A durable request, read and found right: is it on disk?
struct journal_accept {
  run_record_ptr record;
};
/// `run`: it is on disk and the run goes on. `left`: the journal has it, and its caller; the run is over. Refused: with
/// these words.
struct journal_verdict {
  enum class way : std::uint8_t { run, left, refused };
  way what = way::refused;
  int status = 503;
  std::string code, message, param;
};
/// What a run of that request came to; null: to nothing. A run that asked for several has a number below 0.
struct journal_done {
  std::int64_t number = 0;
  request_id run = 0;
  kept_answer_ptr answer;
  std::string gather; // of a request that nobody was asked for yet: to be merged with others for this model
  std::string model;  // as configured; empty: the run did not come to know
};
/// Durable requests of exactly these models are parked until they are no longer named.
struct journal_hold {
  std::vector<std::string> models;
};
struct journal_held {
  struct row {
    std::string model;
    std::size_t now = 0, in_all = 0;
  };
  std::vector<row> models; // also of those just let go: how many there were
};
/// So many of them may try whether their model is back.
struct journal_try {
  std::string model;
  std::uint32_t permits = 0;
};
/// Who asks for the answer of a durable request, or wants it to end. The caller may be null: nobody waits to hear.
struct journal_question {
  std::string client, id;
  std::shared_ptr<live_caller> caller;
  std::uint64_t of_peer = 0; // another node's: what is not here is nowhere else to be looked for
  void on_lost();
};
struct journal_collect : journal_question {};
struct journal_cancel : journal_question {
  bool called_off = false; // what it asked for itself is not accepted: if it was the first, there is nothing else
};
/// A look counts its rows; this does not.
struct ask_fullness {};
/// What was in the mailbox when the first of a batch was opened has been handled.
struct commit_due {};
/// The node drains: nothing is run again before the next start.
struct journal_drain {};
/// The doors are about to stop: whoever still waits for an answer is told so. The reply: how many have none.
struct journal_flush {};
struct repeat_recall {
  std::string key;
};
struct repeat_recalled {
  bool available = false; // the journal could be asked
  std::string fingerprint;
  kept_answer_ptr answer; // null: there is none
};
struct repeat_keep {
  std::string key, fingerprint;
  kept_answer_ptr answer;
};
struct journal_view {
  std::string path;
  bool failing = false;
  std::int64_t requests = 0, answered = 0, repeats = 0;
  std::uint64_t bytes = 0, most_bytes = 0, most_requests = 0;
  std::optional<utc_time> oldest; // of those without an answer
  std::size_t running = 0, parked = 0, at_once = 0, callers = 0;
  std::uint64_t accepted = 0, stored = 0, replayed = 0, parks = 0, refused = 0, expired = 0, commits = 0;
  struct row {
    std::string client, id, name, state;
    priority level = priority::normal;
    utc_time accepted{};
  };
  std::vector<row> latest;
  struct batch_row { // of one model
    std::string model;
    std::size_t size = 0; // at most so many in the next call
    duration mean{};      // of the latest calls
    std::uint64_t calls = 0, failed = 0, parts = 0, answered = 0, alone = 0;
    std::int64_t calls_saved = 0, tokens_saved = 0; // tokens: of prompts, estimated
  };
  std::vector<batch_row> batches;
  std::size_t gathering = 0;
};

// -- repeats

struct repeat_ask {
  std::string key; // the client's name in it
  repeat_book::asker who;
};
struct repeat_reply {
  enum class way : std::uint8_t { first, repeated, other_body, unavailable };
  way what = way::unavailable;
  kept_answer_ptr answer; // of `repeated`
};
/// That request is over, with this answer, or with none that may be repeated.
struct repeat_over {
  std::string key;
  std::uint64_t who = 0;
  kept_answer_ptr answer;
};
struct repeats_view {
  std::size_t answers = 0, bytes = 0, under_way = 0, waiting = 0;
};

// -- warmer

/// From the console of whoever has the file. `id`: of the warming, its own choice. `piece` counts its lines' pieces
/// from 0: one that was taken already is not taken twice. `heard`: how many problems it has been told already.
struct warm_ask {
  enum class way : std::uint8_t { begin, lines, look, stop };
  way what = way::look;
  std::string id; // empty: whichever it is, to look or to stop
  std::uint64_t piece = 0, heard = 0;
  using numbered = std::vector<std::pair<std::uint64_t, std::string>>; // by their numbers in the file
  std::shared_ptr<const numbered> lines;
};
struct warm_problem {
  std::uint64_t line = 0;
  std::string what;
};
struct warm_reply {
  std::string error; // not empty: nothing was done
  std::string id, pause;
  bool taken = false; // of `lines`; false: no room now
  std::size_t longest_line = 0, waiting = 0, running = 0, at_once = 0;
  std::uint64_t kept = 0, skipped = 0, failed = 0;
  std::uint64_t problems_before = 0;
  std::vector<warm_problem> problems;
};
/// What the run of a line came to.
struct warm_over {
  std::string id;
  std::uint64_t line = 0;
  warming::ending how{};
  std::string problem;
  bool node_ends = false;
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

// -- metrics_aggregator

/// A run is over. `asked`: the caller's request, where the audit is to have it; else null.
struct run_over {
  report_ptr report;
  bytes_ptr asked;
};
/// A rule denied a request, or an answer on its way out.
struct content_denied {
  std::string rule;
  bool on_the_way_out = false;
};
/// A moment is over: do providers still fail, and how is the load?
struct rate_due {};
struct ask_forecast {};
/// Alerts that began or ended: to be told to whom the configuration names.
struct alerts_told {
  std::vector<alert_book::alert> all;
};
/// A request in the sample: its spans are to be told.
struct trace_told {
  report_ptr report;
};
/// The node ends: tell of what waits. The reply: whether all of it was told.
struct flush_spans {};
struct tracer_view {
  bool configured = false;
  std::uint64_t sent = 0, dropped = 0, failed_posts = 0; // requests; posts
  std::size_t waiting = 0;
};
/// A post to the webhook or to the collector is over. `status`: of the answer; 0 with an error: there was none.
struct post_over {
  std::uint64_t number = 0;
  int status = 0;
};
struct alert_bell_view {
  bool configured = false;
  std::uint64_t delivered = 0, failed = 0, given_up = 0;
  std::size_t waiting = 0;
};
/// A request that is over, by x-request-id or a durable one's own name. Answered with recent_requests::found.
struct ask_trace {
  std::string id;
};
/// The latest requests that are over.
struct ask_recent {
  std::size_t most = 0;
  bool notable_only = false;
};
struct recent_view {
  std::vector<recent_requests::found> all; // newest first
};
struct overview; // actors/overview.hpp
using overview_ptr = std::shared_ptr<const overview>;
/// All that there is to see at a glance. Gathered at most once a second, however many ask.
struct ask_overview {};
struct ask_alerts {};
struct alerts_view {
  std::vector<alert_book::alert> all;
  recent_traffic::view traffic;
};
/// What calls cost since then.
struct ask_costs {
  utc_time from{};
  cost_ledger::by group = cost_ledger::by::model;
};
struct costs_view {
  std::vector<std::pair<std::string, cost_ledger::amounts>> groups;
  cost_ledger::amounts total;
  struct budget {
    std::string client;
    double daily_usd = 0, spent_usd = 0;
  };
  std::vector<budget> budgets; // of today
  bool priced = false;         // there are prices
};
struct scrape {};
/// The gauges are set: what is to be said of them all.
struct make_text {};
/// How many requests were answered from where, since the process began.
struct ask_served {};
struct served_view {
  std::map<std::string, served_counts> by_model;
};
/// Of a client, a model or a provider, since the process began.
struct request_totals {
  std::uint64_t requests = 0, failed = 0; // of a provider: calls
  token_usage tokens;
};
using totals_by_name = std::map<std::string, request_totals>;
struct metrics_view {
  std::uint64_t requests = 0, ok = 0, failed = 0, attempts = 0, retries = 0;
  std::map<std::string, std::uint64_t> by_source, by_outcome;
  std::uint64_t input_tokens = 0, output_tokens = 0;
  std::uint64_t retried = 0, rescued = 0; // requests that took more than one call, and those of them that were answered
  std::array<std::uint64_t, 9> retries_of{}; // requests by calls beyond the first: 8 or more in the last
  totals_by_name models, clients;
  recent_traffic::view lately;
};

// -- dashboard

/// Somebody wants to look on, until they leave: an overview each second.
struct look_on {
  std::shared_ptr<http::response> viewer;
  header_list headers; // of the answer
};

// -- drills

/// From the console. An empty `id` to look or to stop: whichever it is.
struct drill_ask {
  enum class way : std::uint8_t { begin, look, stop };
  way what = way::look;
  drill_order order; // of `begin`; to look and to stop only its id
};
struct drill_reply {
  std::string error; // not empty: nothing was done
  drill_book::view now;
};
/// The node drains: what is broken on purpose is so no more, and nothing else will be.
struct drills_over {};
/// What the metrics have counted.
struct ask_counts {};

// -- supervisor

struct actor_row {
  std::string name;
  std::uint64_t id = 0;
  std::uint64_t restarts = 0;
  bool up = false;
  std::string last_fault;
  double up_seconds = 0;
  std::uint64_t messages = 0; // that went to it by its name
};
struct crash_order {
  std::string name;
};

// -- cluster

/// All that nodes say to each other. `head` is a JSON object whose unknown members are ignored, `body` bytes. Nothing
/// secret is ever in one.
struct peer_message {
  std::uint16_t version = 0; // of the sender's protocol
  std::string kind, head, body;
};
struct peer_said {
  std::string from; // the peer's address, as the configuration names it
  std::string kind, head, body;
};
/// Of what send_to asked for: it was not sent.
struct peer_refused {
  enum class reason : std::uint8_t { unreachable, full, too_large };
  std::string to, kind, head;
  reason why = reason::unreachable;
};
/// Told at once of every peer that is up, and then of every change. Another incarnation is a change, too.
struct peer_changed {
  std::string peer;
  bool up = false;
  std::uint64_t incarnation = 0; // of who is there, or was
};
/// Those who speak with their like on other nodes.
using peer_listener =
    caf::typed_actor<caf::reacts_to<peer_said>, caf::reacts_to<peer_changed>, caf::reacts_to<peer_refused>>;
/// Sent if the peer is up and has acknowledged enough of what was sent before; else refused at once, never kept.
struct send_to {
  std::string peer; // its address
  std::string kind, head, body;
  peer_listener refused; // who is told if not; null: whoever listens to that kind here
};
/// To messages whose kind begins so; of several the longest counts, and of several who listen to the same the last.
struct peer_listen {
  std::string prefix;
  peer_listener who;
};

/// What was dialled answers.
struct link_made {
  std::string address;
  caf::strong_actor_ptr peer;
};
struct link_failed {
  std::string address, why;
  bool refused = false; // by its certificate or ours: not soon to be tried again
};
struct cluster_view {
  struct flow {
    std::uint64_t messages_in = 0, messages_out = 0, bytes_in = 0, bytes_out = 0;
    std::uint64_t refused = 0; // not sent
  };
  node_identity own;
  std::vector<membership::view> peers;
  std::map<std::string, flow> traffic; // by address
  std::uint64_t strangers = 0;         // messages from nobody known, or of no known kind
};

/// How what peer_news was told by peers was used: taken as advice, or not understood.
struct peer_news_view {
  std::uint64_t circuits = 0, keys = 0, other_secrets = 0, dropped = 0; // other_secrets: of keys that only share a name
  std::uint64_t told = 0;                                               // messages to peers
};
/// Answers cache_clear where there are peers.
struct nodes_cleared {
  cache_cleared here;
  struct peer {
    std::string address;
    enum class state : std::uint8_t { done, later, silent } what = state::later; // later: when it is back
    std::vector<std::string> not_here;                                           // tiers, if done
  };
  std::vector<peer> peers;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_message& x) {
  return f(caf::meta::type_name("mainstay::peer_message"), x.version, x.kind, x.head, x.body);
}

/// Does another node fly for this question? Whoever is told to fly here is known to, until it has landed.
struct flight_question {
  request_id flight = 0;
  std::string question; // what is the same for all who may share its answer
  instant until{};
};
struct flight_place {
  std::string peer; // its address; empty: fly here
};
/// `cached`: its answer is in this node's cache.
struct flight_landing {
  request_id flight = 0;
  bool cached = false;
};

// -- guests: runs that a peer works on, and peers' runs here

/// Of a run: has a peer room for it? What comes of it comes as of a provider's call under that serial.
struct away_ask {
  request_id owner = 0;
  std::uint32_t serial = 0;
  move_reason why{};
  std::vector<std::string> providers; // one of which it needs
  caf::actor_addr run;
  std::string peer{}; // the only one that will do; empty: whoever has room
};
/// Its place there, until it ends or leaves.
struct away_seat {
  std::uint64_t number = 0; // 0: nobody has room
  std::string node;         // whose it is, by name
};
struct away_begin {
  std::uint64_t number = 0;
  std::string head; // guest_words
  bytes_ptr body;
};
struct away_credit {
  std::uint64_t number = 0;
  std::size_t bytes = 0;
};
struct away_leave {
  std::uint64_t number = 0;
};
/// That guest's way back has something to say.
struct guest_speaks {
  request_id guest = 0;
};
struct node_drains {};
struct guests_view {
  struct peer {
    node_room room;
    bool known = false; // it said so lately
    std::size_t away = 0, guests = 0;
  };
  node_room own;
  std::map<std::string, peer> peers;                                  // by address
  std::map<std::pair<std::string, std::string>, std::uint64_t> moved; // by direction and reason
  std::uint64_t lost = 0, not_understood = 0; // away and lost with their peer; messages that were none
};

// -- console

/// One command line of the console, split into words.
struct console_ask {
  std::vector<std::string> words;
};
/// The same, to be done here and nowhere else. `who`: as the audit names the operator.
struct console_order {
  std::vector<std::string> words;
  std::string who;
};
/// `json` is the answer (an object); where !ok it is {"error": "..."}.
struct console_reply {
  bool ok = false;
  std::string json;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, console_ask& x) {
  return f(caf::meta::type_name("mainstay::console_ask"), x.words);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, console_reply& x) {
  return f(caf::meta::type_name("mainstay::console_reply"), x.ok, x.json);
}

} // namespace mainstay

// clang-format off
#define MAINSTAY_LOCAL_MESSAGES(X) \
  X(mainstay::inject_fault) X(mainstay::take_settings) X(mainstay::look) X(mainstay::ask_backlog) X(mainstay::letter<mainstay::owner_gone>) \
  X(mainstay::letter<mainstay::submission>) X(mainstay::letter<mainstay::caller_left>) \
  X(mainstay::letter<mainstay::run_finished>) X(mainstay::drain_order) X(mainstay::drain_result) \
  X(mainstay::dispatcher_view) X(mainstay::run_wake) X(mainstay::deadline_over) X(mainstay::patience_over) X(mainstay::caller_left) \
  X(mainstay::keep_client) \
  X(mainstay::flight_ended) X(mainstay::flight_terms) X(mainstay::flight_ask) X(mainstay::flight_seat) \
  X(mainstay::letter<mainstay::flight_leave>) X(mainstay::letter<mainstay::flight_over>) X(mainstay::flights_view) \
  X(mainstay::call_head) X(mainstay::call_data) X(mainstay::call_end) X(mainstay::caller_progress) \
  X(mainstay::admit_client) X(mainstay::client_admission) X(mainstay::capacity_request) X(mainstay::capacity_reply) \
  X(mainstay::lease_sent) X(mainstay::keep_lease) X(mainstay::letter<mainstay::settle_lease>) X(mainstay::withdraw_lease) \
  X(mainstay::note_due) X(mainstay::months_kept) X(mainstay::keep_months) \
  X(mainstay::key_standing) X(mainstay::governor::circuit_news) X(mainstay::governor::model_news) X(mainstay::governor::outage_news) \
  X(mainstay::governor::budget_news) X(mainstay::governor::provider_limits) X(mainstay::keep_costs) X(mainstay::ask_costs) X(mainstay::costs_view) \
  X(mainstay::letter<mainstay::alerts_told>) X(mainstay::make_text) X(mainstay::trace_told) X(mainstay::flush_spans) X(mainstay::tracer_view) X(mainstay::post_over) X(mainstay::ask_fullness) X(mainstay::alert_bell_view) X(mainstay::ask_alerts) X(mainstay::alerts_view) \
  X(mainstay::governor::view) X(mainstay::ask_permit) X(mainstay::permit_reply) \
  X(mainstay::letter<mainstay::settle_permit>) X(mainstay::breaker_order) X(mainstay::provider_sign) X(mainstay::breaker_view) \
  X(mainstay::letter<mainstay::key_outcome>) X(mainstay::key_order) X(std::vector<mainstay::key_book::view>) \
  X(std::vector<mainstay::key_standing>) X(mainstay::cache_ask) X(mainstay::cache_reply) X(mainstay::cache_put) \
  X(mainstay::cache_clear) X(mainstay::cache_cleared) X(mainstay::redis_answer) X(mainstay::redis_cleared) X(mainstay::disk_overdue) \
  X(mainstay::provider_trouble) X(mainstay::load_orders) X(mainstay::keep_load) X(mainstay::ask_forecast) \
  X(mainstay::load_watch::view) X(mainstay::cache_view) X(mainstay::writes_wait) X(mainstay::keeper_due) \
  X(mainstay::disk_ask) X(mainstay::disk_reply) X(mainstay::similar_ask) X(mainstay::similar_reply) X(mainstay::embedded) X(mainstay::similar_view) \
  X(mainstay::journal_accept) X(mainstay::journal_verdict) X(mainstay::letter<mainstay::journal_done>) \
  X(mainstay::letter<mainstay::journal_collect>) X(mainstay::letter<mainstay::journal_cancel>) \
  X(mainstay::journal_hold) X(mainstay::journal_held) X(mainstay::journal_try) X(mainstay::listing_over) X(mainstay::recovery_view) \
  X(mainstay::commit_due) X(mainstay::journal_drain) X(mainstay::journal_flush) X(mainstay::repeat_recall) X(mainstay::repeat_recalled) \
  X(mainstay::letter<mainstay::repeat_keep>) X(mainstay::journal_view) X(mainstay::repeat_ask) \
  X(mainstay::repeat_reply) X(mainstay::letter<mainstay::repeat_over>) X(mainstay::repeats_view) \
  X(mainstay::warm_ask) X(mainstay::warm_reply) X(mainstay::letter<mainstay::warm_over>) \
  X(mainstay::letter<mainstay::place_call>) X(mainstay::letter<mainstay::cancel_call>) \
  X(mainstay::letter<mainstay::add_credit>) X(mainstay::letter<mainstay::call_over>) X(mainstay::upstream_view) \
  X(mainstay::letter<mainstay::run_over>) X(mainstay::ask_trace) X(mainstay::ask_recent) X(mainstay::recent_view) X(mainstay::ask_overview) X(mainstay::overview_ptr) \
  X(mainstay::recent_requests::found) X(mainstay::batch_report) X(mainstay::content_denied) X(mainstay::rate_due) X(mainstay::scrape) X(mainstay::metrics_view) \
  X(mainstay::ask_served) X(mainstay::served_view) X(mainstay::look_on) \
  X(mainstay::drill_ask) X(mainstay::drill_reply) X(mainstay::drill_effect) X(mainstay::drills_over) X(mainstay::ask_counts) \
  X(mainstay::drill_book::counts) X(mainstay::drill_book::view) \
  X(mainstay::link_made) X(mainstay::link_failed) X(mainstay::cluster_view) X(mainstay::send_to) X(mainstay::peer_said) \
  X(mainstay::peer_refused) X(mainstay::peer_changed) X(mainstay::peer_listen) \
  X(mainstay::console_order) X(mainstay::circuit_word) X(mainstay::key_word) X(mainstay::peer_news_view) X(mainstay::nodes_cleared) \
  X(mainstay::peers_room) X(mainstay::ask_slots) X(mainstay::governor::free_slots) X(mainstay::away_ask) X(mainstay::away_seat) \
  X(mainstay::away_begin) X(mainstay::away_credit) X(mainstay::away_leave) X(mainstay::guest_speaks) X(mainstay::node_drains) X(mainstay::guests_view) \
  X(mainstay::flight_question) X(mainstay::flight_place) X(mainstay::flight_landing) \
  X(std::vector<mainstay::actor_row>) X(mainstay::crash_order)
// clang-format on

#define MAINSTAY_ALLOW(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)
MAINSTAY_LOCAL_MESSAGES(MAINSTAY_ALLOW)
#undef MAINSTAY_ALLOW

CAF_BEGIN_TYPE_ID_BLOCK(mainstay, first_custom_type_id)
CAF_ADD_TYPE_ID(mainstay, (mainstay::console_ask))
CAF_ADD_TYPE_ID(mainstay, (mainstay::console_reply))
CAF_ADD_TYPE_ID(mainstay, (mainstay::peer_message))
CAF_END_TYPE_ID_BLOCK(mainstay)
