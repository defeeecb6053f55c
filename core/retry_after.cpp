// Reads the waits that providers ask for: seconds, milliseconds, spans with units, and dates.
// Strict: a value that is not wholly understood is none, because a wait made up from garbage is worse than our own.
#include "core/retry_after.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace mainstay {
namespace {

constexpr duration longest = 24h;
constexpr std::size_t value_limit = 64; // bytes; no form of ours is longer

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Digits with at most one point among them, taken from the front of `text`; no sign, no exponent.
std::optional<double> take_decimal(std::string_view& text) noexcept {
  std::size_t end = 0, points = 0;
  for (; end < text.size() && (is_digit(text[end]) || text[end] == '.'); ++end) points += text[end] == '.';
  if (end == 0 || points > 1 || !is_digit(text.front()) || !is_digit(text[end - 1])) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + end, value, std::chars_format::fixed);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

std::optional<duration> bounded(double seconds) noexcept {
  const std::chrono::duration<double> span(seconds);
  if (!(span >= duration::zero() && span <= longest)) return std::nullopt;
  return std::chrono::round<duration>(span);
}

std::optional<duration> plain(std::string_view value, double unit) noexcept {
  value = trim(value);
  if (value.size() > value_limit) return std::nullopt;
  const auto number = take_decimal(value);
  return number && value.empty() ? bounded(*number * unit) : std::nullopt;
}

// --- dates ---------------------------------------------------------------------------------------------------------

/// Reads a date piece by piece; the first piece that does not fit makes the whole a failure.
struct reader {
  std::string_view rest;
  bool good = true;

  void expect(std::string_view text) noexcept {
    good = good && rest.substr(0, text.size()) == text;
    if (good) rest.remove_prefix(text.size());
  }
  int digits(std::size_t count) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      good = good && !rest.empty() && is_digit(rest.front());
      if (!good) return 0;
      value = value * 10 + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    return value;
  }
  template <std::size_t N>
  int one_of(const std::array<std::string_view, N>& names) noexcept { // the index, counted from 0
    for (std::size_t i = 0; good && i < N; ++i)
      if (rest.substr(0, names[i].size()) == names[i]) {
        rest.remove_prefix(names[i].size());
        return static_cast<int>(i);
      }
    good = false;
    return 0;
  }
};

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> long_days = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};

struct moment {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

std::optional<utc_time> to_time(const moment& m) noexcept {
  const std::chrono::year_month_day date{std::chrono::year(m.year), std::chrono::month(static_cast<unsigned>(m.month)),
                                         std::chrono::day(static_cast<unsigned>(m.day))};
  if (!date.ok() || m.year < 1970 || m.year > 2200) return std::nullopt;  // within what utc_time can hold
  if (m.hour > 23 || m.minute > 59 || m.second > 60) return std::nullopt; // 60: a leap second
  return std::chrono::sys_days(date) + std::chrono::hours(m.hour) + std::chrono::minutes(m.minute) +
         std::chrono::seconds(m.second);
}

void read_clock(reader& in, moment& m) noexcept {
  m.hour = in.digits(2);
  in.expect(":");
  m.minute = in.digits(2);
  in.expect(":");
  m.second = in.digits(2);
}

/// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<utc_time> imf_fixdate(std::string_view text) noexcept {
  reader in{text};
  moment m;
  in.one_of(days);
  in.expect(", ");
  m.day = in.digits(2);
  in.expect(" ");
  m.month = in.one_of(months) + 1;
  in.expect(" ");
  m.year = in.digits(4);
  in.expect(" ");
  read_clock(in, m);
  in.expect(" GMT");
  return in.good && in.rest.empty() ? to_time(m) : std::nullopt;
}

/// Sunday, 06-Nov-94 08:49:37 GMT; a year more than 50 years ahead is of the century before (RFC 9110 section 5.6.7).
std::optional<utc_time> rfc850_date(std::string_view text, utc_time now) noexcept {
  reader in{text};
  moment m;
  in.one_of(long_days);
  in.expect(", ");
  m.day = in.digits(2);
  in.expect("-");
  m.month = in.one_of(months) + 1;
  in.expect("-");
  const int two_digits = in.digits(2);
  in.expect(" ");
  read_clock(in, m);
  in.expect(" GMT");
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const int this_year = static_cast<int>(today.year());
  m.year = this_year - this_year % 100 + two_digits;
  if (m.year > this_year + 50) m.year -= 100;
  return in.good && in.rest.empty() ? to_time(m) : std::nullopt;
}

