// A cluster of shares of one limit without network or clocks: messages are lost, doubled, late and out of order, nodes
// freeze, crash and begin anew, links are cut in one direction or both, clocks run at different speeds. It knows what
// really was sent everywhere, and looks at every send whether the limit holds.
#pragma once

#include "core/quota_share.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>

namespace mainstay::test {

class quota_world {
public:
  struct plan {
    node_index nodes = 3;
    quota_terms terms{};
    double drift = 0;                        // clocks run faster or slower by up to that part
    duration window{};                       // what is checked: the window, less what the fastest clock cuts off it
    double lost = 0, doubled = 0, late = 0;  // of messages; late ones by up to 15 s
    duration slow = 5ms;                     // the others by up to that
    double hesitant = 0;                     // sends that happen up to 2 s after they were granted
    std::uint64_t smallest = 1, largest = 1; // amount of a send
    duration longest_call = 5s;              // of what is held
  };

  quota_world(const plan& p, std::uint64_t seed) : plan_(p), random_(seed), nodes_(p.nodes) {
    for (node_index n = 0; n < p.nodes; ++n) {
      for (node_index m = 0; m < p.nodes; ++m) cut_.push_back(false);
      nodes_[n].speed = 1 + p.drift * (real() * 2 - 1);
      nodes_[n].offset = std::chrono::duration_cast<duration>(1000s * real());
      begin(n, {});
    }
    for (node_index n = 0; n < p.nodes; ++n)
      for (node_index m = 0; m < p.nodes; ++m)
        if (n != m) meet(n, m);
  }

