// How the targets of a model did with the same question: what there is to say of each from the calls made to it.
#pragma once

#include "core/run_report.hpp"

#include <map>
#include <string>
#include <vector>

namespace mainstay {

class comparison {
public:
  /// A call's run is over.
  void add(const run_report&);

  struct view {
    std::uint64_t calls = 0, answered = 0;
    std::map<std::string, std::uint64_t> errors; // by failure class
    double mean = 0, p50 = 0, p95 = 0;           // seconds, of the answered ones; nearest rank
    double first_token = 0;                      // mean, seconds
    double tokens_per_second = 0;                // of the streams, from their first token on
    double output_tokens = 0;                    // mean
    double usd = 0;                              // of all of them
    bool priced = true;                          // every answered one's price is known
  };
  view look() const;

private:
  struct call {
    double took = 0, first_token = 0;
    std::uint64_t tokens = 0;
  };
  std::vector<call> answered_;
  std::map<std::string, std::uint64_t> errors_;
  std::uint64_t calls_ = 0;
  double usd_ = 0;
  bool priced_ = true;
};

} // namespace mainstay
