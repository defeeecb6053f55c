// The section `tiers`: changes to the shipped table, tier by tier and row by row.
#include "config/sections.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay::config {
namespace {

/// Given again, a limit replaces the shipped one; `none` takes it away.
template <class T>
void read_or_none(const section& s, std::string_view key, std::optional<T>& out, std::uint64_t most) {
  const auto* c = s.find(key);
  if (!c) return;
  if (c->node().IsScalar() && c->node().Scalar() == "none")
    out.reset();
  else if (const auto value = c->whole(1, most))
    out = static_cast<T>(*value);
}

limit_set read_row(const cursor& at) {
  limit_set row;
  if (!at.is_mapping()) {
    if (at.choice<bool>({{"unavailable", true}})) row.unavailable = true;
    return row;
  }
  const section s(at, {"rpm", "rps", "tpm"});
  read_limits(s, row);
  if (s.valid() && row.none()) at.error("gives no limit: add rpm, rps or tpm, or write unavailable");
  return row;
}

void read_models(const cursor& at, tier_limits& out) {
  std::vector<std::pair<std::string, limit_set>> rows;
  const section patterns(at);
  for (const auto& [pattern, where] : patterns.entries()) {
    if (pattern.empty()) where.error("the pattern is empty");
    rows.emplace_back(pattern, read_row(where));
  }
  for (auto& shipped : out.models) // those that stay come after what the file says
    if (std::none_of(rows.begin(), rows.end(), [&](const auto& r) { return r.first == shipped.first; }))
      rows.push_back(std::move(shipped));
  out.models = std::move(rows);
}

} // namespace

void read_tiers(const cursor& at, tier_table& table) {
  const section numbers(at);
  for (const auto& [name, where] : numbers.entries()) {
    int number = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (wrong != std::errc{} || end != name.data() + name.size() || number < 1 || number > 99) {
      where.error("a tier is a number from 1 to 99");
      continue;
    }
    const section s(where, {"rpm", "rps", "tpm", "concurrency", "monthly_requests", "models"});
    auto& tier = table[number];
    read_or_none(s, "rpm", tier.all.rpm, 1'000'000'000);
    read_or_none(s, "rps", tier.all.rps, 1'000'000'000);
    read_or_none(s, "tpm", tier.all.tpm, 1'000'000'000'000);
    read_or_none(s, "concurrency", tier.all.concurrency, 1'000'000);
    read_or_none(s, "monthly_requests", tier.all.monthly, 1'000'000'000'000);
    if (const auto* c = s.find("models")) read_models(*c, tier);
  }
}

} // namespace mainstay::config
