// The borrower's half of a share: whom to ask for how much, when, and what an answer changes.
#include "core/quota_share.hpp"

#include <algorithm>

namespace mainstay {

void quota_share::on_grant(node_index from, const quota_grant& g, instant now) {
  const auto found = lenders_.find(from);
  if (found == lenders_.end() || g.incarnation != cluster_.incarnation()) return;
  auto& l = found->second;
  if (!l.waiting || g.seq != l.seq) return; // only the answer to the latest ask says what is lent now
  settle(now);
  heard_of_loan(from, g, now);
  l.waiting = false;
  const auto every = cluster_.times().ask_every;
  l.renewed_for = g.valid_for;
  loans_.grant(from, g.amount, l.sent + g.valid_for);
  if (g.amount < l.wanted)
    l.dry_until = now + (terms_.held ? every : std::clamp<duration>(terms_.window / 100, every, 1s));
  if (loans_.holding(from) == 0 && l.wanted == 0 && unheard_.empty()) lenders_.erase(found);
  wake_at(now);
}

void quota_share::tick(instant now, addressed_asks& out) {
  settle(now);
  sleep();
  for (const auto& w : wishes(now)) ask(w, now, out);
  // What is lent or borrowed ages, and so does the need.
  if (!loans_.empty() || !lenders_.empty()) wake_at(now + 500ms);
}

std::vector<quota_share::wish> quota_share::wishes(instant now) {
  std::vector<wish> found;
  auto need = own_need(now);
  if (!terms_.held && owner() != cluster_.self()) {
    const auto home = less(home_capacity(now), lent_home_);
    const auto alone = stuck(now) ? first_ : 0;
    const auto lacking = less(first_, home_free(now));
    const auto least = lacking > borrowed_free(now) ? on_loan_.used(now) + lacking : 0;
    const auto want = std::min(std::max(less(need, home), least), less(terms_.limit, home));
    if (want > 0 || lenders_.contains(owner())) found.push_back({owner(), want, alone, least, false});
  } else {
    auto anybody_stuck = stuck(now);
    if (!terms_.held) {
      const auto recent = now - cluster_.times().short_loan;
      for (const auto& [node, b] : borrowers_) {
        const auto asks = b.heard >= recent;
        need += std::max(b.loan.sum(), asks ? b.want : 0);
        anybody_stuck = anybody_stuck || (asks && b.first > 0);
      }
      for (const auto& o : orphans_) need += o.sum();
    } else {
      need += lent_home_;
    }
    collect_wishes(found, std::min(less(need, home_capacity(now)), less(terms_.limit, home_)), anybody_stuck, now);
  }
  // Everything else goes back as soon as it may; and who began anew asks everybody what was lent.
  for (const auto& [node, l] : lenders_)
    if (std::none_of(found.begin(), found.end(), [&](const wish& w) { return w.lender == node; }))
      found.push_back({node, 0, 0, 0, true});
  if (!home_open(now) || inherited_)
    for (const auto node : unheard_)
      if (std::none_of(found.begin(), found.end(), [&](const wish& w) { return w.lender == node; }))
        found.push_back({node, 0, 0, 0, true});
  return found;
}

// First what is there already, then what is missing, from nodes that do not ask themselves.
void quota_share::collect_wishes(std::vector<wish>& found, std::uint64_t need, bool anybody_stuck, instant now) {
  const auto recent = now - cluster_.times().short_loan;
  const auto n = cluster_.size();
  const auto part_of = [&](node_index node) { return home_share(terms_.limit, hash_, n, node); };
  auto rest = need;
  for (const auto node : loans_.lenders()) {
    if (!cluster_.up(node)) {
      rest = less(rest, loans_.valid_from(node, now));
      continue;
    }
    const auto want = std::min({rest, loans_.holding(node), part_of(node)});
    rest -= want;
    found.push_back({node, want, 0, 0, true});
  }
  for (node_index i = 1; i < n && rest > 0; ++i) {
    const auto node = (cluster_.self() + i) % n;
    if (!cluster_.up(node) || part_of(node) == 0) continue;
    if (const auto l = lenders_.find(node); l != lenders_.end() && now < l->second.dry_until) {
      wake_at(l->second.dry_until);
      continue;
    }
    if (const auto b = borrowers_.find(node); !shares_fairly() && b != borrowers_.end() && b->second.heard >= recent &&
                                              b->second.want > 0 && b->second.spare == 0)
      continue;
    auto w = std::find_if(found.begin(), found.end(), [&](const wish& x) { return x.lender == node; });
    if (w == found.end()) w = found.insert(w, {node, 0, 0, 0, true});
    const auto more = std::min(rest, less(part_of(node), w->want));
    w->want += more;
    rest -= more;
  }
  if (anybody_stuck)
    for (auto& w : found) w.first = w.least = w.want;
}

void quota_share::ask(const wish& w, instant now, addressed_asks& out) {
  if (w.lender == cluster_.self() || !cluster_.up(w.lender)) return;
  const auto& t = cluster_.times();
  auto& l = lenders_[w.lender];
  const auto earliest = l.sent == instant::min() ? now : l.sent + (l.waiting ? t.lost_after : t.ask_every);
  const auto used = on_loan_.used(now) + lent_borrowed_;
  const auto valid = loans_.valid_from(w.lender, now);
  const auto held = loans_.holding(w.lender);
  const auto keep = std::min(w.want, valid); // what has ended is of no use any more, it only counts
  const auto short_of_room = home_free(now) + borrowed_free(now) < waiting_ + (ahead(now) + 1) / 2;
  const auto grows = w.want > valid && (w.collect || short_of_room || w.least > valid);
  const auto renewal = valid > 0 ? loans_.end_of(w.lender) - l.renewed_for / 2 : instant::max();
  const auto renews = valid > 0 && w.want > 0 && now >= renewal;
  const auto returns = loans_.releasable(w.lender, keep, used) > held / 32;
  const auto unheard = std::find(unheard_.begin(), unheard_.end(), w.lender) != unheard_.end();
  if (valid > 0 && w.want > 0) wake_at(std::max(renewal, now + 1ms));
  if (!(l.waiting || (grows && now >= l.dry_until) || renews || returns || unheard)) {
    if (grows) wake_at(l.dry_until);
    if (held == 0 && w.want == 0 && now >= std::max(l.dry_until, earliest)) lenders_.erase(w.lender);
    return;
  }
  if (now < earliest) return wake_at(earliest);
  loans_.release(w.lender, keep, used);
  l.seq = cluster_.next_seq();
  l.sent = now;
  l.wanted = w.want;
  l.waiting = true;
  wake_at(now + t.lost_after);
  out.emplace_back(w.lender, quota_ask{cluster_.incarnation(), l.seq, loans_.holding(w.lender), w.want, w.first,
                                       w.least, less(home_free(now), withheld(false, now)), w.collect});
}

} // namespace mainstay