  std::mt19937_64& random() { return random_; }
  double real() { return std::uniform_real_distribution<>(0, 1)(random_); }
  std::uint64_t whole(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
  }
  instant now() const { return now_; }
  const std::string& failure() const { return failure_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t sent_by(node_index n) const { return nodes_[n].sent; }
  /// In the window that ends now.
  std::uint64_t in_window() {
    forget();
    return in_window_;
  }
  std::uint64_t messages() const { return messages_; }
  quota_share& share(node_index n) { return *nodes_[n].share; }
  instant local(node_index n) const {
    return instant{nodes_[n].offset + std::chrono::duration_cast<duration>(now_.time_since_epoch() * nodes_[n].speed)};
  }

  /// Amounts a second that arrive at a node from now on; beyond a few windows' worth they are turned away.
  void demand(node_index n, double per_second) { nodes_[n].demand = per_second; }
  void cut(node_index from, node_index to, bool yes) { cut_[from * plan_.nodes + to] = yes; }
  void believe(node_index n, node_index peer, bool up) {
    nodes_[n].cluster->set_peer(peer, up, nodes_[n].cluster->incarnation_of(peer));
  }
  void freeze(node_index n, duration d) { nodes_[n].frozen_until = std::max(nodes_[n].frozen_until, now_ + d); }
  void crash(node_index n) {
    auto& x = nodes_[n];
    x.last.reset();
    end(x);
  }
  /// It writes down when it was last there and, if it ends well, what its share counts; and it does not ask others.
  void stop(node_index n, bool well) {
    auto& x = nodes_[n];
    if (!x.alive) return;
    x.last = quota_start{local(n), {}};
    if (well) x.last->counted = x.share->legacy(local(n));
    end(x);
  }
  void restart(node_index n) {
    if (nodes_[n].alive) return;
    begin(n, nodes_[n].last.value_or(quota_start{local(n), {}}));
    for (node_index m = 0; m < plan_.nodes; ++m) {
      if (m == n) continue;
      const auto late = plan_.lost > 0 ? std::chrono::duration_cast<duration>(3s * real()) : duration{50ms};
      hellos_.push_back({now_ + late, n, m});
      hellos_.push_back({now_ + late, m, n});
    }
  }
  bool alive(node_index n) const { return nodes_[n].alive; }
  /// Everything works from now on.
  void mend() {
    plan_.lost = plan_.doubled = plan_.late = 0;
    plan_.slow = 5ms;
    std::fill(cut_.begin(), cut_.end(), false);
    for (node_index n = 0; n < plan_.nodes; ++n) {
      nodes_[n].frozen_until = now_;
      nodes_[n].waiting.clear();
      nodes_[n].queued = 0;
      restart(n);
    }
    for (node_index n = 0; n < plan_.nodes; ++n)
      for (node_index m = 0; m < plan_.nodes; ++m)
        if (n != m) meet(n, m);
  }

  /// One step of time.
  void step(duration d);
  void run(duration d, duration each = 20ms) {
    for (const auto end = now_ + d; now_ < end && failure_.empty();) step(each);
  }

private:
  struct call {
    quota_ticket ticket;
    std::uint64_t amount;
    instant at; // its sending, then its end or correction
    bool begun = false;
    std::uint64_t entry = 0; // of what really was sent
  };
  struct node {
    std::unique_ptr<quota_cluster> cluster;
    std::unique_ptr<quota_share> share;
    double speed = 1, demand = 0, due = 0;
    duration offset{};
    instant frozen_until = instant::min();
    bool alive = false;
    std::uint64_t sent = 0;
    std::deque<std::uint64_t> waiting;
    std::uint64_t queued = 0; // their sum
    std::vector<call> calls;
    std::optional<quota_start> last; // what it wrote down when it ended
  };
  struct message {
    instant at;
    node_index from, to;
    std::optional<quota_ask> ask;
    std::optional<quota_grant> grant;
  };
  struct hello {
    instant at;
    node_index who, to;
  };
  struct real_send {
    instant at;
    std::uint64_t amount;
  };

  void begin(node_index n, const quota_start&);
  void end(node& x) {
    for (const auto& c : x.calls)
      if (c.begun) held_ -= c.amount;
    x.calls.clear();
    x.share.reset();
    x.alive = false;
  }
  void meet(node_index who, node_index to);
  void forget() {
    while (!log_.empty() && log_.front().at <= now_ - plan_.window) {
      in_window_ -= log_.front().amount;
      log_.pop_front();
      ++first_entry_;
    }
  }
  void post(message);
  void deliver(const message&);
  void work(node_index n);
  void send(node_index n, call&);

  plan plan_;
  std::mt19937_64 random_;
  instant now_{};
  std::vector<node> nodes_;
  std::vector<char> cut_;
  std::vector<message> mail_;
  std::vector<hello> hellos_;
  std::deque<real_send> log_;
  std::uint64_t first_entry_ = 0, in_window_ = 0, held_ = 0, sent_ = 0, messages_ = 0, incarnations_ = 0;
  std::string failure_;
};

inline void quota_world::begin(node_index n, const quota_start& start) {
  auto& x = nodes_[n];
  std::vector<std::string> names;
  for (node_index m = 0; m < plan_.nodes; ++m) names.push_back("10.0.0." + std::to_string(m) + ":7000");
  x.cluster = std::make_unique<quota_cluster>(names, n, ++incarnations_);
  x.share = std::make_unique<quota_share>(*x.cluster, "key:a:rpm", plan_.terms, start, local(n));
  x.waiting.clear();
  x.queued = 0;
  x.alive = true;
}

inline void quota_world::meet(node_index who, node_index to) { // `to` hears who `who` is now
  auto &a = nodes_[who], &b = nodes_[to];
  if (!a.alive || !b.alive) return;
  const auto before = b.cluster->incarnation_of(who);
  b.cluster->set_peer(who, true, a.cluster->incarnation());
  b.share->on_peer(who, before, local(to));
}

inline void quota_world::post(message m) {
  ++messages_;
  if (real() < plan_.lost) return;
  const auto arrival = [&] {
    return now_ + std::chrono::duration_cast<duration>((real() < plan_.late ? duration{15s} : plan_.slow) * real());
  };
  if (real() < plan_.doubled) {
    m.at = arrival();
    mail_.push_back(m);
  }
  m.at = arrival();
  mail_.push_back(std::move(m));
}

inline void quota_world::deliver(const message& m) {
  auto& x = nodes_[m.to];
  if (!x.alive || cut_[m.from * plan_.nodes + m.to]) return;
  if (m.grant) return x.share->on_grant(m.from, *m.grant, local(m.to));
  if (auto g = x.share->on_ask(m.from, *m.ask, local(m.to))) post({{}, m.to, m.from, {}, g});
}

inline void quota_world::send(node_index n, call& c) {
  auto& x = nodes_[n];
  x.share->stamp(c.ticket, local(n));
  x.sent += c.amount;
  sent_ += c.amount;
  c.begun = true;
  if (plan_.terms.held) {
    held_ += c.amount;
    if (held_ > plan_.terms.limit) failure_ = std::to_string(held_) + " held at once";
    return;
  }
  forget();
  c.entry = first_entry_ + log_.size();
  log_.push_back({now_, c.amount});
  in_window_ += c.amount;
  if (in_window_ > plan_.terms.limit) failure_ = std::to_string(in_window_) + " sent in a window";
}

inline void quota_world::work(node_index n) {
  auto& x = nodes_[n];
  const auto here = local(n);
  for (auto& c : x.calls) {
    if (c.at > now_) continue;
    if (!c.begun) {
      if (here > c.ticket.send_by) {
        x.share->give_back(c.ticket);
        c.amount = 0;
      } else {
        send(n, c);
        c.at = now_ + std::chrono::duration_cast<duration>(plan_.longest_call * real());
      }
    } else if (plan_.terms.held) {
      x.share->give_back(c.ticket);
      held_ -= c.amount;
      c.amount = 0;
    } else {
      const auto less = c.amount > 1 ? whole(1, c.amount) : c.amount;
      x.share->correct(c.ticket, less);
      if (c.entry >= first_entry_ && c.entry - first_entry_ < log_.size()) {
        log_[c.entry - first_entry_].amount -= c.amount - less;
        in_window_ -= c.amount - less;
      }
      c.amount = 0;
    }
  }
  std::erase_if(x.calls, [](const call& c) { return c.amount == 0; });

  while (x.due > 0) {
    const auto amount = whole(plan_.smallest, plan_.largest);
    x.due -= static_cast<double>(amount);
    if (x.waiting.size() < 50 + plan_.terms.limit / plan_.largest) {
      x.waiting.push_back(amount);
      x.queued += amount;
    }
  }
  while (!x.waiting.empty()) {
    const auto amount = x.waiting.front();
    auto ticket = x.share->take(amount, here);
    if (!ticket) break;
    x.waiting.pop_front();
    x.queued -= amount;
    x.calls.push_back({*ticket, std::min(amount, plan_.terms.limit), now_});
    auto& c = x.calls.back();
    if (real() < plan_.hesitant)
      c.at = now_ + std::chrono::duration_cast<duration>(2s * real());
    else if (c.ticket.send_by >= here)
      send(n, c), c.at = now_ + std::chrono::duration_cast<duration>(plan_.longest_call * real());
  }
  x.share->set_demand(x.queued, x.waiting.empty() ? 0 : x.waiting.front(), here);
  if (x.share->next_wake() <= here) {
    addressed_asks asks;
    x.share->tick(here, asks);
    for (auto& [to, ask] : asks) post({{}, n, to, ask, {}});
  }
}

inline void quota_world::step(duration d) {
  now_ += d;
  for (std::size_t i = 0; i < hellos_.size();) {
    if (hellos_[i].at > now_) {
      ++i;
      continue;
    }
    const auto h = hellos_[i];
    hellos_.erase(hellos_.begin() + static_cast<std::ptrdiff_t>(i));
    meet(h.who, h.to);
  }
  for (std::size_t i = 0; i < mail_.size();) { // what is for a frozen node lies in its buffers
    if (mail_[i].at > now_ || now_ < nodes_[mail_[i].to].frozen_until) {
      ++i;
      continue;
    }
    const auto m = std::move(mail_[i]);
    mail_[i] = std::move(mail_.back());
    mail_.pop_back();
    deliver(m);
  }
  for (node_index n = 0; n < plan_.nodes; ++n) {
    auto& x = nodes_[n];
    if (!x.alive) continue;
    x.due += x.demand * std::chrono::duration<double>(d).count();
    if (now_ >= x.frozen_until) work(n);
  }
}

} // namespace mainstay::test
