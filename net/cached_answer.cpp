#include "net/cached_answer.hpp"

#include <charconv>

namespace mainstay {

namespace {

// What a utc_time can hold: the year 2262.
constexpr std::int64_t latest_birth =
    std::chrono::duration_cast<std::chrono::milliseconds>(utc_time::max().time_since_epoch()).count();

template <class Number>
bool take(std::string_view& from, Number& out, char after) {
  const auto [end, wrong] = std::from_chars(from.data(), from.data() + from.size(), out);
  const auto read = static_cast<std::size_t>(end - from.data());
  if (wrong != std::errc{} || read >= from.size() || *end != after) return false;
  from.remove_prefix(read + 1);
  return true;
}

} // namespace

std::string to_text(const cached_answer& a) {
  const auto born = std::chrono::duration_cast<std::chrono::milliseconds>(a.born.time_since_epoch()).count();
  auto out = std::to_string(born) + ' ' + std::to_string(a.cost) + '\n';
  out.reserve(out.size() + a.completion->size());
  return out += *a.completion;
}

cached_answer read_cached_answer(std::string_view text) {
  std::int64_t born = 0;
  cached_answer out;
  if (!take(text, born, ' ') || !take(text, out.cost, '\n') || born < 0 || born > latest_birth) return {};
  out.born = utc_time(std::chrono::duration_cast<utc_time::duration>(std::chrono::milliseconds(born)));
  out.completion = make_bytes(std::string(text));
  return out;
}

} // namespace mainstay
