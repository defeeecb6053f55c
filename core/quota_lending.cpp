// The lender's half of a share: what an ask is granted, and when what was lent comes back.
#include "core/quota_share.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

std::optional<quota_grant> quota_share::on_ask(node_index from, const quota_ask& ask, instant now) {
  if (from >= cluster_.size() || from == cluster_.self() || ask.incarnation != cluster_.incarnation_of(from)) return {};
  settle(now);
  auto& b = borrowers_[from];
  if (b.incarnation != ask.incarnation) {
    retire(b);
    b.incarnation = ask.incarnation;
  }
  if (ask.seq <= b.seq) return {};
  b.seq = ask.seq;
  b.heard = now;
  b.want = ask.want;
  b.first = ask.first;
  b.least = ask.least;
  b.spare = ask.spare;

  const auto& t = cluster_.times();
  const auto as_owner = !terms_.held && !ask.collect && owner() == cluster_.self();
  const auto calm = waiting_ == 0 && ahead(now) == 0;
  auto valid_for = as_owner ? t.short_loan : calm ? t.long_loan : t.collected_loan;

  auto at_home = less(home_capacity(now), at_home_.used(now) + less(lent_home_, b.loan.home));
  auto on_loan = as_owner
                     ? less(loans_.valid(now + valid_for), on_loan_.used(now) + less(lent_borrowed_, b.loan.borrowed))
                     : std::uint64_t{0};
  auto part = ask.want;
  if (as_owner || shares_fairly()) {
    const auto a = allot(from, as_owner, at_home + on_loan, now);
    part = std::min({part, a.asker, less(at_home + on_loan, a.ahead)});
    promised_ = a.promised + less(std::min(ask.want, a.asker), part);
    own_part_ = a.self;
    if (terms_.held && a.contended) valid_for = t.short_loan; // turns are to be short
    promised_until_ = now + t.short_loan;
  } else {
    at_home = less(at_home, withheld(ask.first > 0, now));
  }
  // Never more than what is free or was lent already, and of what is borrowed only what outlives this loan.
  quota_grant g{ask.incarnation,
                ask.seq,
                std::min(part, at_home + on_loan),
                valid_for,
                loans_.holding(from),
                lenders_.contains(from) ? lenders_[from].seq : 0};
  place(b, g.amount, ask.holding, at_home);
  // An earlier answer may have been for longer, and what it granted may still be sent on.
  b.loan.reclaim_at = std::max(b.loan.reclaim_at, now + valid_for + terms_.window + t.margin);
  const auto served = g.amount >= (ask.least > 0 ? ask.least : ask.want);
  if (served)
    b.hungry_since = instant::max();
  else if (b.hungry_since == instant::max())
    b.hungry_since = now;
  if (as_owner && g.amount < ask.want) wake_at(now);
  return g;
}

// What is granted lies where room was found for it. What the borrower has beyond that was granted before: it may lie on
// the home account as far as there is room (that does not end, so anything may lie there), and else stays where it was.
// What is not on record at all is of another time, lent by a predecessor or long reclaimed: it was this home share.
void quota_share::place(borrower& b, std::uint64_t granted, std::uint64_t holding, std::uint64_t room_at_home) {
  const auto before = b.loan;
  free_loan(b.loan);
  b.loan.home = std::min(granted, room_at_home);
  b.loan.borrowed = granted - b.loan.home;
  auto beyond = less(holding, granted);
  const auto moved = std::min(beyond, room_at_home - b.loan.home);
  b.loan.home += moved;
  beyond -= moved;
  const auto stays = std::min(beyond, less(before.borrowed, b.loan.borrowed));
  b.loan.borrowed += stays;
  b.loan.home += beyond - stays;
  lent_home_ += b.loan.home;
  lent_borrowed_ += b.loan.borrowed;
}

// The borrower began anew. Its calls ended with it; what it sent still counts until its loan is over.
void quota_share::retire(borrower& b) {
  if (terms_.held)
    free_loan(b.loan);
  else if (b.loan.sum() > 0)
    orphans_.push_back(b.loan);
  b = {};
}

