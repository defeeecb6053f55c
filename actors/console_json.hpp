// The console's answers as JSON: scalars by name, tables as arrays of objects. mainstayctl draws them as they come.
#pragma once

#include "actors/messages.hpp"
#include "core/comparison.hpp"
#include "net/json_writer.hpp"

#include <string_view>

namespace mainstay {

/// One object, as the console's answers are: scalars, and tables, which are arrays of objects.
class console_json {
public:
  console_json() { w_.open(); }
  console_json& text(std::string_view name, std::string_view value) { return w_.member(name, value), *this; }
  console_json& number(std::string_view name, double value) { return w_.member(name, value), *this; }
  console_json& count(std::string_view name, std::uint64_t value) { return w_.member(name, value), *this; }
  console_json& flag(std::string_view name, bool value) { return w_.member(name, value), *this; }
  console_json& table(std::string_view name) { return w_.open_list(name), *this; } // begins an array of rows
  console_json& row() { return w_.open(), *this; }                                 // begins a row in it
  console_json& end_row() { return w_.close(), *this; }
  console_json& end_table() { return w_.close_list(), *this; }
  /// For members of other kinds.
  json_writer& members() noexcept { return w_; }
  std::string done() { return w_.close().text(); }

private:
  json_writer w_;
};

/// `backlog`: messages in the mailbox, by actor.
void write_actors(console_json&, const std::vector<actor_row>&, const std::map<std::string, std::uint64_t>& backlog);
/// `nodes`: the names of peers, by address, for what they told.
using node_names = std::map<std::string, std::string>;
void write_breakers(console_json&, const std::vector<breaker_view>&, const node_names& nodes, instant now);
/// Of the configuration what a console may see: no password of a proxy.
void write_ways(console_json&, const config::settings&, const std::vector<breaker_view>&, const node_names& nodes,
                instant now);
void write_keys(console_json&, const std::vector<key_book::view>&, const node_names& nodes, instant now);
void write_limits(console_json&, const governor::view&);
void write_pools(console_json&, const governor::view&);
void write_queue(console_json&, const governor::view&);
void write_cache(console_json&, const cache_view&, const std::optional<similar_view>&, const flights_view&);
void write_warming(console_json&, const warm_reply&);
/// No journal: only what is repeated from memory.
void write_journal(console_json&, const std::optional<journal_view>&, const repeats_view&, utc_time now);
void write_forecast(console_json&, const load_watch::view&, const cache_view&); // with the day ahead as bars
void write_alerts(console_json&, const alerts_view&, const alert_bell_view&, instant now);
/// `by`: what the groups are.
void write_costs(console_json&, const costs_view&, std::string_view by);
void write_metrics(console_json&, const metrics_view&);
void write_requests(console_json&, const recent_view&);
/// `costs`: of today, by client.
void write_clients(console_json&, const config::settings&, const governor::view&, const metrics_view&,
                   const costs_view& costs);
void write_trace(console_json&, const recent_requests::found&);
void write_comparison(console_json&, const comparison::view&, std::uint64_t pending);
/// In words.
std::string cleared_tiers(const cache_cleared&);
/// Which nodes did it and which will.
void write_cleared(console_json&, const nodes_cleared&, const node_names& nodes);
node_names names_of(const cluster_view&);
void write_peers(console_json&, const cluster_view&, instant now);
void write_room(console_json&, const guests_view&, const std::string& own_address);
void write_drill(console_json&, const drill_book::view&);
void write_models(console_json&, const config::settings&, const std::vector<breaker_view>&, const recovery_view&,
                  instant now);

} // namespace mainstay
