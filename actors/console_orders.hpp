// What an operator's words ask of breakers, ledger, warmer and drills (actors/client_orders: of clients). Judges the
// words alone; whether there is such a thing, and whether it may be, is for whoever is asked to say. All throw
// console_error, which says what may be said instead.
#pragma once

#include "actors/answer_messages.hpp"
#include "actors/metrics_messages.hpp"
#include "actors/request_messages.hpp"

#include <string>
#include <vector>

namespace mainstay {

using console_words = std::vector<std::string>;

/// Empty where there are fewer.
const std::string& word_at(const console_words&, std::size_t i);
std::uint64_t number_at(const console_words&, std::size_t i);

/// `breakers PROVIDER open|close|auto`.
breaker_order breaker_order_of(const console_words&);

/// `cost [--by model|client|provider|hour] [--days N]`.
struct cost_question {
  ask_costs what;
  std::string by = "model"; // as it was said
};
cost_question cost_question_of(const console_words&, utc_time midnight);

/// What mainstayctl says to warm the cache from a file that it has: `cache warming begin ID`, `lines ID PIECE HEARD
/// (NUMBER TEXT)...`, `look ID HEARD` and `stop ID`; and for anybody `stop`.
warm_ask warm_ask_of(const console_words&);

/// `drill NAME [WHOM] [--for TIME] [--by TIME] [--id ID]`, `look [ID]`, `stop [ID]`; alone it looks. Who gives no id
/// gets one: whom we ask may die of our question and hear it again.
struct drill_wish {
  drill_ask what;
  bool crash_once = false; // nobody said how long: no drill
};
drill_wish drill_wish_of(const console_words&, instant now);

} // namespace mainstay
