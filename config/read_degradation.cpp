// The section `degradation`: when a model is degraded, and canned answers, in one language or several.
#include "config/sections.hpp"
#include "core/message_language.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::size_t longest_answer = 16384; // a sentence or a page, not a book

std::optional<std::string> read_sentence(const cursor& at) {
  auto read = at.text();
  if (!read) return std::nullopt;
  if (read->text.empty())
    at.error("is empty");
  else if (read->text.size() > longest_answer)
    at.error("is longer than 16384 bytes");
  else if (read->text.find('\0') != std::string::npos)
    at.error("holds a NUL byte");
  else
    return std::move(read->text);
  return std::nullopt;
}

// The first one is for every language that is not there, unless there is one in English.
void read_language(const std::string& code, const cursor& at, localized_text& out) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (code.size() < 2 || code.size() > 3 || !std::all_of(code.begin(), code.end(), is_letter))
    return at.error("stands under no language: write en, de, zh and so on");
  const auto& known = known_languages();
  if (!out.empty() && std::find(known.begin(), known.end(), code) == known.end())
    at.warn("is never used: messages in that language are not recognised");
  if (auto text = read_sentence(at)) out.by_language.emplace_back(code, std::move(*text));
}

void read_canned_text(const section& s, std::string_view key, localized_text& out) {
  const auto* at = s.find(key);
  if (!at) return;
  if (!at->is_mapping()) {
    if (auto text = read_sentence(*at)) out.by_language.emplace_back("", std::move(*text));
    return;
  }
  const section languages(*at);
  if (languages.entries().empty()) at->error("is empty: give a text, or one for each language");
  for (const auto& [code, one] : languages.entries()) read_language(code, one, out);
}

canned_answers read_canned(const cursor& at) {
  canned_answers out;
  const section s(at, {"general", "greeting", "urgent"});
  s.need("general");
  read_canned_text(s, "general", out.general);
  read_canned_text(s, "greeting", out.greeting);
  read_canned_text(s, "urgent", out.urgent);
  return out;
}

model_ranking_settings read_model_ranking(const cursor& at) {
  model_ranking_settings out;
  const section s(at, {"check_interval", "min_calls", "success_rate", "latency", "rebalance_every"});
  s.time("check_interval", out.check_interval, 1ms, 24h);
  s.whole("min_calls", out.min_calls, 1, 1'000'000);
  s.number("success_rate", out.success_rate, 0, 1);
  s.time("latency", out.latency, 1ms, 24h);
  s.whole("rebalance_every", out.rebalance_every, 1, 1'000'000);
  if (out.min_calls > out.rebalance_every)
    at.error("min_calls (" + std::to_string(out.min_calls) + ") is more than rebalance_every (" +
             std::to_string(out.rebalance_every) + "), after which counting begins anew");
  return out;
}

} // namespace

degradation_settings read_degradation(const cursor& at, bool a_client_allows_it) {
  degradation_settings out;
  const section s(at, {"model", "canned"});
  if (const auto* c = s.find("model")) out.model = read_model_ranking(*c);
  if (const auto* c = s.find("canned")) {
    out.canned = read_canned(*c);
    if (!a_client_allows_it) c->warn("is never given: no client has `canned: true`");
  }
  return out;
}

} // namespace mainstay::config
