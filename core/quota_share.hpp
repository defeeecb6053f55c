// One limit of the whole cluster, as one node has it: a home share that is its own, what it has borrowed beyond that
// (core/quota_loans), and what it has lent. Promise: over all nodes, no window ever holds more than the limit, whatever
// happens to nodes, clocks and messages, as long as clocks differ by less than the margin over a loan and a window, and
// every node sends by what its ticket says. Who asks whom is only a matter of using the limit well: the limit's owner
// collects what others do not need and shares it fairly (docs/decisions/0021).
#pragma once

#include "core/fair_shares.hpp"
#include "core/quota_cluster.hpp"
#include "core/quota_loans.hpp"
#include "core/sliding_log.hpp"
#include "core/wake_queue.hpp"

#include <map>
#include <optional>
#include <string>

namespace mainstay {

struct quota_terms {
  std::uint64_t limit = 0;
  duration window = 60s; // of what is held (calls): the longest it may be held; after that it no longer counts
  bool held = false;     // counts until it is given back, not for a window from its sending
  friend bool operator==(const quota_terms&, const quota_terms&) = default;
};

/// What was taken from which account; its owner passes it back unchanged.
struct quota_ticket {
  std::uint64_t home = 0, borrowed = 0;               // tickets of the logs
  std::uint64_t home_amount = 0, borrowed_amount = 0; // what they count
  instant send_by = instant::max();                   // not sent by then: give it back and take anew
};

/// What is known of the process that had this node's shares before.
struct quota_start {
  std::optional<instant> after;         // it sent and lent nothing after that; none: there was no such process
  std::optional<std::uint64_t> counted; // so much of the home share counted then; none: nobody knows
};

class quota_share : public sleeper {
public:
  /// Where nobody knows what a predecessor sent or lent, the home share is closed until none of it can count.
  quota_share(quota_cluster&, std::string name, quota_terms, const quota_start&, instant now);

  /// Another limit or window. What counts already counts for as long as it would have.
  void change(const quota_terms&) noexcept;
  /// It has turned out that nothing of a predecessor's counts any more.
  void begin_afresh() noexcept;
  const std::string& name() const noexcept { return name_; }
  const quota_terms& terms() const noexcept { return terms_; }

  /// What may be taken now.
  std::uint64_t room(instant now);
  /// An amount over the limit fits when all of the limit is free and here.
  bool fits(std::uint64_t amount, instant now) { return charged(amount) <= room(now); }
  /// When it will by time alone, on what this node has now; max(): only others can make room.
  instant fits_at(std::uint64_t amount, instant now);
  /// Nothing if it does not fit.
  std::optional<quota_ticket> take(std::uint64_t amount, instant now);
  /// It was sent (its call began) at `at`; counts until then whatever its age.
  void stamp(const quota_ticket&, instant at);
  /// The real amount, once it is known.
  void correct(quota_ticket&, std::uint64_t amount);
  /// It was not sent, or is no longer held.
  void give_back(const quota_ticket&);
  /// What waits for room: all of it, and the first amount in the line (0: nothing waits).
  void set_demand(std::uint64_t waiting, std::uint64_t first, instant now);

  /// Nothing: the ask is old, or of an incarnation that is not the one known.
  std::optional<quota_grant> on_ask(node_index from, const quota_ask&, instant now);
  void on_grant(node_index from, const quota_grant&, instant now);
  /// What the cluster says of a peer has changed. Its incarnation was `before`.
  void on_peer(node_index peer, std::uint64_t before, instant now);
  /// What the next process of this node has to count of the home share, if this one ends now.
  std::uint64_t legacy(instant now);
  /// What this node has now, used or not.
  std::uint64_t here(instant now);
  /// It has asked somebody and has no answer yet, or is about to ask.
  bool asking(instant now) const noexcept;
  /// What is to be asked now.
  void tick(instant now, addressed_asks&);

  /// Nothing counts, is lent or borrowed or asked for: may be forgotten.
  bool idle(instant now);

