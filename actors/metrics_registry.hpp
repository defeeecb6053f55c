// Mainstay's metrics in prometheus-cpp's registry: what a run's report adds to the counters, what the actors' views set
// the gauges to, and the text of it. But for the text not thread-safe by itself: the MetricsAggregator is its only
// user.
#pragma once

#include "actors/alert_watch.hpp"
#include "actors/messages.hpp"
#include "actors/request_log.hpp"
#include "core/error_rate.hpp"
#include "core/load_watch.hpp"
#include "core/recent_requests.hpp"
#include "core/second_history.hpp"

#include <memory>

namespace mainstay {

class audit_store;

class metrics_registry {
public:
  metrics_registry();
  ~metrics_registry();

  void count(const run_report&);
  void count(const batch_report&);
  void count_saved(std::string_view by, double usd);
  void count_denied(const std::string& rule, bool on_the_way_out);

  /// What left the configuration has no gauges any more; the next views set those of the others.
  void reconfigure(const config::settings&, const std::string& version);
  void set_limits(const governor::view&);
  void set_keys(const std::vector<key_book::view>&);
  void set_breaker(const breaker_view&);
  void set_cache(const cache_view&);
  void set_alerts(const std::vector<alert_book::alert>&);
  void set_actors(const std::vector<actor_row>&);
  void set_backlog(const std::string& actor, std::uint64_t messages);
  void set_lately(const recent_traffic::view&);
  void set_dispatcher(const dispatcher_view&);
  void set_tracer(const tracer_view&);
  void set_forecast(const load_watch::view&);
  void set_audit(std::uint64_t seq, std::uint64_t lost);
  void set_drill(const drill_book::view&);
  void set_peers(const cluster_view&);
  void set_peer_news(const peer_news_view&);
  void set_guests(const guests_view&);

  /// What was counted is in the text from here on.
  void flush();
  /// Prometheus text format 0.0.4. From any thread.
  std::string text() const;
  metrics_view view() const;
  const totals_by_name& calls() const; // by provider

private:
  void count_retries(const run_report&, std::string_view model);

  struct body;
  std::unique_ptr<body> body_;
};

struct metrics_store {
  explicit metrics_store(bool json_logs) : log(json_logs) {}
  std::string version; // of the daemon
  instant started{};
  metrics_registry registry;
  recent_requests recent;
  duration slow = duration::max(); // what takes longer is remembered for longer
  second_history history;
  std::map<std::string, served_counts> served; // by model and source
  request_log log;
  error_rate failures;  // of providers' calls
  bool trouble = false; // what the cache was told
  load_watch load;
  load_orders told;             // to cache and governor
  std::uint64_t hours_kept = 0; // of those learned: they are with the state keeper
  cost_ledger costs;
  std::vector<cost_ledger::row> being_kept; // by the state keeper: not known yet whether they are
  alert_watch alerts;
  std::shared_ptr<audit_store> audit;   // null: there is none
  quantile_sketch took;                 // every request, since the process began: of differences
  std::map<std::string, instant> spent; // budgets, by client: what the governor was told
};

} // namespace mainstay
