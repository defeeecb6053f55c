// How well one provider's models answer: a score for each, and whether it is so slow or fails so often that others are
// to be asked before it. Judged by its latest calls, in blocks; while it is degraded, by the few that still go there.
// Leaves to others what to do with it, and which calls those few are.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

struct model_ranking_settings {
  duration check_interval = 60s; // a degraded model is tried so often
  int min_calls = 50;            // before anything is judged
  double success_rate = 0.90;    // degraded below it
  duration latency = 15s;        // degraded above it, on average
  int rebalance_every = 100;     // calls in a block: so often the score is set anew
};

class model_ranking {
public:
  /// None: nothing is ranked, and what was is forgotten.
  void reconfigure(std::optional<model_ranking_settings>);

  /// The end of a call that tells something of the model: not the caller's fault, nor the key's. `first_word`: how long
  /// the answer took to begin (a plain one: to be there).
  void record(const std::string& model, bool success, duration first_word, instant now);

  /// score = 0.7 success share + 0.3 / (1 + latency in seconds); 1 until the first block or degradation.
  struct view {
    std::string model;
    double score = 1, success_share = 1;
    duration latency{}; // mean of the successes
    std::uint64_t calls = 0;
    bool degraded = false;
    duration check_interval{};
  };
  std::vector<view> views() const;
  /// Whose score or standing changed since the last call. Those that were forgotten come with the values of a new one.
  std::vector<view> take_changes();

private:
  static constexpr std::size_t models_limit = 1000; // the configuration's, over all reloads
  struct entry {
    int calls = 0, successes = 0; // of the block under way
    double seconds = 0;           // of its successes
    double score = 1, share = 1, mean_s = 0;
    std::uint64_t all_calls = 0;
    bool degraded = false, changed = false;
    instant since{};       // degraded
    int good_in_a_row = 0; // calls since then
  };
  void judge(entry&, instant now);
  void try_again(entry&, bool good, instant now);
  view view_of(const std::string& model, const entry&) const;
  void measure(entry&);
  static void begin_block(entry&) noexcept;
  std::optional<model_ranking_settings> settings_;
  std::map<std::string, entry> models_;
  bool any_changed_ = false;
  std::vector<std::string> forgotten_;
};

} // namespace mainstay
