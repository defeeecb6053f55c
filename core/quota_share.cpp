// The two accounts of a share. What is lent is in quota_lending.cpp, what is borrowed in quota_borrowing.cpp.
#include "core/quota_share.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mainstay {

namespace {

double seconds_of(duration d) { return std::chrono::duration<double>(d).count(); }

double decayed(double value, duration past, double seconds) { return value * std::exp(-seconds_of(past) / seconds); }

constexpr double rate_seconds = 2, peak_seconds = 1;

} // namespace

quota_share::quota_share(quota_cluster& cluster, std::string name, quota_terms terms, const quota_start& start,
                         instant now)
  : cluster_(cluster), name_(std::move(name)), hash_(stable_hash(name_)), terms_(terms), home_from_(instant::min()),
    at_home_(terms.window), on_loan_(terms.window), rate_at_(now), peak_at_(now) {
  share_out();
  if (!start.after || start.counted == 0u) return;
  const auto& t = cluster.times();
  const auto loans_over = *start.after + t.long_loan + t.margin; // what was lent last may have been sent until then
  if (loans_over + terms.window <= now) return;
  inherited_until_ = loans_over + terms.window;
  if (start.counted) {
    inherited_amount_ = *start.counted;
    inherited_ = at_home_.reserve(inherited_amount_);
    at_home_.stamp(inherited_, loans_over);
  } else {
    home_from_ = inherited_until_;
  }
  if (terms.held) {
    for (node_index n = 0; n < cluster.size(); ++n)
      if (n != cluster.self()) unheard_.push_back(n);
    wake_at(now);
  }
}

void quota_share::share_out() noexcept { home_ = home_share(terms_.limit, hash_, cluster_.size(), cluster_.self()); }

void quota_share::change(const quota_terms& t) noexcept {
  terms_ = t;
  at_home_.set_window(t.window);
  on_loan_.set_window(t.window);
  share_out();
}

void quota_share::begin_afresh() noexcept {
  home_from_ = instant::min();
  unheard_.clear();
}

std::uint64_t quota_share::legacy(instant now) {
  settle(now);
  if (!home_open(now)) return home_;
  if (!terms_.held) return at_home_.used(now) + lent_home_;
  return std::min(home_, (inherited_ ? inherited_amount_ : 0) + lent_home_); // its own calls end with a process
}

std::uint64_t quota_share::here(instant now) { return home_capacity(now) + loans_.valid(now); }

bool quota_share::asking(instant now) const noexcept {
  return next_wake() <= now ||
         std::any_of(lenders_.begin(), lenders_.end(), [](const auto& l) { return l.second.waiting; });
}

std::uint64_t quota_share::home_free(instant now) { return less(home_capacity(now), at_home_.used(now) + lent_home_); }

std::uint64_t quota_share::borrowed_free(instant now) {
  return less(loans_.valid(now), on_loan_.used(now) + lent_borrowed_);
}

std::uint64_t quota_share::room(instant now) {
  settle(now);
  const auto free = home_free(now) + borrowed_free(now);
  if (now >= promised_until_) return free;
  return std::min(free, std::max(less(free, promised_), less(own_part_, own_use(now))));
}

instant quota_share::fits_at(std::uint64_t amount, instant now) {
  if (fits(amount, now)) return now;
  amount = charged(amount);
  auto found = instant::max();
  if (const auto c = less(home_capacity(now), lent_home_); amount <= c) found = at_home_.fits_at(amount, c, now);
  if (const auto c = less(loans_.valid(now), lent_borrowed_); amount <= c)
    found = std::min(found, on_loan_.fits_at(amount, c, now));
  if (!home_open(now) && amount <= home_) found = std::min(found, home_from_);
  return found <= now ? instant::max() : found; // there would be room, but it is promised to others
}

std::optional<quota_ticket> quota_share::take(std::uint64_t amount, instant now) {
  amount = charged(amount);
  if (terms_.limit == 0 || amount > room(now)) return std::nullopt;
  const auto home = home_free(now), borrowed = borrowed_free(now);
  quota_ticket t;
  // From the account of which more is left, so that a node that is cut off still has a part of its own to go on with.
  const auto here = static_cast<double>(home) / static_cast<double>(std::max<std::uint64_t>(1, home_capacity(now)));
  const auto there = static_cast<double>(borrowed) / static_cast<double>(std::max<std::uint64_t>(1, loans_.valid(now)));
  if (amount <= home && (amount > borrowed || here >= there))
    t.home_amount = amount;
  else if (amount <= borrowed)
    t.borrowed_amount = amount;
  else
    t.borrowed_amount = borrowed, t.home_amount = amount - borrowed;
  if (t.home_amount > 0) t.home = at_home_.reserve(t.home_amount);
  if (t.borrowed_amount > 0) {
    t.send_by = loans_.valid_until(on_loan_.used(now) + lent_borrowed_ + t.borrowed_amount);
    t.borrowed = on_loan_.reserve(t.borrowed_amount);
  }
  rate_ = decayed(rate_, now - rate_at_, rate_seconds) + static_cast<double>(amount) / rate_seconds;
  lately_ = decayed(lately_, now - rate_at_, lately_seconds()) + static_cast<double>(amount) / lately_seconds();
  rate_at_ = now;
  hungry_since_ = instant::max();
  if (home + borrowed < amount + ahead(now)) wake_at(now);
  return t;
}

