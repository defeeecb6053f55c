#include "core/membership.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mainstay {

std::string cluster_name(std::vector<std::string> addresses) {
  std::ranges::sort(addresses);
  const auto twice = std::ranges::unique(addresses);
  addresses.erase(twice.begin(), twice.end());
  std::string all;
  for (const auto& a : addresses) (all += all.empty() ? "" : ",") += a;
  return all;
}

namespace {

constexpr std::size_t most_named = 3, longest_name = 80;

std::vector<std::string> addresses_of(const std::string& cluster) {
  std::vector<std::string> all;
  for (std::size_t at = 0, end; at < cluster.size(); at = end + 1) {
    end = std::min(cluster.find(',', at), cluster.size());
    all.push_back(cluster.substr(at, end - at));
  }
  std::ranges::sort(all);
  return all;
}

/// Some of those who are in `these` and not in `those`.
std::string only_in(const std::vector<std::string>& these, const std::vector<std::string>& those) {
  std::vector<std::string> found;
  std::ranges::set_difference(these, those, std::back_inserter(found));
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < most_named; ++i)
    (text += i ? ", " : "") += found[i].substr(0, longest_name);
  return found.size() > most_named ? text + ", ..." : text;
}

/// How the nodes of that one differ from ours.
std::string difference(const std::string& theirs, const std::string& ours) {
  const auto a = addresses_of(theirs), b = addresses_of(ours);
  const auto more = only_in(a, b), fewer = only_in(b, a);
  std::string text = more.empty() ? "" : "it has " + more;
  if (!fewer.empty()) text += (text.empty() ? "it has no " : ", and no ") + fewer;
  return text;
}

} // namespace

std::string_view membership::to_string(standing s) noexcept {
  switch (s) {
  case standing::connecting: return "connecting";
  case standing::up: return "up";
  case standing::unreachable: return "unreachable";
  case standing::refused: return "refused";
  }
  return "connecting";
}

membership::membership(settings with, node_identity own, std::vector<std::string> peers)
  : with_(with), own_(std::move(own)) {
  for (auto& address : peers) {
    auto& p = peers_[address];
    p.seen.address = address;
    p.pause = with_.first_pause;
    // Of two that start together one dials: both at once would be two links, of which one is too many.
    p.dial_at = dials_first(p) ? instant::min() : instant::max();
  }
}

std::optional<std::string> membership::refuse(const node_identity& other) const {
  if (other.protocol != own_.protocol)
    return "it speaks version " + std::to_string(other.protocol) + " of the nodes' protocol, and this node " +
           std::to_string(own_.protocol);
  if (other.cluster != own_.cluster)
    return "it is of another cluster, of other nodes: " + difference(other.cluster, own_.cluster);
  if (!peers_.contains(other.address)) return "it says that its address is " + other.address + ", which is no peer's";
  if (other.name == own_.name) return "its name is " + other.name + ", which is this node's";
  for (const auto& [address, p] : peers_)
    if (address != other.address && p.seen.state == standing::up && p.seen.who && p.seen.who->name == other.name)
      return "its name is " + other.name + ", which is that of the node at " + address;
  return std::nullopt;
}

void membership::set(peer& p, standing state, std::string why, instant now) {
  if (p.seen.state != state) p.seen.since = now;
  p.seen.state = state;
  p.seen.why = std::move(why);
}

void membership::down(peer& p, std::string why, instant now) {
  if (p.seen.state != standing::up) return;
  ++p.seen.losses;
  p.untold.push_back({p.seen.address, false, p.seen.who ? p.seen.who->incarnation : 0, why});
  set(p, standing::unreachable, std::move(why), now);
}

void membership::up(peer& p, instant now) {
  if (p.seen.state == standing::up) return;
  p.untold.push_back({p.seen.address, true, p.seen.who->incarnation, {}});
  set(p, standing::up, {}, now);
}

