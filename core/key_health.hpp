// The standing of every provider key: health, rests, disabled. Owned by the KeyManager; pushed to the governor.
#pragma once

#include "core/clock.hpp"
#include "core/failure.hpp"
#include "core/peer_word.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// What the governor needs to know of a key.
struct key_standing {
  std::string key;
  bool disabled = false;
  double health = 1.0;    // EWMA of outcomes, 1 is all good
  instant not_before{};   // the provider asked us to wait, or a quota is spent: never used before
  instant rest_until{};   // it failed lately: used before that time only if all other keys rest too
  instant last_failure{}; // least recently failed goes first when all rest
};

class key_book {
public:
  struct entry_settings {
    std::string key;
    duration rest = 60s;
    std::size_t secret_hash = 0;
  };
  /// Keeps what is known of keys that stay; a key whose secret changed starts healthy; keys that left are forgotten.
  void reconfigure(const std::vector<entry_settings>&);

  /// Success: health up (EWMA, alpha 0.1), consecutive failures zero, and the soft rest ends.
  /// auth: disabled. quota_spent: not_before = now + max(retry_after, 1 h); five in a row disable, counted once per
  /// rest. rate_limited: not_before = now + retry_after, or where none or zero was said now + 1 s doubling per
  /// consecutive 429 up to 5 min (answers to calls that were under way when the rest began do not double it); what was
  /// said is doubled in the same way, up to 5 min, from the third time in a row on that it was not enough; never
  /// disables, for the key works. Failures of the target and the network that count for a breaker: rest_until = now +
  /// rest (set also where there is no other key: the governor uses resting keys if all rest). All of these lower
  /// health. A not_before is only ever extended. The caller's and nobody's failures (caller_fault, content_filter,
  /// context_length, cancelled, deadline) and model_missing change nothing. Returns the new standing if the governor
  /// should hear of it (anything but a health change below 0.02 since last told).
  std::optional<key_standing> on_outcome(const std::string& key, std::optional<failure_class>,
                                         std::optional<duration> retry_after, instant now);

  /// What a peer found of the same secret. A rest is a fact about it and obeyed as long as it is said again, for at
  /// most `longest_advice` each time; a disabled key rests that long too, then it is tried here, and no such word
  /// counts again before it has had an outcome; nor does it where the key worked here in the last `fresh_success`.
  /// A success, or an operator who enables it, refutes those who said so: from them it counts no more until they find
  /// the key well or the secret changes. `until` of one that is well ends the advice. None: nothing changes.
  static constexpr duration longest_advice = 60s, fresh_success = 10s;
  std::optional<key_standing> advise(const key_word&, instant now);

  /// Operator: a disabled key stays so until enabled; enabling clears rests and failures, health included. None if the
  /// key is unknown.
  static constexpr std::string_view by_operator = "operator"; // the reason that peers are not told
  std::optional<key_standing> disable(const std::string& key, std::string why, instant now);
  std::optional<key_standing> enable(const std::string& key, instant now);

  struct view {
    key_standing standing;
    std::string why;
    std::uint64_t successes, failures;
    int consecutive_failures;
    std::string told_by{}; // it rests because this peer says so
  };
  std::vector<view> views(instant now) const;
  std::vector<key_standing> standings() const;
  /// For peers: what was found here, without an operator's orders and without what they say.
  std::optional<key_word> own_word(const std::string& key) const;

private:
  struct entry {
    entry_settings settings;
    key_standing standing;
    std::string why; // of a disabled or resting key: "auth", "quota_spent", "operator", ...
    std::uint64_t successes = 0, failures = 0;
    int consecutive_failures = 0, consecutive_429 = 0;
    double told_health = 1.0;
    std::optional<instant> last_success;
    struct {
      std::string from, why;
      instant until{};
      bool dead = false;    // they say that its provider refuses it
      bool untried = false; // no outcome since they said so
    } advice;
    std::map<std::string, bool> accusers; // peers by which its provider refuses it; true: refuted here

    void refute();
    void succeed(instant now);
    void fail(failure_class what, std::optional<duration> retry_after, instant now);
    void hold(instant until) noexcept;
    key_standing effective() const;
    key_standing tell(); // what is told from here on is measured against this
  };
  std::map<std::string, entry> keys_;
};

} // namespace mainstay