void quota_share::on_peer(node_index peer, std::uint64_t before, instant now) {
  settle(now);
  wake_at(now); // the owner may be another one
  if (before == cluster_.incarnation_of(peer)) return;
  promised_until_ = instant::min();
  if (const auto b = borrowers_.find(peer); b != borrowers_.end() && b->second.incarnation == before) {
    retire(b->second);
    borrowers_.erase(b);
  }
  // An answer of its predecessor must not count any more, once it was told what we have.
  if (const auto l = lenders_.find(peer); l != lenders_.end()) {
    l->second.seq = cluster_.next_seq();
    l->second.sent = instant::min();
  }
}

// Enough stays here for our own, and a little for the case that we are cut off.
std::uint64_t quota_share::withheld(bool to_who_is_stuck, instant now) {
  if (stuck(now)) return 0; // what is here does not help
  return less(std::max(own_need(now), expected(now)), own_use(now)) + (to_who_is_stuck ? 0 : home_ / 20);
}

quota_share::allotment quota_share::allot(node_index asker, bool as_owner, std::uint64_t free, instant now) {
  std::vector<fair_claim> claims;
  std::vector<std::uint64_t> has;
  std::size_t asking = 0;
  const auto use = own_use(now);
  // The owner's own share is in what it shares, everybody else's is beside it.
  claims.push_back({0, std::max(own_need(now), expected(now)), stuck(now) ? first_ : 0, first_ > 0 ? use + first_ : 0,
                    hungry_since_});
  has.push_back(use);
  const auto recent = cluster_.times().short_loan;
  auto pool = free + use;
  for (const auto& [node, b] : borrowers_) {
    if (node != asker && (b.heard + recent < now || b.want == 0)) continue;
    const auto whole = as_owner ? home_share(terms_.limit, hash_, cluster_.size(), node) : 0;
    const auto base = less(whole, loans_.holding(node)); // what it lent us is in what is shared here
    if (node == asker) {
      asking = claims.size();
      pool += base; // what it has is in what is free for it
    } else {
      pool += base + b.loan.sum();
    }
    claims.push_back({base, base + b.want, b.first, b.least > 0 ? base + b.least : 0, b.hungry_since});
    has.push_back(base + b.loan.sum());
  }
  const auto shares = fair_shares(pool, claims);
  allotment a;
  a.self = shares[0];
  a.asker = shares[asking] - claims[asking].base;
  a.ahead = less(shares[0], use);
  a.contended = hungry_since_ != instant::max();
  for (std::size_t i = 1; i < shares.size(); ++i) {
    const auto open = less(shares[i], has[i]);
    if (i == asking) continue;
    a.promised += open;
    a.contended = a.contended || claims[i].since != instant::max();
    if (claims[i].since < claims[asking].since) a.ahead += open;
  }
  return a;
}

// A node that begins anew asks what its predecessor had lent: its home share of what is held is known once all have
// said.
void quota_share::heard_of_loan(node_index from, const quota_grant& g, instant now) {
  const auto place = std::find(unheard_.begin(), unheard_.end(), from);
  if (place == unheard_.end()) return;
  unheard_.erase(place);
  if (unheard_.empty() && inherited_) at_home_.withdraw(std::exchange(inherited_, 0));
  auto& b = borrowers_[from];
  if (b.incarnation != cluster_.incarnation_of(from)) {
    retire(b);
    b.incarnation = cluster_.incarnation_of(from);
  }
  if (g.held_seq <= b.seq) return; // its ask of then is on record, and the answer may be under way
  b.seq = g.held_seq;
  free_loan(b.loan);
  b.loan.home = g.held;
  lent_home_ += g.held;
  const auto& t = cluster_.times();
  b.loan.reclaim_at = now + t.long_loan + terms_.window + t.margin;
}

} // namespace mainstay