void quota_share::stamp(const quota_ticket& t, instant at) {
  if (t.home) at_home_.stamp(t.home, at);
  if (t.borrowed) on_loan_.stamp(t.borrowed, at);
}

void quota_share::correct(quota_ticket& t, std::uint64_t amount) {
  const auto before = t.home_amount + t.borrowed_amount;
  const auto gone = std::min(t.borrowed_amount, less(before, amount)); // what is borrowed goes back first
  t.borrowed_amount -= gone;
  auto& part = t.home ? t.home_amount : t.borrowed_amount;
  part = amount - (t.home ? t.borrowed_amount : t.home_amount);
  if (t.home) at_home_.correct(t.home, t.home_amount);
  if (t.borrowed) on_loan_.correct(t.borrowed, t.borrowed_amount);
}

void quota_share::give_back(const quota_ticket& t) {
  if (t.home) at_home_.withdraw(t.home);
  if (t.borrowed) on_loan_.withdraw(t.borrowed);
  if (t.borrowed && terms_.held) wake_at(instant::min()); // its lender may wait for it
}

void quota_share::set_demand(std::uint64_t waiting, std::uint64_t first, instant now) {
  waiting_ = waiting;
  first_ = charged(first);
  if (waiting_ == 0) {
    hungry_since_ = instant::max();
    return;
  }
  if (hungry_since_ == instant::max()) hungry_since_ = now;
  if (room(now) < std::max(first_, std::min(waiting_, terms_.limit))) wake_at(now);
}

std::uint64_t quota_share::ahead(instant now) const {
  if (terms_.held) return 0; // the peak of the need says it all: calls come and go faster than messages
  const auto seconds = std::clamp(seconds_of(terms_.window) / 20, 0.4, 1.0);
  return static_cast<std::uint64_t>(std::ceil(decayed(rate_, now - rate_at_, rate_seconds) * seconds - 0.01));
}

// What the home share is likely to be needed for: a node whose window is still filling is not idle.
std::uint64_t quota_share::expected(instant now) const {
  if (terms_.held) return 0;
  const auto rate = decayed(lately_, now - rate_at_, lately_seconds());
  return static_cast<std::uint64_t>(std::min(rate * seconds_of(terms_.window), static_cast<double>(home_)));
}

double quota_share::lately_seconds() const { return std::max(rate_seconds, seconds_of(terms_.window) / 6); }

std::uint64_t quota_share::own_need(instant now) {
  const auto need = own_use(now) + waiting_ + ahead(now);
  peak_ = std::max(decayed(peak_, now - peak_at_, peak_seconds), static_cast<double>(need));
  peak_at_ = now;
  return std::min(static_cast<std::uint64_t>(peak_), terms_.limit);
}

// What waits is more than its own share: that alone will never do, however long it waits.
bool quota_share::stuck(instant now) { return first_ > home_ && first_ > home_free(now) + borrowed_free(now); }

node_index quota_share::owner() {
  if (owner_version_ != cluster_.version()) {
    owner_version_ = cluster_.version();
    owner_ = cluster_.owner(hash_);
  }
  return owner_;
}

void quota_share::settle(instant now) {
  loans_.forget(now - terms_.window);
  if (now >= inherited_until_) {
    inherited_until_ = instant::max();
    inherited_ = 0;
    unheard_.clear();
  }
  for (auto& [node, b] : borrowers_)
    if (b.loan.reclaim_at <= now) free_loan(b.loan);
  std::erase_if(orphans_, [&](lent& o) {
    if (o.reclaim_at > now) return false;
    free_loan(o);
    return true;
  });
}

void quota_share::free_loan(lent& l) noexcept {
  lent_home_ -= l.home;
  lent_borrowed_ -= l.borrowed;
  l.home = l.borrowed = 0;
}

bool quota_share::idle(instant now) {
  settle(now);
  return own_use(now) + waiting_ + lent_home_ + lent_borrowed_ == 0 && loans_.empty() && home_open(now) &&
         std::none_of(lenders_.begin(), lenders_.end(), [](const auto& l) { return l.second.waiting; });
}

quota_share::view quota_share::look(instant now) {
  settle(now);
  return {home_capacity(now), at_home_.used(now), lent_home_,    loans_.valid(now),
          on_loan_.used(now), lent_borrowed_,     own_need(now), owner()};
}

} // namespace mainstay
