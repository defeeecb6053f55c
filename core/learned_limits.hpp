// What a provider teaches about one key and one model: limits that nobody configured, read from its headers, and a pace
// learned from its 429s. Nothing is known at first and everything fits. Promises: what was told only narrows what the
// configuration allows; a window told too long corrects itself as soon as the provider counts less than we do.
#pragma once

#include "core/pacer.hpp"
#include "core/windowed_limit.hpp"

namespace mainstay {

/// A limit over a window of a length that nobody tells, and what the newest answer said is left until its reset. Until
/// the provider says otherwise, at most `limit` are sent in any window, and no more than what is left.
class told_limit {
public:
  bool known() const noexcept { return log_.limit().has_value(); }
  /// x-ratelimit-limit, -remaining and -reset of one answer. A limit of zero is not believed.
  void learn(std::uint64_t limit, std::uint64_t remaining, duration reset, instant now);
  /// Without a limit: `remaining` may be sent until the reset.
  void learn(std::uint64_t remaining, duration reset, instant now) noexcept;

  bool fits(std::uint64_t amount, instant now) {
    return (now >= until_ || amount <= left_) && (!known() || log_.fits(amount, 0, now));
  }
  /// As windowed_limit::fits_at.
  instant fits_at(std::uint64_t amount, instant now);
  std::uint64_t reserve(std::uint64_t amount);
  sliding_log& log() noexcept { return log_.log(); }

  double used_share(instant now) { return log_.used_share(now); }
  duration span() const noexcept { return span_; }
  /// The limit spread evenly, a second; 0 where none is known.
  double even_rate() const noexcept;

private:
  windowed_limit log_{1s};
  duration span_{}, at_least_{};
  std::uint64_t left_ = 0;
  instant until_ = instant::min();
};

struct learned_tickets {
  std::uint64_t requests = 0, tokens = 0;
};

class learned_limits {
public:
  told_limit& requests() noexcept { return requests_; }
  told_limit& tokens() noexcept { return tokens_; }
  pacer& pace() noexcept { return pace_; }
  /// Its windows want to know when a request has been sent.
  bool limits_rate() const noexcept { return requests_.known() || tokens_.known(); }

  bool fits(std::uint64_t tokens, instant now) {
    return pace_.fits(now) && requests_.fits(1, now) && tokens_.fits(tokens, now);
  }
  struct outlook {
    instant not_before; // never before that, whatever is settled meanwhile
    instant expected;   // then, by time alone; max: somebody must settle first; now: it fits
    bool tokens_only;   // a smaller request would fit now
  };
  outlook look_ahead(std::uint64_t tokens, instant now);

  learned_tickets take(std::uint64_t tokens) { return {requests_.reserve(1), tokens_.reserve(tokens)}; }
  void stamp(const learned_tickets&, instant at);
  /// As key_meter::give_back.
  void give_back(const learned_tickets&, bool sent, std::uint64_t tokens, instant at);

private:
  told_limit requests_, tokens_;
  pacer pace_;
};

} // namespace mainstay
