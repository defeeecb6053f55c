#include "core/shared_limits.hpp"

#include <algorithm>

namespace mainstay {

namespace {

std::uint64_t left_free(quota_share& s, double share, std::uint64_t amount, instant now) {
  if (!(share > 0)) return 0;
  const auto here = s.here(now);
  if (amount >= here) return 0;
  return std::min(here - amount, static_cast<std::uint64_t>(share * static_cast<double>(here)));
}

bool fits(const std::shared_ptr<quota_share>& s, std::uint64_t amount, std::uint64_t withheld, double share,
          instant now) {
  return !s || s->fits(amount + withheld + left_free(*s, share, amount, now), now);
}

instant fits_at(const std::shared_ptr<quota_share>& s, std::uint64_t amount, std::uint64_t withheld, double share,
                instant now) {
  if (!s) return now;
  return s->fits_at(amount + withheld + left_free(*s, share, amount, now), now);
}

} // namespace

bool shared_limits::fits(const need& n, instant now) {
  return mainstay::fits(rpm, 1, 0, n.left_free, now) && mainstay::fits(rps, 1, 0, 0, now) &&
         mainstay::fits(tpm, n.tokens, n.withheld_tokens, n.left_free, now) && mainstay::fits(calls, 1, 0, 0, now);
}

instant shared_limits::requests_fit_at(const need& n, instant now) {
  return std::max(mainstay::fits_at(rpm, 1, 0, n.left_free, now), mainstay::fits_at(rps, 1, 0, 0, now));
}

instant shared_limits::call_fits_at(instant now) { return mainstay::fits_at(calls, 1, 0, 0, now); }

instant shared_limits::tokens_fit_at(const need& n, instant now) {
  return mainstay::fits_at(tpm, n.tokens, n.withheld_tokens, n.left_free, now);
}

std::unique_ptr<shared_tickets> shared_limits::take(std::uint64_t tokens, instant now) {
  auto t = std::make_unique<shared_tickets>();
  const auto of = [now](const std::shared_ptr<quota_share>& s, std::uint64_t amount) -> shared_tickets::part {
    if (!s) return {};
    return {s, s->take(amount, now)};
  };
  t->rpm_ = of(rpm, 1);
  t->rps_ = of(rps, 1);
  t->tpm_ = of(tpm, tokens);
  t->calls_ = of(calls, 1);
  return t;
}

void shared_limits::set_demand(std::uint64_t requests, std::uint64_t tokens, std::uint64_t first_tokens, instant now) {
  for (auto* s : {&rpm, &rps, &calls})
    if (*s) (*s)->set_demand(requests, std::min<std::uint64_t>(requests, 1), now);
  if (tpm) tpm->set_demand(tokens, first_tokens, now);
}

bool shared_limits::asking(instant now) const {
  for (auto* s : {&rpm, &rps, &tpm, &calls})
    if (*s && (*s)->asking(now)) return true;
  return false;
}

bool shared_limits::idle(instant now) {
  for (auto* s : {&rpm, &rps, &tpm, &calls})
    if (*s && !(*s)->idle(now)) return false;
  return true;
}

void shared_tickets::stamp(instant at) {
  for (auto* p : {&rpm_, &rps_, &tpm_})
    if (p->taken) p->of->stamp(*p->taken, at);
}

void shared_tickets::end(bool sent, std::optional<std::uint64_t> tokens, instant at) {
  if (sent) stamp(at);
  if (sent && tokens && tpm_.taken) tpm_.of->correct(*tpm_.taken, *tokens);
  for (auto* p : {&rpm_, &rps_, &tpm_, &calls_}) {
    if (p->taken && (!sent || p == &calls_)) p->of->give_back(*p->taken);
    *p = {};
  }
}

instant shared_tickets::send_by() const noexcept {
  auto by = instant::max();
  for (const auto* p : {&rpm_, &rps_, &tpm_, &calls_})
    if (p->taken) by = std::min(by, p->taken->send_by);
  return by;
}

} // namespace mainstay
