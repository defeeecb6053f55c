#include "actors/console_orders.hpp"

#include "actors/console_values.hpp"
#include "config/units.hpp"

#include <charconv>
#include <map>

namespace mainstay {

namespace {

constexpr auto how_to_drill = "say: drill provider_down|rate_limit|slow PROVIDER, drill redis_frozen or drill "
                              "crash ACTOR, with --for TIME, slow and rate_limit with --by TIME; drill stop";

/// True: it is said how long the drill is to last.
bool drill_options(const console_words& words, drill_order& o) {
  std::size_t i = 2;
  if (o.what != drill_kind::redis_frozen) o.whom = word_at(words, i++);
  bool lasts = false, ok = !o.whom.empty() || o.what == drill_kind::redis_frozen;
  for (; i < words.size(); i += 2) {
    const auto time = config::parse_duration(word_at(words, i + 1));
    if (words[i] == "--id")
      o.id = word_at(words, i + 1);
    else if (words[i] == "--for" && time)
      o.length = *time, lasts = true;
    else if (words[i] == "--by" && time && drill_order::takes_by(o.what))
      o.by = *time;
    else
      ok = false;
  }
  if (!ok) throw console_error(how_to_drill);
  return lasts;
}

} // namespace

const std::string& word_at(const console_words& words, std::size_t i) {
  static const std::string none;
  return i < words.size() ? words[i] : none;
}

std::uint64_t number_at(const console_words& words, std::size_t i) {
  std::uint64_t n = 0;
  auto& text = word_at(words, i);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) throw console_error("a number is missing");
  return n;
}

breaker_order breaker_order_of(const console_words& words) {
  const auto& what = word_at(words, 2);
  if (what == "open") return {provider_breaker::order::open};
  if (what == "close") return {provider_breaker::order::close};
  if (what == "auto") return {provider_breaker::order::automatic};
  throw console_error("say: breakers PROVIDER open|close|auto");
}

cost_question cost_question_of(const console_words& words, utc_time midnight) {
  cost_question q;
  std::uint64_t days = 1;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    if (words[i] == "--by")
      q.by = word_at(words, i + 1);
    else if (words[i] == "--days")
      days = number_at(words, i + 1);
    else
      throw console_error("say: cost [--by model|client|provider|hour] [--days N]");
  }
  static const std::map<std::string, cost_ledger::by> groups{{"model", cost_ledger::by::model},
                                                             {"client", cost_ledger::by::client},
                                                             {"provider", cost_ledger::by::provider},
                                                             {"hour", cost_ledger::by::hour}};
  const auto group = groups.find(q.by);
  if (group == groups.end()) throw console_error("--by takes model, client, provider or hour");
  const auto kept = std::chrono::floor<std::chrono::days>(cost_ledger::kept_for).count();
  if (days < 1 || days > static_cast<std::uint64_t>(kept))
    throw console_error("--days takes 1 to " + std::to_string(kept) + ": older hours are not kept");
  q.what.group = group->second;
  q.what.from = midnight - std::chrono::days(days - 1);
  return q;
}

warm_ask warm_ask_of(const console_words& words) {
  warm_ask q;
  q.id = word_at(words, 3);
  const auto& what = word_at(words, 2);
  if (what == "begin" && !q.id.empty()) {
    q.what = warm_ask::way::begin;
  } else if (what == "lines") {
    q.what = warm_ask::way::lines;
    q.piece = number_at(words, 4);
    q.heard = number_at(words, 5);
    auto lines = std::make_shared<warm_ask::numbered>();
    for (std::size_t i = 6; i + 1 < words.size(); i += 2) lines->emplace_back(number_at(words, i), words[i + 1]);
    q.lines = std::move(lines);
  } else if (what == "look" || what.empty()) {
    if (!q.id.empty()) q.heard = number_at(words, 4);
  } else if (what == "stop") {
    q.what = warm_ask::way::stop;
  } else {
    throw console_error("say: cache warming [stop]");
  }
  return q;
}

drill_wish drill_wish_of(const console_words& words, instant now) {
  drill_wish wish;
  auto& [what, order] = wish.what;
  const auto& first = word_at(words, 1);
  const auto kind = drill_named(first);
  if (first == "stop" || first == "look" || first.empty()) {
    what = first == "stop" ? drill_ask::way::stop : drill_ask::way::look;
    order.id = word_at(words, 2);
  } else if (kind) {
    what = drill_ask::way::begin;
    order.what = *kind;
    order.id = std::to_string(now.time_since_epoch().count());
    wish.crash_once = !drill_options(words, order) && kind == drill_kind::crash;
  } else {
    throw console_error(how_to_drill);
  }
  return wish;
}

} // namespace mainstay
