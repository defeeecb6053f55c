#include "actors/client_orders.hpp"

#include "actors/console_values.hpp"
#include "config/spelling.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <sstream>

namespace mainstay {

namespace {

constexpr auto how_to =
    "say: clients create NAME [--models A,B] [--rpm N] [--rps N] [--tpm N] [--concurrency N] [--daily-usd X] "
    "[--priority P] [--max-priority P] [--address-rpm N] [--address-concurrency N] [--partial tools,json] "
    "[--canned yes] [--region R], clients rotate NAME [--keep TIME], clients revoke NAME or clients restore NAME";
constexpr std::uint64_t most_requests = 1'000'000'000, most_tokens = 1'000'000'000'000;

template <class Number>
Number number_said(const std::string& option, const std::string& text, std::uint64_t most) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size() || n < 1 || n > most)
    throw console_error(option + " takes a number from 1 to " + std::to_string(most));
  return static_cast<Number>(n);
}

std::vector<std::string> list_said(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');) out.push_back(one);
  return out;
}

std::vector<std::string> models_said(const std::string& text, const config::settings& s) {
  auto out = list_said(text);
  if (out.empty() || !std::all_of(out.begin(), out.end(), [](auto& name) { return config::is_name(name); }))
    throw console_error("--models takes names with a comma between them");
  for (const auto& name : out)
    if (name.find_first_of("*?") == name.npos && !s.model(name)) throw console_error("there is no model named " + name);
  return out;
}

double dollars_said(const std::string& text, const config::settings& s) {
  double usd = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), usd);
  if (error != std::errc{} || end != text.data() + text.size() || !(usd >= 0 && usd <= 1e9))
    throw console_error("--daily-usd takes an amount from 0 to 1000000000");
  if (!s.prices) throw console_error("a budget needs the section prices: without it nobody knows what a call costs");
  return usd;
}

priority level_said(const std::string& word) {
  const auto level = priority_named(word);
  if (!level) throw console_error("a priority is high, normal or low");
  return *level;
}

feature_set partial_said(const std::string& text) {
  const auto named = features_named(text);
  if (!named) throw console_error("--partial takes tools, json or both, with a comma between them");
  return *named;
}

bool yes_said(const std::string& option, const std::string& word) {
  if (word != "yes" && word != "no") throw console_error(option + " takes yes or no");
  return word == "yes";
}

std::string region_said(const std::string& region, const config::settings& s) {
  for (const auto& p : s.providers)
    if (!region.empty() && p.stands_in(region)) return region;
  throw console_error("no provider stands in the region " + region);
}

client_terms terms_said(const std::vector<std::string>& words, const config::settings& s) {
  client_terms t;
  using text = const std::string&;
  const auto requests = [](std::optional<std::uint32_t>& to, text option) {
    return [&to, option](text n) { to = number_said<std::uint32_t>(option, n, most_requests); };
  };
  const std::map<std::string, std::function<void(text)>> options{
      {"--models", [&](text w) { t.models = models_said(w, s); }},
      {"--rpm", requests(t.limits.rpm, "--rpm")},
      {"--rps", requests(t.limits.rps, "--rps")},
      {"--tpm", [&](text w) { t.limits.tpm = number_said<std::uint64_t>("--tpm", w, most_tokens); }},
      {"--concurrency", requests(t.limits.concurrency, "--concurrency")},
      {"--address-rpm", requests(t.per_address.rpm, "--address-rpm")},
      {"--address-concurrency", requests(t.per_address.concurrency, "--address-concurrency")},
      {"--daily-usd", [&](text w) { t.daily_usd = dollars_said(w, s); }},
      {"--priority", [&](text w) { t.level = level_said(w); }},
      {"--max-priority", [&](text w) { t.highest = level_said(w); }},
      {"--partial", [&](text w) { t.partial = partial_said(w); }},
      {"--canned", [&](text w) { t.canned = yes_said("--canned", w); }},
      {"--region", [&](text w) { t.region = region_said(w, s); }},
  };
  for (std::size_t i = 3; i + 1 < words.size(); i += 2) {
    const auto option = options.find(words[i]);
    if (option == options.end()) throw console_error("unknown option " + words[i]);
    option->second(words[i + 1]);
  }
  if (t.level && t.highest && *t.level < *t.highest) throw console_error("--priority is above --max-priority");
  return t;
}

duration grace_said(const std::vector<std::string>& words) {
  constexpr auto longest = 30 * 24h;
  if (words.size() == 3) return {};
  const auto time = config::parse_duration(words[4]);
  if (words.size() != 5 || words[3] != "--keep" || !time || *time > longest)
    throw console_error("--keep takes a time from 0s to 720h: so long the key of before stays good");
  return *time;
}

} // namespace

client_order client_order_of(const std::vector<std::string>& words, const config::settings& s) {
  static const std::map<std::string, client_order::way> ways{{"create", client_order::way::create},
                                                             {"rotate", client_order::way::rotate},
                                                             {"revoke", client_order::way::revoke},
                                                             {"restore", client_order::way::restore}};
  if (words.size() > 1 && words[1] == "hash")
    throw console_error("mainstayctl does it, with no node asked: say it to one that knows how");
  const auto way = words.size() < 3 ? ways.end() : ways.find(words[1]);
  if (way == ways.end() || words[2].empty() || words.size() % 2 == 0) throw console_error(how_to);
  client_order o;
  o.what = way->second;
  o.name = words[2];
  const bool creates = o.what == client_order::way::create, rotates = o.what == client_order::way::rotate;
  if (!creates && !rotates && words.size() > 3) throw console_error(how_to);
  if (creates) o.terms = terms_said(words, s);
  if (rotates) o.keep = grace_said(words);
  if (creates && (!config::is_name(o.name) || o.name == "local" || o.name == "console"))
    throw console_error("a name is 1 to 256 printable ASCII characters without blanks at its ends, and neither local "
                        "nor console");
  return o;
}

} // namespace mainstay
