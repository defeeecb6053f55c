// The governor's inside: what there is (capacity), who holds it (lease_book) and who waits for it (waiting_room), and
// the three ways in which a lease changes hands: lent, ended, answered to somebody who waited.
#pragma once

#include "core/lease_book.hpp"
#include "core/route_cache.hpp"
#include "core/waiting_room.hpp"

namespace mainstay {

/// The estimate would have to be wrong by a fifth. (Estimates take everybody who waits for somebody who stays.)
inline bool in_vain(const std::optional<duration>& wait, instant wait_until, instant now) {
  return wait && *wait / 6 * 5 > wait_until - now;
}

struct governor::body {
  explicit body(governor_settings);
  void reconfigure(governor_settings);

  capacity_answer acquire(const capacity_request&, instant now);
  grant lend(lease_id, const choice&, const route&, std::uint64_t tokens, instant expires, std::shared_ptr<model_gate>,
             instant now);
  static grant grant_of(const key_lease&);
  void end(key_lease, const settlement&, instant now);
  static void learn_from(const key_lease&, const settlement&, instant now);
  void end(client_lease, const settlement&, instant now);
  void sweep(instant now);

  /// Asking at all: first attempts pay into the retry budget, retries draw from it. False: not allowed.
  bool charge(const capacity_request&, instant now);
  capacity_answer enqueue(const capacity_request&, const std::shared_ptr<route>&, lane, instant now);

  /// How long somebody would wait there for his turn, going by what got through lately; none: nobody can tell.
  std::optional<duration> backlog(const pool&, const queue_place&, instant now) const;
  /// Whoever came last and has no prospect of his turn is told now.
  void shed(pool&, instant now);

  /// Looks at the first pool in the gate's line. True if somebody was answered.
  bool pass(gate&, instant now);
  /// Gives the pool its turn: at most one grant, and the refusals that are due. True if somebody was granted.
  bool serve(pool&, instant now);
  bool give_turn(pool&, instant now);
  void refuse_late(pool&, instant until, instant now);
  void refuse(waiter&, const prospect&, instant now);
  static lane lane_of(const waiter&);
  prospect& outlook_of(const waiter&, instant now);
  double left_free_by(const waiter&, instant now) const noexcept;
  /// Levels of which nobody goes before the load's reserve lets its oldest go: where keys have windows, whose last part
  /// is kept for others.
  level_flags held_levels(const waiting_queue&, instant now) const;
  void wake_all(provider_gate&);

  governor_settings settings;
  level_weights weights{};
  load_reserve reserve;
  retry_budget budget;
  adaptive_retries adaptive;
  // What is released later is declared first: gates outlive the pools in their lines, pools the waiters in them.
  capacity all;
  route_cache routes;
  waiting_room room;
  lease_book book;
  std::vector<capacity_answer> answers; // of the tick under way
  std::vector<queue_place*> turns;      // kept for their memory
  std::vector<std::uint32_t> excluded;
  prospect ahead;
  /// Limits by their names over all nodes.
  std::map<std::string, quota_terms, std::less<>> shared_terms() const;
  void share_limits();
  void tell_demand(instant now);
  struct at_door { // who asks to be admitted
    lease_id id;
    std::string client, address;
    std::uint64_t tokens = 0;
    instant expires{}, until{};
  };
  /// Admitted, refused, or refused by what other nodes have alone: then it may be undecided.
  client_admission judge(client_entry&, const at_door&, instant now);
  /// Takes what an admission takes, and says what is left.
  void enter(const std::shared_ptr<client_entry>&, const at_door&, client_admission&, instant now);
  void decide_admissions(instant now);

  std::unique_ptr<quota_book> quotas; // null: alone
  std::map<std::string, quota_terms, std::less<>> terms;
  demand_list demand;             // where somebody waits for room in them
  std::vector<at_door> undecided; // first come first
  std::vector<std::pair<lease_id, client_admission>> decided;
  std::map<std::string, instant> spent; // by client: until when its budget is
  bool notes_due = false;               // of a month's count
  instant last_seen{};                  // the newest time anybody told; reload has no other
};

} // namespace mainstay
