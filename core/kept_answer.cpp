#include "core/kept_answer.hpp"

#include <algorithm>
#include <array>

namespace mainstay {

namespace {

// 4xx that are not about the request itself: the caller left, waited too long or came too often, or is asked to come
// again.
constexpr std::array not_the_callers_fault{408, 425, 429, 499};

constexpr std::array<std::string_view, 3> stand_ins{"stale", "similar", "canned"};

std::string_view header(const kept_answer& a, std::string_view name) noexcept {
  for (auto& [n, value] : a.headers)
    if (n == name) return value;
  return {};
}

template <class List, class Value>
bool among(const List& list, const Value& v) {
  return std::find(list.begin(), list.end(), v) != list.end();
}

} // namespace

std::size_t kept_answer::bytes() const noexcept {
  std::size_t n = sizeof *this + (body ? body->size() : 0);
  for (auto& [name, value] : headers) n += name.size() + value.size();
  return n;
}

bool settles(const kept_answer& a) noexcept {
  if (a.status >= 200 && a.status < 300)
    return !among(stand_ins, header(a, "x-mainstay-source")) && header(a, "x-mainstay-reason") != "partial";
  return a.status >= 400 && a.status < 500 && !among(not_the_callers_fault, a.status);
}

/// 401: the client was revoked meanwhile, and may be back when the key is used again.
bool may_be_repeated(const kept_answer& a) noexcept {
  return settles(a) && a.status != 401 && header(a, "x-mainstay-degraded") != "true";
}

} // namespace mainstay
