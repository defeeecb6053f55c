#include "actors/peer_news_words.hpp"

#include "core/failure.hpp"
#include "net/json_tree.hpp"
#include "net/json_writer.hpp"

#include <algorithm>

namespace mainstay::words {

namespace {

constexpr std::size_t values_of_a_word = 16; // of this version or a later one
constexpr std::size_t longest_name = 256;
constexpr std::uint64_t longest_ms = 24ull * 60 * 60 * 1000;
constexpr std::string_view states[] = {"closed", "half-open", "open"};

std::uint64_t left(instant until, instant now) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(until - now).count();
  return std::clamp<std::uint64_t>(ms > 0 ? static_cast<std::uint64_t>(ms) : 0, 0, longest_ms);
}

/// Calls `hear` with each word; what it refuses is counted. None: this is no list of words.
template <class Hear>
std::optional<std::uint64_t> each_in(const std::string& head, Hear hear) {
  const auto all = json::parse(head, most_words * values_of_a_word);
  const auto* list = all ? all->find("news") : nullptr;
  if (!list || !list->is(json::kind::array) || list->items.size() > most_words) return std::nullopt;
  std::uint64_t bad = 0;
  for (const auto& word : list->items) bad += !hear(word);
  return bad;
}

bool text(const json::value& word, std::string_view member, std::string& out) {
  const auto* found = word.find(member);
  if (!found) return true;
  out = found->string_or_empty();
  return found->is(json::kind::string) && out.size() <= longest_name;
}

/// The class of a failure; of one that this version does not know, nothing.
bool reason(const json::value& word, std::string& out) {
  if (!text(word, "why", out)) return false;
  if (!failure_named(out)) out.clear();
  return true;
}

bool time(const json::value& word, std::string_view member, instant now, instant& out) {
  const auto* found = word.find(member);
  if (!found) return true;
  const auto ms = found->whole();
  if (!ms || *ms > longest_ms) return false;
  out = now + std::chrono::milliseconds(*ms);
  return true;
}

} // namespace

std::string circuits(const std::vector<circuit_word>& all, instant now) {
  json_writer w;
  w.open().list("news", all, [&](const circuit_word& c) {
    w.open().member("provider", c.provider);
    if (!c.model.empty()) w.member("model", c.model);
    if (!c.way.empty()) w.member("way", c.way);
    w.member("state", states[static_cast<std::size_t>(c.state)]);
    if (c.state == circuit_state::open) w.member("left_ms", left(c.until, now)).member("why", c.why);
    w.close();
  });
  return w.close().text();
}

std::optional<heard_circuits> circuits_in(const std::string& head, const std::string& from, instant now) {
  heard_circuits out;
  const auto bad = each_in(head, [&](const json::value& word) {
    circuit_word c;
    c.from = from;
    c.until = now;
    std::string state;
    if (!text(word, "provider", c.provider) || !text(word, "model", c.model) || !text(word, "way", c.way) ||
        !text(word, "state", state) || !reason(word, c.why) || !time(word, "left_ms", now, c.until))
      return false;
    const auto* found = std::find(std::begin(states), std::end(states), state);
    if (found == std::end(states)) return false;
    c.state = static_cast<circuit_state>(found - std::begin(states));
    out.good.push_back(std::move(c));
    return true;
  });
  if (!bad) return std::nullopt;
  out.bad = *bad;
  return out;
}

std::string keys(const std::vector<key_word>& all, const std::function<std::string(const std::string&)>& mark_of,
                 instant now) {
  json_writer w;
  w.open().list("news", all, [&](const key_word& k) {
    w.open().member("key", k.key).member("secret", mark_of(k.key)).member("disabled", k.disabled);
    w.member("left_ms", left(k.until, now)).member("why", k.why).close();
  });
  return w.close().text();
}

std::optional<heard_keys> keys_in(const std::string& head, const std::string& from, instant now) {
  heard_keys out;
  const auto bad = each_in(head, [&](const json::value& word) {
    heard_key k;
    k.word.from = from;
    k.word.until = now;
    const auto* disabled = word.find("disabled");
    if (disabled && !disabled->is(json::kind::boolean)) return false;
    k.word.disabled = disabled && disabled->text == "true";
    if (!text(word, "key", k.word.key) || !text(word, "secret", k.mark) || !reason(word, k.word.why) ||
        !time(word, "left_ms", now, k.word.until) || k.mark.empty())
      return false;
    out.good.push_back(std::move(k));
    return true;
  });
  if (!bad) return std::nullopt;
  out.bad = *bad;
  return out;
}

} // namespace mainstay::words
