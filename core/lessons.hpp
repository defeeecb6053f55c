// What the answers of one provider's models have taught: how long a whole answer of a size takes, which bounds the wait
// for the first byte of a plain answer, and which models refuse a conversation that ends in an assistant message.
// Leaves to others what to do with it; keeps nothing but a few numbers per model.
#pragma once

#include "core/clock.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace mainstay {

struct lesson {
  duration usual{};             // in which a whole answer is there, as a rule; zero: nothing is known
  bool prefill_refused = false; // or ignored
};

class provider_lessons {
public:
  /// For an answer of at most `answer_cap` tokens; 0: of any size.
  lesson of(const std::string& model, std::uint64_t answer_cap) const;

  struct event {
    enum class kind : std::uint8_t {
      whole_answer, // of `tokens`, `took` from the call to its last byte
      too_slow,     // a plain call that was given up after `took` without a byte
      prefill_refused
    } what = kind::whole_answer;
    std::uint64_t tokens = 0;
    duration took{};
  };
  void learn(const std::string& model, const event&);

private:
  static constexpr std::size_t models_limit = 1000; // the configuration's, over all reloads
  /// Mean and mean deviation as TCP keeps them of round trips (RFC 6298): usual = mean + 4 deviations.
  struct estimate {
    double mean_s = 0, deviation_s = 0;
    bool known = false;
    void add(double seconds) noexcept;
  };
  struct entry {
    std::array<estimate, 5> by_size; // up to 128, 512, 2048, 8192 tokens, and above
    bool answered_last = false;
    duration grace{}; // given after one silence of a model that does answer: it may have been a long answer
    bool prefill_refused = false;
  };
  std::map<std::string, entry> models_;
};

} // namespace mainstay
