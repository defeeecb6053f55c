// What the node's alerts are judged by: how requests and calls went lately (core/recent_traffic), and what the actors'
// views say of providers, Redis, journal, load and budgets. Which alerts are on is core/alert_book's affair. Not
// thread-safe by itself: the MetricsAggregator is its only user.
#pragma once

#include "actors/answer_messages.hpp"
#include "actors/request_messages.hpp"
#include "config/settings.hpp"
#include "core/alert_book.hpp"
#include "core/load_watch.hpp"
#include "core/recent_traffic.hpp"
#include "core/run_report.hpp"

#include <set>

namespace mainstay {

class alert_watch {
public:
  alert_watch();

  /// What left the configuration rings no more.
  void reconfigure(const config::settings&);
  void count(const run_report&, instant now);

  void see(const recovery_view&);
  void see(const breaker_view&);
  void see(const cache_view&);
  void see_journal(double fullness);
  void see(const load_watch::view&);
  void see_audit(bool failing);
  /// `share`: of its budget of the day, what the client has spent who has spent most.
  void see_budgets(double share);

  /// Alerts that begin or end now.
  std::vector<alert_book::alert> judge(instant now);
  std::vector<alert_book::alert> all() const { return book_.all(); }
  recent_traffic::view traffic(instant now) const { return traffic_.look(now); }
  /// As it was when it was judged last.
  const recent_traffic::view& judged() const noexcept { return judged_; }

  /// Its beginning and end are said by nobody else.
  static bool is_news(const std::string& signal);

private:
  recent_traffic traffic_;
  recent_traffic::view judged_;
  alert_book book_;
  alert_book::values signals_;
  std::set<std::string> providers_, open_; // the latter: some circuit is
  std::uint64_t min_requests_ = 0;
};

} // namespace mainstay
