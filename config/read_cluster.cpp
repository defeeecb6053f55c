// The section cluster: where this node listens for its peers, and where they are. That links are encrypted off loopback
// is the rule of the doors.
#include "config/sections.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::size_t most_peers = 1000;

/// As nodes name each other: an address with a port, spelled in one way. No host name: to look one up may take minutes.
std::optional<std::string> read_peer(const cursor& at) {
  const auto text = at.text();
  if (!text) return std::nullopt;
  if (const auto address = parse_listen(text->text); address && address->port != 0)
    if (const auto plain = plain_address(*address)) return plain;
  at.error("must be an IP address that others can reach and a port, such as 10.0.0.2:4300 or [2001:db8::2]:4300");
  return std::nullopt;
}

void read_peers(const cursor& list, const std::string& own, cluster_settings& out) {
  const auto items = list.items();
  if (items.size() > most_peers) return list.error("has more than 1000 peers");
  for (const auto& c : items) {
    const auto peer = read_peer(c);
    if (!peer) continue;
    if (*peer == own)
      c.error("is this node itself: list the others only");
    else if (std::ranges::find(out.peers, *peer) != out.peers.end())
      c.error("is listed twice");
    else
      out.peers.push_back(*peer);
  }
}

} // namespace

cluster_settings read_cluster(const cursor& at, door_draft& doors) {
  cluster_settings out;
  const section s(at, {"listen", "advertise", "peers", "names", "cleartext", "move"});
  s.flag("move", out.move);
  s.flag("cleartext", out.cleartext);
  const auto* listen = s.need("listen");
  const auto text = listen ? listen->text() : std::nullopt;
  const auto address = text ? parse_listen(text->text) : std::nullopt;
  if (text) {
    if (address) {
      out.listen = *address;
      out.address = plain_address(*address).value_or("");
    } else {
      listen->error("must be an address and a port, such as 127.0.0.1:4300");
    }
    const bool nameless = address && (address->port == 0 || out.address.empty());
    if (const auto* c = s.find("advertise"))
      out.address = read_peer(*c).value_or("");
    else if (nameless)
      listen->error("is no IP address that peers could name: add advertise, by which they know this node");
  }
  if (const auto* c = s.need("peers")) read_peers(*c, out.address, out);
  if (const auto* c = s.find("names")) {
    out.names = read_certificate_names(*c);
    doors.cluster_names = *c;
    if (out.cleartext) c->error("are names in certificates, and there are none with cleartext: true");
  }
  const bool near = address && is_loopback(address->host) &&
                    std::ranges::all_of(out.peers, [](auto& p) { return is_loopback(parse_listen(p)->host); });
  if (address) doors.places.push_back({"cluster", *listen, *address, near, false, out.cleartext});
  if (out.peers.empty() && s.find("peers")) s.find("peers")->warn("is empty: a cluster of one node is none");
  return out;
}

} // namespace mainstay::config
