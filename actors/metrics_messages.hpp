// Messages of those who count and tell: metrics, alerts, spans, dashboard, and drills, which are judged by the counts.
#pragma once

#include "actors/letter.hpp"
#include "actors/local_message.hpp"
#include "core/alert_book.hpp"
#include "core/clock.hpp"
#include "core/cost_ledger.hpp"
#include "core/drill_book.hpp"
#include "core/load_watch.hpp"
#include "core/outage.hpp"
#include "core/recent_requests.hpp"
#include "core/recent_traffic.hpp"
#include "core/run_report.hpp"
#include "core/token_usage.hpp"
#include "net/bytes.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mainstay {

namespace http {
class response; // net/http_server.hpp
}

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
/// What the load asks of cache and governor.
using load_orders = load_watch::orders;
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

} // namespace mainstay

// clang-format off
MAINSTAY_LETTER(run_over) MAINSTAY_LOCAL(content_denied) MAINSTAY_LOCAL(rate_due) MAINSTAY_LOCAL(ask_forecast)
MAINSTAY_LETTER(alerts_told) MAINSTAY_LOCAL(trace_told) MAINSTAY_LOCAL(flush_spans) MAINSTAY_LOCAL(tracer_view)
MAINSTAY_LOCAL(post_over) MAINSTAY_LOCAL(alert_bell_view) MAINSTAY_LOCAL(ask_trace) MAINSTAY_LOCAL(ask_recent)
MAINSTAY_LOCAL(recent_view) MAINSTAY_LOCAL(ask_overview) MAINSTAY_LOCAL(ask_alerts) MAINSTAY_LOCAL(alerts_view)
MAINSTAY_LOCAL(ask_costs) MAINSTAY_LOCAL(costs_view) MAINSTAY_LOCAL(scrape) MAINSTAY_LOCAL(make_text)
MAINSTAY_LOCAL(ask_served) MAINSTAY_LOCAL(served_view) MAINSTAY_LOCAL(metrics_view) MAINSTAY_LOCAL(look_on)
MAINSTAY_LOCAL(drill_ask) MAINSTAY_LOCAL(drill_reply) MAINSTAY_LOCAL(drills_over) MAINSTAY_LOCAL(ask_counts)
MAINSTAY_LOCAL(load_orders) MAINSTAY_LOCAL(load_watch::view) MAINSTAY_LOCAL(overview_ptr)
MAINSTAY_LOCAL(recent_requests::found) MAINSTAY_LOCAL(batch_report) MAINSTAY_LOCAL(drill_effect)
MAINSTAY_LOCAL(drill_book::counts) MAINSTAY_LOCAL(drill_book::view)
    // clang-format on
