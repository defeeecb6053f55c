// The other nodes as the console tells of them.
#include "actors/console_json.hpp"

namespace mainstay {

node_names names_of(const cluster_view& v) {
  node_names all;
  for (const auto& p : v.peers)
    if (p.who) all[p.address] = p.who->name;
  return all;
}

std::string cleared_tiers(const cache_cleared& c) {
  if (c.not_here.empty()) return "all tiers";
  std::string tiers;
  for (const auto& tier : c.not_here) tiers += (tiers.empty() ? "all but " : " and ") + tier;
  return tiers + ": no answer";
}

void write_cleared(console_json& j, const nodes_cleared& all, const node_names& nodes) {
  using state = nodes_cleared::peer::state;
  j.table("nodes_cleared");
  for (const auto& p : all.peers) {
    const auto name = nodes.find(p.address);
    j.row()
        .text("node", name == nodes.end() ? "" : name->second)
        .text("address", p.address)
        .text("cleared", p.what == state::done    ? cleared_tiers({p.not_here})
                         : p.what == state::later ? "when it is back"
                                                  : "it was told, and has not answered")
        .end_row();
  }
  j.end_table();
}

void write_peers(console_json& j, const cluster_view& v, instant now) {
  j.table("peers");
  for (const auto& p : v.peers) {
    const auto& t = v.traffic.at(p.address);
    j.row()
        .text("address", p.address)
        .text("node", p.who ? p.who->name : "")
        .text("state", membership::to_string(p.state))
        .text("version", p.who ? p.who->version : "")
        .text("config", !p.who                          ? ""
                        : p.who->config == v.own.config ? "same"
                                                        : "different: " + p.who->config)
        .number("round_trip_ms", p.round_trip ? std::chrono::duration<double, std::milli>(*p.round_trip).count() : 0)
        .number("seconds", p.since == instant{} ? 0 : std::chrono::duration<double>(now - p.since).count())
        .count("losses", p.losses)
        .count("messages_in", t.messages_in)
        .count("messages_out", t.messages_out)
        .count("bytes_in", t.bytes_in)
        .count("bytes_out", t.bytes_out)
        .count("not_sent", t.refused)
        .text("why", p.why)
        .end_row();
  }
  j.end_table();
  if (v.strangers > 0) j.count("messages_of_strangers", v.strangers);
}

/// What room there is where, as far as this node was told, and what of its own is there and of theirs is here.
void write_room(console_json& j, const guests_view& v, const std::string& own_address) {
  j.table("room");
  const auto row = [&j](const std::string& address, const guests_view::peer& p) {
    std::uint64_t calls = 0;
    for (const auto& [provider, n] : p.room.slots) calls += n;
    j.row()
        .text("address", address)
        .text("takes", !p.known          ? "unknown"
                       : p.room.draining ? "nothing: it drains"
                                         : "requests")
        .count("free_calls", calls)
        .count("free_places", p.room.places)
        .count("away", p.away)
        .count("guests", p.guests)
        .end_row();
  };
  row(own_address, {v.own, true, 0, 0});
  for (const auto& [address, p] : v.peers) row(address, p);
  j.end_table();
  if (v.lost > 0) j.count("lost_with_their_peer", v.lost);
}

} // namespace mainstay
