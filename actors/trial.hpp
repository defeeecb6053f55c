// Trials: a question put to one target of a model alone, in an operator's name, for `compare`. It takes its place in
// the queue and counts against the keys' limits as any other, but is neither repeated, nor hedged, nor answered from
// anywhere else; its answer is thrown away. What came of it is in the flight recorder, by its name.
#pragma once

#include "actors/run_record.hpp"

namespace mainstay {

struct trial {
  std::string model;
  std::size_t target = 0; // on the model's ladder, rung after rung
  std::string prompt;
  std::uint64_t max_tokens = 0;
};

/// The model's targets, rung after rung; one without a model of its own is asked for `model`. Empty: there is no such
/// model.
std::vector<target> trial_targets(const config::settings&, const std::string& model);

/// For the dispatcher. Null: there is no such model or target.
run_record_ptr make_trial(const trial&, const config::settings&);

} // namespace mainstay
