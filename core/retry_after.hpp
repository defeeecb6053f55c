// How long a provider asks us to wait, read from the headers the field uses.
#pragma once

#include "core/clock.hpp"

#include <optional>
#include <string_view>

namespace mainstay {

/// `retry-after`: seconds ("2", "0.5") or an HTTP-date (RFC 9110 section 10.2.3, all three forms of section 5.6.7).
/// A date in the past is zero; garbage, negative and absurd (over 24 h) values are none. `now` is UTC, for dates.
std::optional<duration> parse_retry_after(std::string_view value, utc_time now);

/// `retry-after-ms`: milliseconds ("1500").
std::optional<duration> parse_retry_after_ms(std::string_view value);

/// `x-ratelimit-reset-requests` / `-tokens`: "1s", "6m0s", "250ms", "1h2m3.5s", or plain seconds ("12").
std::optional<duration> parse_reset_span(std::string_view value);

/// `anthropic-ratelimit-*-reset`: an RFC 3339 date ("2024-05-01T10:00:00Z"). Past, garbage and absurd as in
/// retry-after.
std::optional<duration> parse_reset_date(std::string_view value, utc_time now);

/// An RFC 3339 date as it stands; a fraction of a second is rounded up.
std::optional<utc_time> parse_date(std::string_view value);

} // namespace mainstay
