// Header values of callers and providers: none, or within what the rest may rely on.
#include "core/retry_after.hpp"
#include "core/trace_context.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

void check_trace(std::string_view text) {
  const auto trace = read_traceparent(text);
  if (!trace) return;
  MUST((trace->id_high | trace->id_low) != 0 && trace->parent != 0);
  const auto written = traceparent(*trace, trace->parent);
  const auto again = read_traceparent(written);
  MUST(again && again->id_high == trace->id_high && again->id_low == trace->id_low);
  MUST(again->parent == trace->parent && again->sampled == trace->sampled);
  MUST(text.substr(3, 49) == std::string_view(written).substr(3, 49));
}

void check_wait(std::optional<duration> wait) {
  if (wait) MUST(*wait >= duration::zero() && *wait <= 24h);
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  const utc_time now{std::chrono::seconds(1'700'000'000)};
  check_trace(input);
  if (is_tracestate(input)) {
    MUST(!input.empty());
    for (char c : input) MUST(c >= 0x20 && c < 0x7f);
  }
  check_wait(parse_retry_after(input, now));
  check_wait(parse_retry_after_ms(input));
  check_wait(parse_reset_span(input));
  check_wait(parse_reset_date(input, now));
  (void)parse_date(input);
}
