// Which other nodes of a cluster are there: whom to dial and when, whose beats are missing, who is not one of us and
// why. Knows no sockets: links are made and lost elsewhere, and told. Promises: a peer whose beats come is never called
// unreachable, one that is silent always is within `patience` and a beat; a link that stays silent for `give_up` is
// dropped, so that nothing piles up before a frozen peer; who was frozen itself blames nobody for it; every peer is
// dialled again for ever, with pauses that grow to `longest_pause`, and are longer by `hello` where the other node
// dials first; of each peer it is told in turn that it is up and that it is not.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// What a node says of itself before anything else.
struct node_identity {
  std::string address; // as the others' configurations name it
  std::string name;    // as its own configuration names it
  std::string cluster; // of the addresses of all its nodes: cluster_name()
  std::string version; // of the program: shown, for versions may differ while nodes are restarted one by one
  std::string config;  // the hash of what configurations have in common: shown
  std::uint32_t protocol = 0;
  std::uint64_t incarnation = 0; // of this process
};

/// The same for all who are configured with the same nodes, in whatever order.
std::string cluster_name(std::vector<std::string> addresses);

class membership {
public:
  struct settings {
    duration beat = 200ms, patience = 800ms; // silent for that long: unreachable
    duration give_up = 5s;                   // silent for that long: its link is dropped
    duration hello = 1s;                     // for a dial to succeed, and once more for an introduction
    duration first_pause = 100ms, longest_pause = 1s, refused_pause = 5s;
  };
  enum class standing : std::uint8_t {
    connecting,
    up,
    unreachable,
    refused
  }; // connecting: never heard of since the start
  static std::string_view to_string(standing) noexcept;

  membership(settings, node_identity own, std::vector<std::string> peers);

  const node_identity& own() const noexcept { return own_; }
  void set_config(std::string hash) { own_.config = std::move(hash); }
  /// Why that node is none of ours; none: it is.
  std::optional<std::string> refuse(const node_identity&) const;

  /// What is to be done now.
  struct news {
    std::string peer; // its address
    bool up = false;
    std::uint64_t incarnation = 0; // of who is there, or was
    std::string why;               // it is not up
  };
  struct decisions {
    std::vector<std::string> dial, beat, drop;
    std::vector<news> told;
  };
  /// `draw`: uniform in [0, 1), for the pauses.
  decisions tick(instant now, const std::function<double()>& draw);
  /// When tick has something to do next, if nothing else happens.
  instant next_wake(instant now) const;

  /// A link was made by a dial: there is time again, for introductions.
  void on_linked(const std::string& address, instant now);
  /// A node introduced itself, and refuse() said nothing. `anew`: over another link than before, with which all is lost
  /// that was under way.
  void on_hello(const node_identity&, bool anew, instant now);
  /// It said why it does not want us, or we said so of it. `address`: of the peer that was dialled.
  void on_refused(const std::string& address, std::string why, instant now);
  /// A beat, an answer, anything.
  void on_heard(const std::string& address, instant now);
  void on_round_trip(const std::string& address, duration);
  /// Its link is gone, or could not be made.
  void on_lost(const std::string& address, std::string why, instant now);

  struct view {
    std::string address;
    standing state = standing::connecting;
    std::string why;                  // it is not up
    std::optional<node_identity> who; // as last heard
    instant since{};
    std::optional<duration> round_trip;
    std::uint64_t losses = 0; // how often it went from up
  };
  std::vector<view> look() const;
  bool is_up(const std::string& address) const;

private:
  struct peer {
    view seen;
    enum class link : std::uint8_t { none, dialling, there } link = link::none;
    instant heard{}, beat_at{}, dial_at{}, dial_until{};
    duration pause{};
    bool lost = false;        // a pause is to be drawn
    std::vector<news> untold; // not told yet
  };
  bool dials_first(const peer& p) const noexcept { return own_.address < p.seen.address; }
  void set(peer&, standing, std::string why, instant now);
  void down(peer&, std::string why, instant now);
  void up(peer&, instant now);

  settings with_;
  node_identity own_;
  std::map<std::string, peer> peers_; // by address
  instant begun_{}, due_{};           // due: when the last tick wanted the next
};

} // namespace mainstay
