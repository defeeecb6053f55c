#include "actors/quota_words.hpp"

#include "net/json_tree.hpp"
#include "net/json_writer.hpp"

#include <charconv>

namespace mainstay::words {

namespace {

constexpr std::size_t values_of_limit = 16; // room for what later versions add
constexpr std::size_t longest_name = 512;
constexpr std::uint64_t most_amount = std::uint64_t{1} << 48; // core/sliding_log counts no more
constexpr std::uint64_t longest_loan_ms = 60'000;

std::uint64_t incarnation_in(const json::value& head, std::string_view member) {
  const auto found = head.find(member);
  std::uint64_t n = 0;
  if (found) std::from_chars(found->text.data(), found->text.data() + found->text.size(), n);
  return n;
}

/// A list that begins with a name, and its numbers after that; none: it is not that.
std::optional<std::vector<std::uint64_t>> numbers_of(const json::value& row, std::size_t count) {
  if (!row.is(json::kind::array) || row.items.size() < count + 1) return std::nullopt;
  const auto& name = row.items[0];
  if (!name.is(json::kind::string) || name.text.empty() || name.text.size() > longest_name) return std::nullopt;
  std::vector<std::uint64_t> out;
  for (std::size_t i = 1; i <= count; ++i) {
    const auto n = row.items[i].whole();
    if (!n || *n > most_amount) return std::nullopt;
    out.push_back(*n);
  }
  return out;
}

template <class Row>
void each_in(const std::string& text, std::string_view list, std::uint64_t& bad, const Row& row) {
  const auto head = json::parse(text, most_limits * values_of_limit);
  const auto* rows = head ? head->find(list) : nullptr;
  if (!rows || !rows->is(json::kind::array)) {
    ++bad;
    return;
  }
  for (const auto& r : rows->items)
    if (!row(*head, r)) ++bad;
}

} // namespace

std::string word(const quota_word& w) {
  json_writer j;
  j.open().member("of", std::to_string(w.of)).member("knew", w.knew).close();
  return j.text();
}

std::optional<quota_word> word_in(const std::string& text) {
  const auto head = json::parse(text, values_of_limit);
  const auto* knew = head ? head->find("knew") : nullptr;
  if (!knew || !knew->is(json::kind::boolean)) return std::nullopt;
  return quota_word{incarnation_in(*head, "of"), knew->text == "true"};
}

std::string asks(const std::vector<named_ask>& all) {
  json_writer j;
  j.open().member("by", std::to_string(all.empty() ? 0 : all.front().second.incarnation));
  j.list("asks", all, [&](const named_ask& n) {
    const auto& a = n.second;
    j.open_list().value(n.first).value(a.seq).value(a.holding).value(a.want).value(a.first).value(a.least);
    j.value(a.spare).value(std::uint64_t{a.collect}).close_list();
  });
  j.close();
  return j.text();
}

std::string grants(const std::vector<named_grant>& all) {
  json_writer j;
  j.open().member("to", std::to_string(all.empty() ? 0 : all.front().second.incarnation));
  j.list("grants", all, [&](const named_grant& n) {
    const auto& g = n.second;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(g.valid_for).count();
    j.open_list().value(n.first).value(g.seq).value(g.amount).value(static_cast<std::uint64_t>(ms));
    j.value(g.held).value(g.held_seq).close_list();
  });
  j.close();
  return j.text();
}

std::vector<named_ask> asks_in(const std::string& head, std::uint64_t& bad) {
  std::vector<named_ask> out;
  each_in(head, "asks", bad, [&](const json::value& whole, const json::value& row) {
    const auto n = numbers_of(row, 7);
    if (!n || out.size() == most_limits) return false;
    const auto& v = *n;
    out.emplace_back(row.items[0].text,
                     quota_ask{incarnation_in(whole, "by"), v[0], v[1], v[2], v[3], v[4], v[5], v[6] != 0});
    return true;
  });
  return out;
}

std::vector<named_grant> grants_in(const std::string& head, std::uint64_t& bad) {
  std::vector<named_grant> out;
  each_in(head, "grants", bad, [&](const json::value& whole, const json::value& row) {
    const auto n = numbers_of(row, 5);
    if (!n || (*n)[2] > longest_loan_ms || out.size() == most_limits) return false;
    const auto& v = *n;
    out.emplace_back(row.items[0].text,
                     quota_grant{incarnation_in(whole, "to"), v[0], v[1], std::chrono::milliseconds{v[2]}, v[3], v[4]});
    return true;
  });
  return out;
}

} // namespace mainstay::words
