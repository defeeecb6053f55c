// How long a told window is, follows from limit, remaining and reset. After the reset all of the limit is free,
// whatever the provider's arithmetic: no window is shorter than its reset. A bucket that refills steadily gets the
// reset's share back in that time: no window is longer than reset x limit / used (a fixed window near its end looks
// shorter, and corrects that when the next one begins).
#include "core/learned_limits.hpp"

#include <algorithm>

namespace mainstay {
namespace {

constexpr duration shortest_span = 1s, longest_span = 24h;

duration times(duration d, double factor) {
  const auto product = static_cast<double>(d.count()) * factor;
  return product < static_cast<double>(longest_span.count()) ? duration(static_cast<duration::rep>(product))
                                                             : longest_span;
}

} // namespace

void told_limit::learn(std::uint64_t limit, std::uint64_t remaining, duration reset, instant now) {
  if (limit == 0) return;
  if (log_.limit() != limit) { // of the old one's window nothing is known any more
    span_ = longest_span;
    at_least_ = shortest_span;
  }
  log_.limit_to(limit);
  auto& log = log_.log();
  remaining = std::min(limit, remaining);
  const auto theirs = limit - remaining, on_their_way = log.unstamped();
  at_least_ = std::max(at_least_, reset);
  if (theirs > 0) span_ = std::min(span_, times(reset, static_cast<double>(limit) / static_cast<double>(theirs)));
  if (log.used(now) - on_their_way > theirs + on_their_way + limit / 20 + 1) { // they forgot what we still count
    at_least_ = std::max(shortest_span, std::min(at_least_, reset));
    span_ /= 2;
  }
  span_ = std::clamp(span_, at_least_, longest_span);
  log_.set_window(span_);
  // Whether what is on its way is among what they counted, nobody knows.
  left_ = remaining - std::min(remaining, on_their_way);
  until_ = now + reset;
}

void told_limit::learn(std::uint64_t remaining, duration reset, instant now) noexcept {
  if (now < until_ && remaining >= left_) return;
  left_ = remaining;
  until_ = now + reset;
}

instant told_limit::fits_at(std::uint64_t amount, instant now) {
  const auto at = known() ? log_.fits_at(amount, 0, now) : now;
  return now < until_ && amount > left_ ? std::max(at, until_) : at;
}

std::uint64_t told_limit::reserve(std::uint64_t amount) {
  left_ -= std::min(left_, amount);
  return known() ? log_.reserve(amount) : 0;
}

double told_limit::even_rate() const noexcept {
  return known() ? static_cast<double>(*log_.limit()) / std::chrono::duration<double>(span_).count() : 0;
}

learned_limits::outlook learned_limits::look_ahead(std::uint64_t tokens, instant now) {
  const auto paced = pace_.fits_at(now), slow = requests_.fits_at(1, now);
  const auto room = tokens_.fits_at(tokens, now);
  outlook out{paced, std::max({paced, slow, room}), paced <= now && slow <= now && room > now};
  for (const auto at : {slow, room}) // what is not sent yet may be withdrawn: not counted on
    if (at != instant::max()) out.not_before = std::max(out.not_before, at);
  return out;
}

void learned_limits::stamp(const learned_tickets& t, instant at) {
  requests_.log().stamp(t.requests, at);
  tokens_.log().stamp(t.tokens, at);
}

void learned_limits::give_back(const learned_tickets& t, bool sent, std::uint64_t tokens, instant at) {
  auto &requests = requests_.log(), &log = tokens_.log();
  if (!sent) {
    pace_.give_back();
    requests.withdraw(t.requests);
    log.withdraw(t.tokens);
    return;
  }
  stamp(t, at);
  if (tokens == 0)
    log.withdraw(t.tokens);
  else
    log.correct(t.tokens, tokens);
}

} // namespace mainstay