membership::decisions membership::tick(instant now, const std::function<double()>& draw) {
  if (begun_ == instant{}) begun_ = due_ = now;
  // Late by that much: this process stood still, and did not listen.
  if (const auto deaf = std::max<duration>(now - due_, 0s); deaf > 2 * with_.beat)
    for (auto& [address, p] : peers_) p.heard = std::min(now, p.heard + deaf);
  decisions out;
  for (auto& [address, p] : peers_) {
    if (p.link == peer::link::dialling && now >= p.dial_until) {
      out.drop.push_back(address);
      on_lost(address, "nobody answers there", now);
    }
    if (p.link == peer::link::there && now - p.heard >= with_.patience) down(p, "it is silent", now);
    if (p.link == peer::link::there && now - p.heard >= with_.give_up) {
      out.drop.push_back(address);
      on_lost(address, p.seen.why, now);
    }
    if (std::exchange(p.lost, false)) {
      const auto least = p.pause / 2;
      const auto most = p.seen.state == standing::refused ? with_.refused_pause : p.pause;
      p.dial_at =
          now + least + duration(static_cast<duration::rep>(static_cast<double>((most - least).count()) * draw()));
      if (!dials_first(p) && p.seen.state != standing::refused) p.dial_at += with_.hello; // the other may come first
      p.pause = std::min(p.pause * 2, with_.longest_pause);
    }
    if (p.dial_at == instant::max() && p.link == peer::link::none) p.dial_at = begun_ + with_.hello;
    if (p.link == peer::link::none && now >= p.dial_at) {
      p.link = peer::link::dialling;
      p.dial_until = now + with_.hello;
      out.dial.push_back(address);
    }
    if (p.link == peer::link::there &&
        now + with_.beat / 10 >= p.beat_at) { // of many peers together, to wake up seldom
      // Whoever is silent is asked once a second: what is said to a frozen process waits in buffers.
      p.beat_at = now + (p.seen.state == standing::up ? with_.beat : std::max<duration>(with_.beat, 1s));
      out.beat.push_back(address);
    }
    std::ranges::move(std::exchange(p.untold, {}), std::back_inserter(out.told));
  }
  due_ = next_wake(now);
  return out;
}

instant membership::next_wake(instant now) const {
  auto at = instant::max();
  for (const auto& [address, p] : peers_) {
    if (!p.untold.empty() || p.lost) return now;
    switch (p.link) {
    case peer::link::none: at = std::min(at, p.dial_at == instant::max() ? begun_ + with_.hello : p.dial_at); break;
    case peer::link::dialling: at = std::min(at, p.dial_until); break;
    case peer::link::there:
      at = std::min({at, p.beat_at, p.heard + (p.seen.state == standing::up ? with_.patience : with_.give_up)});
      break;
    }
  }
  return std::max(at, now);
}

void membership::on_linked(const std::string& address, instant now) {
  const auto found = peers_.find(address);
  if (found == peers_.end() || found->second.link != peer::link::dialling) return;
  found->second.dial_until = now + with_.hello;
}

void membership::on_hello(const node_identity& who, bool anew, instant now) {
  const auto found = peers_.find(who.address);
  if (found == peers_.end()) return;
  auto& p = found->second;
  const bool another = p.seen.who && p.seen.who->incarnation != who.incarnation;
  if (another || anew) down(p, another ? "it was started anew" : "its link was made anew", now); // and nobody noticed
  p.seen.who = who;
  p.link = peer::link::there;
  p.heard = now;
  p.beat_at = now;
  p.pause = with_.first_pause;
  p.lost = false;
  up(p, now);
}

void membership::on_refused(const std::string& address, std::string why, instant now) {
  const auto found = peers_.find(address);
  if (found == peers_.end()) return;
  auto& p = found->second;
  down(p, why, now);
  set(p, standing::refused, std::move(why), now);
  p.link = peer::link::none;
  p.lost = true;
}

void membership::on_heard(const std::string& address, instant now) {
  const auto found = peers_.find(address);
  if (found == peers_.end() || found->second.link != peer::link::there) return;
  auto& p = found->second;
  p.heard = now;
  if (p.seen.state == standing::up || !p.seen.who) return;
  p.beat_at = now;
  up(p, now);
}

void membership::on_round_trip(const std::string& address, duration took) {
  const auto found = peers_.find(address);
  if (found == peers_.end()) return;
  auto& mean = found->second.seen.round_trip;
  mean = mean ? *mean + (took - *mean) / 8 : took; // as TCP smooths its own (RFC 6298)
}

void membership::on_lost(const std::string& address, std::string why, instant now) {
  const auto found = peers_.find(address);
  if (found == peers_.end()) return;
  auto& p = found->second;
  if (p.link == peer::link::none) return;
  if (p.seen.state == standing::up)
    down(p, std::move(why), now);
  else
    set(p, p.seen.state == standing::refused ? standing::unreachable : p.seen.state, std::move(why), now);
  p.link = peer::link::none;
  p.lost = true;
}

std::vector<membership::view> membership::look() const {
  std::vector<view> all;
  for (const auto& [address, p] : peers_) all.push_back(p.seen);
  return all;
}

bool membership::is_up(const std::string& address) const {
  const auto found = peers_.find(address);
  return found != peers_.end() && found->second.seen.state == standing::up;
}

} // namespace mainstay
