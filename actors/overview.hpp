// What there is to see at a glance: the views of all actors, gathered by the MetricsAggregator while somebody looks on,
// and the JSON of it that `top` and the dashboard draw.
#pragma once

#include "actors/messages.hpp"
#include "core/second_history.hpp"

#include <unordered_map>

namespace mainstay {

struct overview {
  config::settings_ptr settings;
  std::string version;
  utc_time at{};
  instant now{};
  duration up{};
  recent_traffic::view lately;
  std::vector<second_history::cell> history; // seconds that are over
  totals_by_name clients, models, providers;
  std::optional<dispatcher_view> dispatcher; // none: it did not answer in time, and so with the others
  std::optional<mainstay::governor::view> limits;
  std::vector<key_book::view> keys;
  std::vector<breaker_view> breakers;
  std::map<std::string, std::size_t> open_calls; // by provider
  std::optional<cache_view> cache;
  std::optional<recovery_view> recovery;
  std::optional<journal_view> journal;
  std::optional<drill_book::view> drill;
  std::vector<actor_row> actors;
  load_watch::view load;
  costs_view costs; // of today
  std::vector<alert_book::alert> alerts;
  std::vector<recent_requests::found> latest;
};

class json_writer; // net/json_writer.hpp
/// The members of one object. `with_history`: also the seconds before the last one.
void write_overview(json_writer&, const overview&, bool with_history);
std::string overview_json(const overview&, bool with_history);

} // namespace mainstay
