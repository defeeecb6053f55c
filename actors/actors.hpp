// Who can be asked what: every typed actor interface of Mainstay on one page. Handles of supervised actors are stable
// names: they stay valid while the actor behind them is restarted (actors/stable_front.hpp). A `letter` is posted again
// if its receiver dies before opening it.
#pragma once

#include "actors/messages.hpp"

#include <caf/typed_actor.hpp>

#include <map>

namespace mainstay {

/// What every supervised actor understands.
#define MAINSTAY_SUPERVISED                                                                                            \
  caf::reacts_to<inject_fault>, caf::reacts_to<take_settings>, caf::replies_to<ask_backlog>::with<std::uint64_t>

/// One caller's request, from acceptance to answer. Short-lived; its state is the run_record.
using run_actor =
    caf::typed_actor<caf::reacts_to<run_wake>,      // a backoff or a grace period of that generation is over
                     caf::reacts_to<deadline_over>, // the dispatcher keeps the clock, and hears of revoked clients
                     caf::reacts_to<patience_over>, caf::reacts_to<caller_left>, caf::reacts_to<flight_ended>,
                     caf::reacts_to<flight_terms>, // from the flight's way back
                     caf::reacts_to<call_head>,    // from the upstream's thread, in order: head, data..., end
                     caf::reacts_to<call_data>, caf::reacts_to<call_end>,
                     caf::reacts_to<caller_progress>, // from the door: room for more
                     caf::reacts_to<inject_fault>>;

/// Accepts requests, keeps a record of each until it was answered, gives it a run and, if that dies, another; keeps the
/// deadlines; drains.
using dispatcher_actor =
    caf::typed_actor<caf::reacts_to<letter<submission>>, caf::reacts_to<letter<caller_left>>,
                     caf::reacts_to<letter<run_finished>>, caf::reacts_to<run_wake>,
                     caf::replies_to<drain_order>::with<drain_result>, // answered when nothing is in flight, or at the
                                                                       // limit
                     caf::replies_to<look>::with<dispatcher_view>, caf::reacts_to<peers_room>,
                     caf::replies_to<crash_order>::with<bool>, // injects a fault into one run; false: none is in flight
                     MAINSTAY_SUPERVISED>;

/// Limits of keys and clients, the connection slots, the retry budget and the queue of those who wait.
using governor_actor =
    caf::typed_actor<caf::replies_to<admit_client>::with<client_admission>,
                     caf::replies_to<capacity_request>::with<capacity_reply>, // now, or when capacity came, or the wait
                                                                              // was over
                     caf::reacts_to<lease_sent>, caf::reacts_to<keep_lease>, caf::reacts_to<letter<settle_lease>>,
                     caf::reacts_to<withdraw_lease>, caf::reacts_to<letter<owner_gone>>,
                     caf::reacts_to<key_standing>,           // from the key manager
                     caf::reacts_to<governor::circuit_news>, // from the breakers
                     caf::reacts_to<governor::model_news>,   // from the breakers
                     caf::reacts_to<governor::outage_news>,  // from the recovery
                     caf::reacts_to<governor::budget_news>,  // from the metrics
                     caf::reacts_to<governor::provider_limits>, caf::reacts_to<run_wake>, caf::reacts_to<note_due>,
                     caf::reacts_to<months_kept>, // from the state keeper
                     caf::reacts_to<load_orders>, // from the metrics
                     caf::reacts_to<peer_said>, caf::reacts_to<peer_changed>,
                     caf::reacts_to<peer_refused>, // from the cluster: a peer_listener
                     caf::replies_to<ask_slots>::with<governor::free_slots>,
                     caf::replies_to<look>::with<governor::view>, MAINSTAY_SUPERVISED>;

/// Health, rests and disabling of provider keys.
using key_manager_actor =
    caf::typed_actor<caf::reacts_to<letter<key_outcome>>,
                     caf::replies_to<key_order>::with<bool>, // false: no such key
                     caf::reacts_to<key_word>,               // from peers, by peer_news
                     caf::replies_to<look>::with<std::vector<key_book::view>>, MAINSTAY_SUPERVISED>;

/// One provider's circuits, and what its answers have taught.
using breaker_actor =
    caf::typed_actor<caf::replies_to<ask_permit>::with<permit_reply>, caf::reacts_to<letter<settle_permit>>,
                     caf::reacts_to<letter<owner_gone>>, caf::reacts_to<breaker_order>,
                     caf::reacts_to<provider_sign>, // from the recovery
                     caf::reacts_to<circuit_word>,  // from peers, by peer_news
                     caf::reacts_to<run_wake>,      // what peers said may have ended by time
                     caf::replies_to<look>::with<breaker_view>, MAINSTAY_SUPERVISED>;

/// Which models have no target left, and their way back.
using recovery_actor = caf::typed_actor<caf::reacts_to<governor::circuit_news>, // from the breakers
                                        caf::reacts_to<key_standing>,           // from the key manager
                                        caf::reacts_to<listing_over>, caf::reacts_to<run_wake>,
                                        caf::reacts_to<drill_effect>, // from the drills
                                        caf::replies_to<look>::with<recovery_view>, MAINSTAY_SUPERVISED>;

/// Complete answers: in memory, in Redis, in a file.
using cache_actor = caf::typed_actor<caf::replies_to<cache_ask>::with<cache_reply>, caf::reacts_to<redis_answer>,
                                     caf::reacts_to<redis_cleared>, caf::reacts_to<disk_overdue>,
                                     caf::reacts_to<cache_put>, caf::replies_to<cache_clear>::with<cache_cleared>,
                                     caf::reacts_to<provider_trouble>, // from the metrics
                                     caf::reacts_to<load_orders>,      // from the metrics
                                     caf::reacts_to<drill_effect>,     // from the drills
                                     caf::replies_to<look>::with<cache_view>, MAINSTAY_SUPERVISED>;

/// The cache's file. Only where the configuration names one.
using answer_keeper_actor = caf::typed_actor<caf::reacts_to<writes_wait>, caf::replies_to<disk_ask>::with<disk_reply>,
                                             caf::replies_to<cache_clear>::with<bool>, // false: not now
                                             caf::reacts_to<keeper_due>, MAINSTAY_SUPERVISED>;

/// Answers to questions that are near one that is asked. Only where the configuration wants them.
using similar_actor = caf::typed_actor<caf::reacts_to<writes_wait>, caf::replies_to<similar_ask>::with<similar_reply>,
                                       caf::replies_to<cache_clear>::with<bool>, // true: done
                                       caf::reacts_to<provider_trouble>,         // from the cache
                                       caf::reacts_to<embedded>,                 // of a question that it had embedded
                                       caf::replies_to<look>::with<similar_view>, MAINSTAY_SUPERVISED>;

/// The audit's file. Only where the configuration names one.
using audit_keeper_actor =
    caf::typed_actor<caf::reacts_to<writes_wait>, caf::reacts_to<keeper_due>, MAINSTAY_SUPERVISED>;

/// What must outlive a restart, in a file. Only where the configuration names one.
using state_keeper_actor = caf::typed_actor<caf::reacts_to<keep_months>, caf::reacts_to<keep_load>,
                                            caf::replies_to<keep_costs>::with<bool>,  // false: they are not written
                                            caf::replies_to<keep_client>::with<bool>, // likewise
                                            caf::reacts_to<note_due>,                 // this process runs
                                            MAINSTAY_SUPERVISED>;

/// Durable requests and their answers on disk. Only where the configuration names a file.
using journal_actor =
    caf::typed_actor<caf::replies_to<journal_accept>::with<journal_verdict>, // answered when it is on disk
                     caf::reacts_to<letter<journal_done>>,                   // from a run's way back
                     caf::reacts_to<letter<journal_collect>>, caf::reacts_to<letter<journal_cancel>>,
                     caf::replies_to<repeat_recall>::with<repeat_recalled>, caf::reacts_to<letter<repeat_keep>>,
                     caf::replies_to<journal_hold>::with<journal_held>,
                     caf::reacts_to<journal_try>, // from the recovery
                     caf::reacts_to<journal_drain>,
                     caf::replies_to<journal_flush>::with<std::uint64_t>, // when all that came before is on disk, or
                                                                          // failed
                     caf::reacts_to<commit_due>, caf::reacts_to<run_wake>, caf::replies_to<look>::with<journal_view>,
                     caf::replies_to<ask_fullness>::with<double>, // the share of its bounds that is used
                     MAINSTAY_SUPERVISED>;

/// Who runs, waits or gets the first answer again under an idempotency key.
using repeats_actor = caf::typed_actor<caf::replies_to<repeat_ask>::with<repeat_reply>, // when that is known
                                       caf::reacts_to<letter<repeat_over>>, caf::replies_to<look>::with<repeats_view>,
                                       MAINSTAY_SUPERVISED>;

/// Fills the cache from the lines of a file that a console sends.
using warmer_actor =
    caf::typed_actor<caf::replies_to<warm_ask>::with<warm_reply>, caf::reacts_to<letter<warm_over>>, // from its runs
                     caf::reacts_to<run_wake>, MAINSTAY_SUPERVISED>;

/// Equal requests that share one upstream call.
using flights_actor = caf::typed_actor<caf::replies_to<flight_ask>::with<flight_seat>, // idempotent
                                       caf::reacts_to<letter<flight_leave>>,
                                       caf::reacts_to<letter<flight_over>>, // from the dispatcher
                                       caf::replies_to<look>::with<flights_view>, MAINSTAY_SUPERVISED>;

/// One provider's calls.
using upstream_actor = caf::typed_actor<caf::reacts_to<letter<place_call>>, caf::reacts_to<letter<cancel_call>>,
                                        caf::reacts_to<letter<add_credit>>, caf::reacts_to<letter<call_over>>,
                                        caf::reacts_to<letter<owner_gone>>,
                                        caf::reacts_to<drill_effect>, // from the drills
                                        caf::replies_to<look>::with<upstream_view>, MAINSTAY_SUPERVISED>;

/// Counts; hears one report per request.
using metrics_actor =
    caf::typed_actor<caf::reacts_to<letter<run_over>>, caf::reacts_to<batch_report>, // from the journal
                     caf::reacts_to<content_denied>, caf::reacts_to<rate_due>,
                     caf::replies_to<scrape>::with<std::string>, // Prometheus text
                     caf::replies_to<ask_served>::with<served_view>, caf::replies_to<look>::with<metrics_view>,
                     caf::replies_to<ask_forecast>::with<load_watch::view>,
                     caf::replies_to<ask_trace>::with<recent_requests::found>,
                     caf::replies_to<ask_recent>::with<recent_view>, caf::replies_to<ask_overview>::with<overview_ptr>,
                     caf::replies_to<ask_costs>::with<costs_view>, caf::replies_to<ask_alerts>::with<alerts_view>,
                     caf::replies_to<ask_counts>::with<drill_book::counts>, // from the drills
                     MAINSTAY_SUPERVISED>;

/// Posts alerts to the webhook that the configuration names.
using alert_bell_actor = caf::typed_actor<caf::reacts_to<letter<alerts_told>>, // from the metrics
                                          caf::reacts_to<post_over>, caf::reacts_to<run_wake>,
                                          caf::replies_to<look>::with<alert_bell_view>, MAINSTAY_SUPERVISED>;

/// Tells a collector of the requests in the sample (OpenTelemetry).
using tracer_actor =
    caf::typed_actor<caf::reacts_to<trace_told>, // from the metrics
                     caf::reacts_to<post_over>, caf::reacts_to<run_wake>, caf::replies_to<flush_spans>::with<bool>,
                     caf::replies_to<look>::with<tracer_view>, MAINSTAY_SUPERVISED>;

/// Shows the node to those who look on through the metrics door.
using dashboard_actor = caf::typed_actor<caf::reacts_to<look_on>, // from the door
                                         caf::reacts_to<run_wake>, MAINSTAY_SUPERVISED>;

/// What is broken on purpose, and what callers notice of it.
using drills_actor =
    caf::typed_actor<caf::replies_to<drill_ask>::with<drill_reply>, caf::reacts_to<drills_over>,
                     caf::reacts_to<run_wake>, caf::replies_to<look>::with<drill_book::view>, MAINSTAY_SUPERVISED>;

/// The console's interface, published over CAF's middleman. Speaks in words and JSON, so that consoles of other
/// versions understand it.
using console_actor = caf::typed_actor<caf::replies_to<console_ask>::with<console_reply>>; // what a console sees of it
using admin_actor = console_actor::extend<caf::replies_to<console_order>::with<console_reply>, // from other nodes
                                          MAINSTAY_SUPERVISED>;

/// What a node is to another: whoever says something says who it is, to be answered.
using peer_actor = caf::typed_actor<caf::reacts_to<peer_message, caf::strong_actor_ptr>>;
/// The other nodes. Only where the configuration names some.
using cluster_actor = peer_actor::extend<caf::reacts_to<link_made>, caf::reacts_to<link_failed>, // from whoever dials
                                         caf::reacts_to<send_to>, caf::reacts_to<peer_listen>, caf::reacts_to<run_wake>,
                                         caf::replies_to<look>::with<cluster_view>, MAINSTAY_SUPERVISED>;

/// What speaks with its like on other nodes.
#define MAINSTAY_AMONG_PEERS                                                                                           \
  caf::reacts_to<peer_said>, caf::reacts_to<peer_changed>, caf::reacts_to<peer_refused>, caf::reacts_to<run_wake>

/// The console's way to other nodes, and theirs to ours.
using peer_console_actor =
    caf::typed_actor<caf::replies_to<console_ask>::with<console_reply>, MAINSTAY_AMONG_PEERS, MAINSTAY_SUPERVISED>;
/// Looks for durable requests in other nodes' journals, and lets others look into ours.
using peer_journal_actor =
    caf::typed_actor<caf::reacts_to<letter<journal_collect>>, // of what is not here
                     caf::reacts_to<letter<journal_cancel>>, MAINSTAY_AMONG_PEERS, MAINSTAY_SUPERVISED>;
/// What nodes tell each other of circuits and keys: hears the breakers and the key manager, and peers. Only where there
/// are peers.
using peer_news_actor =
    peer_listener::extend<caf::reacts_to<circuit_word>, caf::reacts_to<key_word>, // from here
                          caf::reacts_to<run_wake>, caf::replies_to<look>::with<peer_news_view>, MAINSTAY_SUPERVISED>;
/// Clears the caches of all nodes, those that are away when they are back. Only where there are peers.
using cache_clears_actor = peer_listener::extend<caf::replies_to<cache_clear>::with<nodes_cleared>,
                                                 caf::reacts_to<run_wake>, MAINSTAY_SUPERVISED>;
/// Which node flies already for a question. Only where work may move.
using peer_flights_actor = caf::typed_actor<caf::replies_to<flight_question>::with<flight_place>,
                                            caf::reacts_to<flight_landing>, // from the flights
                                            MAINSTAY_AMONG_PEERS, MAINSTAY_SUPERVISED>;
/// This node's runs at peers, and peers' runs here. Only where there are peers.
using guests_actor =
    peer_listener::extend<caf::replies_to<away_ask>::with<away_seat>, caf::reacts_to<away_begin>,
                          caf::reacts_to<away_credit>, caf::reacts_to<away_leave>, caf::reacts_to<guest_speaks>,
                          caf::reacts_to<letter<owner_gone>>, caf::reacts_to<node_drains>, // from the dispatcher
                          caf::reacts_to<run_wake>, caf::replies_to<look>::with<guests_view>, MAINSTAY_SUPERVISED>;

/// Spawns, restarts with an intensity limit, knows everybody's stable name.
using supervisor_actor =
    caf::typed_actor<caf::replies_to<crash_order>::with<bool>, // false: nobody of that name
                     caf::replies_to<look>::with<std::vector<actor_row>>,
                     caf::replies_to<take_settings>::with<bool>>; // answered when everybody has been told

/// The stable names a request or the console needs.
struct directory {
  dispatcher_actor dispatcher;
  governor_actor governor;
  key_manager_actor key_manager;
  cache_actor cache;
  metrics_actor metrics;
  supervisor_actor supervisor;
  admin_actor admin;
  state_keeper_actor state_keeper;   // null: nothing is kept
  answer_keeper_actor answer_keeper; // null: the cache has no file
  audit_keeper_actor audit_keeper;   // null: there is no audit
  similar_actor similar;             // null: only equal questions have the same answer
  journal_actor journal;             // null: no request is durable
  repeats_actor repeats;
  warmer_actor warmer;
  flights_actor flights;
  recovery_actor recovery;
  alert_bell_actor alert_bell;
  tracer_actor tracer;
  dashboard_actor dashboard;
  drills_actor drills;
  cluster_actor cluster;                         // null: this node is alone
  peer_console_actor peer_console;               // likewise
  peer_journal_actor peer_journal;               // likewise
  peer_news_actor peer_news;                     // likewise
  cache_clears_actor cache_clears;               // likewise
  guests_actor guests;                           // null: likewise, or its runs stay here
  peer_flights_actor peer_flights;               // as of guests
  std::map<std::string, breaker_actor> breakers; // by provider
  std::map<std::string, upstream_actor> upstreams;
};
using directory_ptr = std::shared_ptr<const directory>;

} // namespace mainstay