/// Sun Nov  6 08:49:37 1994
std::optional<utc_time> asctime_date(std::string_view text) noexcept {
  reader in{text};
  moment m;
  in.one_of(days);
  in.expect(" ");
  m.month = in.one_of(months) + 1;
  in.expect(" ");
  const bool padded = in.rest.substr(0, 1) == " ";
  if (padded) in.expect(" ");
  m.day = in.digits(padded ? 1 : 2);
  in.expect(" ");
  read_clock(in, m);
  in.expect(" ");
  m.year = in.digits(4);
  return in.good && in.rest.empty() ? to_time(m) : std::nullopt;
}

/// 2024-05-01T10:00:00Z, with a fraction or an offset such as +02:00 where the sender likes.
std::optional<utc_time> rfc3339_date(std::string_view text) noexcept {
  reader in{text};
  moment m;
  m.year = in.digits(4);
  in.expect("-");
  m.month = in.digits(2);
  in.expect("-");
  m.day = in.digits(2);
  in.expect("T");
  read_clock(in, m);
  auto time = in.good ? to_time(m) : std::nullopt;
  if (!time) return std::nullopt;
  if (in.rest.substr(0, 1) == ".") { // a fraction of a second is rounded up: never too early
    in.expect(".");
    in.digits(1);
    while (!in.rest.empty() && is_digit(in.rest.front())) in.rest.remove_prefix(1);
    *time += 1s;
  }
  if (in.good && in.rest == "Z") return time;
  const bool ahead = in.rest.substr(0, 1) == "+";
  in.expect(ahead ? "+" : "-");
  const int hours = in.digits(2);
  in.expect(":");
  const int minutes = in.digits(2);
  if (!in.good || !in.rest.empty() || hours > 23 || minutes > 59) return std::nullopt;
  const auto offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return ahead ? *time - offset : *time + offset;
}

std::optional<duration> until(std::optional<utc_time> date, utc_time now) noexcept {
  if (!date) return std::nullopt;
  if (*date <= now) return duration::zero();
  if (*date - now > longest) return std::nullopt;
  return std::chrono::duration_cast<duration>(*date - now);
}

} // namespace

std::optional<duration> parse_retry_after(std::string_view value, utc_time now) {
  value = trim(value);
  if (value.empty() || value.size() > value_limit) return std::nullopt;
  if (is_digit(value.front())) return plain(value, 1);
  auto date = imf_fixdate(value);
  if (!date) date = rfc850_date(value, now);
  if (!date) date = asctime_date(value);
  return until(date, now);
}

std::optional<duration> parse_retry_after_ms(std::string_view value) { return plain(value, 1e-3); }

std::optional<duration> parse_reset_span(std::string_view value) {
  if (const auto seconds = plain(value, 1)) return seconds;
  struct unit {
    std::string_view name;
    double seconds;
  };
  // "ms" before "m": the longer name is tried first where one begins with the other.
  static constexpr unit units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"\xC2\xB5s", 1e-6}, {"ns", 1e-9},
                                   {"d", 86400}, {"h", 3600},  {"m", 60},           {"s", 1}};
  value = trim(value);
  if (value.empty() || value.size() > value_limit) return std::nullopt;
  double total = 0, last = INFINITY;
  while (!value.empty()) {
    const auto number = take_decimal(value);
    if (!number) return std::nullopt;
    const unit* found = nullptr;
    for (const unit& candidate : units)
      if (!found && value.substr(0, candidate.name.size()) == candidate.name) found = &candidate;
    if (!found || found->seconds >= last) return std::nullopt; // each unit once, the largest first
    last = found->seconds;
    total += *number * found->seconds;
    value.remove_prefix(found->name.size());
  }
  return bounded(total);
}

std::optional<duration> parse_reset_date(std::string_view value, utc_time now) { return until(parse_date(value), now); }

std::optional<utc_time> parse_date(std::string_view value) {
  value = trim(value);
  return value.size() <= value_limit ? rfc3339_date(value) : std::nullopt;
}

} // namespace mainstay