  struct view {
    std::uint64_t home = 0, home_used = 0, home_lent = 0;
    std::uint64_t borrowed = 0, borrowed_used = 0, borrowed_lent = 0;
    std::uint64_t wanted = 0;
    node_index owner = 0;
  };
  view look(instant now);

private:
  struct lent {
    std::uint64_t home = 0, borrowed = 0;
    instant reclaim_at = instant::min();
    std::uint64_t sum() const noexcept { return home + borrowed; }
  };
  struct borrower {
    std::uint64_t incarnation = 0, seq = 0;
    lent loan;
    std::uint64_t want = 0, first = 0, least = 0, spare = 0;
    instant heard = instant::min(), hungry_since = instant::max();
  };
  struct lender {
    std::uint64_t seq = 0, wanted = 0;
    instant sent = instant::min(), dry_until = instant::min();
    duration renewed_for{};
    bool waiting = false; // for the answer
  };
  struct wish {
    node_index lender;
    std::uint64_t want, first, least;
    bool collect;
  };
  struct allotment {
    std::uint64_t self = 0, asker = 0; // what each may have in all, of what is shared here
    std::uint64_t ahead = 0;           // promised to others that wait longer than the asker
    bool contended = false;            // somebody else waits
    std::uint64_t promised = 0;        // to all others who ask, beyond what they have
  };

  /// What is left of `a` without `b`.
  static constexpr std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }
  std::uint64_t charged(std::uint64_t amount) const noexcept { return std::min(amount, terms_.limit); }
  bool home_open(instant now) const noexcept { return now >= home_from_ || (terms_.held && unheard_.empty()); }
  std::uint64_t home_capacity(instant now) const noexcept { return home_open(now) ? home_ : 0; }
  std::uint64_t home_free(instant now);
  std::uint64_t borrowed_free(instant now);
  std::uint64_t own_use(instant now) { return at_home_.used(now) + on_loan_.used(now); }
  std::uint64_t own_need(instant now);
  std::uint64_t withheld(bool to_who_is_stuck, instant now);
  std::uint64_t ahead(instant now) const;
  std::uint64_t expected(instant now) const;
  double lately_seconds() const;
  bool stuck(instant now);
  bool shares_fairly() const noexcept { return terms_.held || terms_.limit < cluster_.size(); }
  node_index owner();
  void settle(instant now);
  void place(borrower&, std::uint64_t granted, std::uint64_t holding, std::uint64_t room_at_home);
  void retire(borrower&);
  void free_loan(lent&) noexcept;
  allotment allot(node_index asker, bool as_owner, std::uint64_t free, instant now);
  void heard_of_loan(node_index from, const quota_grant&, instant now);
  std::vector<wish> wishes(instant now);
  void collect_wishes(std::vector<wish>&, std::uint64_t need, bool anybody_stuck, instant now);
  void ask(const wish&, instant now, addressed_asks&);
  void share_out() noexcept;

  quota_cluster& cluster_;
  std::string name_;
  std::uint64_t hash_; // of the name
  quota_terms terms_;
  std::uint64_t home_ = 0;
  instant home_from_;
  std::vector<node_index> unheard_; // what they have of our predecessor's is not known yet (only of what is held)
  std::uint64_t inherited_ = 0, inherited_amount_ = 0; // ticket of what a predecessor's share counted
  instant inherited_until_ = instant::max(); // then nothing of a predecessor's counts, whoever has not said so
  sliding_log at_home_, on_loan_;
  quota_loans loans_;
  std::map<node_index, lender> lenders_;
  std::map<node_index, borrower> borrowers_;
  std::vector<lent> orphans_; // loans to earlier incarnations
  std::uint64_t lent_home_ = 0, lent_borrowed_ = 0;

  std::uint64_t waiting_ = 0, first_ = 0;
  instant hungry_since_ = instant::max();
  double rate_ = 0, lately_ = 0, peak_ = 0; // per second, over short and long; of the need
  instant rate_at_, peak_at_;
  std::uint64_t promised_ = 0, own_part_ = 0; // to who asks; what is ours meanwhile
  instant promised_until_ = instant::min();
  node_index owner_ = 0;
  std::uint64_t owner_version_ = 0;
};

} // namespace mainstay
