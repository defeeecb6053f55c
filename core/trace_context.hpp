// W3C Trace Context, level 2 (https://www.w3.org/TR/trace-context-2/): what a caller says of the trace that its request
// is a part of, and what the providers are told. Pure: random numbers are given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

using span_id = std::uint64_t; // never 0

struct trace_context {
  static constexpr std::size_t longest_state = 512; // bytes of tracestate that are passed on

  std::uint64_t id_high = 0, id_low = 0; // never both 0
  span_id parent = 0;                    // the caller's span; 0: the trace begins here
  span_id root = 0;                      // of this request
  bool sampled = false;
  std::string state; // the caller's tracestate, as it came

  std::string trace_id() const; // 32 hex digits
};

/// 16 hex digits.
std::string hex(span_id);

/// Of a `traceparent` header; none where it is not valid, which the standard says to take for none at all. Of versions
/// later than 00 the known part is read.
std::optional<trace_context> read_traceparent(std::string_view) noexcept;
/// May it be passed on? Printable ASCII, and not empty.
bool is_tracestate(std::string_view) noexcept;
/// The value for a call that is span `own` of that trace.
std::string traceparent(const trace_context&, span_id own);

/// The span of that attempt: always the same, and never that of another attempt. `run`: other for each run of the
/// trace.
span_id span_of_attempt(span_id run, unsigned attempt) noexcept;
/// Its other spans, numbered by whoever tells of them.
span_id span_of_part(span_id run, unsigned part) noexcept;

/// Head sampling by the trace's id, so that all who take part in a trace decide alike (OpenTelemetry's
/// TraceIdRatioBased: the lower 56 bits against the ratio).
bool in_sample(const trace_context&, double ratio) noexcept;

} // namespace mainstay
