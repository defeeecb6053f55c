// The table of rules: per failure class its label, whose fault it is, where the next attempt may go, what it counts
// for. Row by row in the order of the enum; what decides the class of an error answer is in failure_classifier.cpp.
#include "core/failure.hpp"

#include <array>

namespace mainstay {
namespace {

struct row {
  failure_class what;
  std::string_view label;
  failure_rules rules;
};

using enum failure_class;
constexpr bool yes = true, no = false;

// clang-format off
constexpr std::array<row, failure_class_count> table{{
    //                                                      other  same    other   model    endpoint
    //                                       whose          key    target  target  circuit  circuit
    {caller_fault,       "caller_fault",       {blame::caller,  no,    no,     no,     no,      no}},
    {auth,               "auth",               {blame::key,     yes,   no,     yes,    no,      no}},
    {quota_spent,        "quota_spent",        {blame::key,     yes,   no,     yes,    no,      no}},
    {rate_limited,       "rate_limited",       {blame::key,     yes,   yes,    yes,    no,      no}},
    // A wrong name says nothing about the health of the provider, and callers can ask for any name through a pattern.
    {model_missing,      "model_missing",      {blame::target,  no,    no,     yes,    no,      no}},
    // Nor does what a model cannot do at all.
    {unsupported_feature, "unsupported_feature", {blame::nobody, no,  no,     yes,    no,      no}},
    {context_length,     "context_length",     {blame::caller,  no,    no,     yes,    no,      no}},
    {content_filter,     "content_filter",     {blame::caller,  no,    no,     no,     no,      no}},
    {overloaded,         "overloaded",         {blame::target,  no,    yes,    yes,    yes,     no}},
    {server_error,       "server_error",       {blame::target,  no,    yes,    yes,    yes,     no}},
    // May be a blip of the resolver or the route: worth asking again.
    {dns_failed,         "dns_failed",         {blame::network, no,    yes,    yes,    no,      yes}},
    {connect_failed,     "connect_failed",     {blame::network, no,    yes,    yes,    no,      yes}},
    {reset,              "reset",              {blame::network, no,    yes,    yes,    no,      yes}},
    {connect_timeout,    "connect_timeout",    {blame::network, no,    yes,    yes,    no,      yes}},
    // A silent target is not asked twice: the second silence would cost the caller as much time as the first.
    {first_byte_timeout, "first_byte_timeout", {blame::target,  no,    no,     yes,    yes,     no}},
    {idle_timeout,       "idle_timeout",       {blame::target,  no,    no,     yes,    yes,     no}},
    {total_timeout,      "total_timeout",      {blame::target,  no,    no,     yes,    yes,     no}},
    // The endpoint took the connection and answered: what broke is that model's answer.
    {truncated,          "truncated",          {blame::network, no,    yes,    yes,    yes,     no}},
    {malformed,          "malformed",          {blame::target,  no,    yes,    yes,    yes,     no}},
    {cancelled,          "cancelled",          {blame::nobody,  no,    no,     no,     no,      no}},
    {deadline,           "deadline",           {blame::nobody,  no,    no,     no,     no,      no}},
}};
// clang-format on

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (static_cast<std::size_t>(table[i].what) != i) return false;
  return true;
}
static_assert(in_order(), "one row per failure class, in the order of the enum");

const row& row_of(failure_class what) noexcept {
  const auto index = static_cast<std::size_t>(what);
  return table[index < table.size() ? index : static_cast<std::size_t>(server_error)];
}

} // namespace

std::string_view to_string(failure_class what) noexcept { return row_of(what).label; }

std::optional<failure_class> failure_named(std::string_view label) noexcept {
  for (const auto& r : table)
    if (r.label == label) return r.what;
  return std::nullopt;
}

const failure_rules& rules_of(failure_class what) noexcept { return row_of(what).rules; }

} // namespace mainstay
