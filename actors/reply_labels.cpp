#include "actors/reply_labels.hpp"

#include "core/retry_after.hpp"
#include "net/chat_answer.hpp"

#include <charconv>

namespace mainstay {

namespace {

std::string seconds_text(duration d) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  auto out = std::to_string(ms / 1000);
  if (auto rest = ms % 1000; rest != 0) out.append(1, '.').append(std::to_string(1000 + rest), 1);
  return out + "s";
}

void add_client_limits(header_list& out, const client_admission& a) {
  if (a.limit_requests) {
    out.emplace_back("x-ratelimit-limit-requests", std::to_string(*a.limit_requests));
    out.emplace_back("x-ratelimit-remaining-requests", std::to_string(a.remaining_requests.value_or(0)));
    out.emplace_back("x-ratelimit-reset-requests", seconds_text(a.reset_requests));
  }
  if (a.limit_tokens) {
    out.emplace_back("x-ratelimit-limit-tokens", std::to_string(*a.limit_tokens));
    out.emplace_back("x-ratelimit-remaining-tokens", std::to_string(a.remaining_tokens.value_or(0)));
    out.emplace_back("x-ratelimit-reset-tokens", seconds_text(a.reset_tokens));
  }
}

std::optional<std::uint64_t> number_in(const header_list& headers, std::string_view name) {
  auto* text = find_header(headers, name);
  std::uint64_t n = 0;
  if (!text) return std::nullopt;
  auto end = text->data() + text->size();
  auto [p, err] = std::from_chars(text->data(), end, n);
  if (err != std::errc{} || p != end) return std::nullopt;
  return n;
}

std::optional<duration> span_in(const header_list& headers, std::string_view name) {
  auto* text = find_header(headers, name);
  return text ? parse_reset_span(*text) : std::nullopt;
}

std::optional<duration> date_in(const header_list& headers, std::string_view name) {
  auto* text = find_header(headers, name);
  return text ? parse_reset_date(*text, std::chrono::system_clock::now()) : std::nullopt;
}

/// "tools, json, logit_bias"; the names are the caller's own, and may be many.
std::string without_what(const answer_labels& labels) {
  constexpr std::size_t enough = 1000; // bytes
  auto out = to_string(labels.dropped);
  for (const auto& name : labels.left_out) {
    if (!out.empty()) out += ", ";
    if (out.size() + name.size() > enough) return out += "...";
    out += name;
  }
  return out;
}

} // namespace

std::string latency_text(duration took) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

header_list client_limits(const run_record& rec) {
  header_list out;
  if (rec.admission) add_client_limits(out, *rec.admission);
  return out;
}

header_list headers_for(const run_record& rec, const answer_labels& labels, instant now) {
  header_list out;
  out.reserve(14);
  out.emplace_back("x-request-id", rec.in.id);
  if (!labels.source.empty()) out.emplace_back("x-mainstay-source", labels.source);
  if (!labels.provider.empty()) out.emplace_back("x-mainstay-provider", labels.provider);
  if (!labels.model.empty()) out.emplace_back("x-mainstay-model", labels.model);
  out.emplace_back("x-mainstay-attempts", std::to_string(labels.attempts));
  out.emplace_back("x-mainstay-latency-ms", latency_text(now - rec.in.received));
  out.emplace_back("x-mainstay-degraded", labels.degraded ? "true" : "false");
  if (labels.degraded && !labels.reason.empty()) out.emplace_back("x-mainstay-reason", labels.reason);
  if (auto without = without_what(labels); !without.empty()) out.emplace_back("x-mainstay-dropped", std::move(without));
  if (!labels.node.empty()) out.emplace_back("x-mainstay-node", labels.node);
  if (labels.final_failure) out.emplace_back("x-should-retry", "false");
  if (labels.retry_after_seconds) out.emplace_back("retry-after", std::to_string(*labels.retry_after_seconds));
  if (rec.admission) add_client_limits(out, *rec.admission);
  return out;
}

bytes_ptr error_bytes(const final_answer& a) { return make_bytes(error_body(a.message, a.type, a.code, a.param)); }

std::optional<governor::provider_limits> limits_in(const header_list& headers, const std::string& key,
                                                   const std::string& model) {
  governor::provider_limits l;
  l.remaining_requests = number_in(headers, "x-ratelimit-remaining-requests");
  l.remaining_tokens = number_in(headers, "x-ratelimit-remaining-tokens");
  if (l.remaining_requests || l.remaining_tokens) {
    l.limit_requests = number_in(headers, "x-ratelimit-limit-requests");
    l.limit_tokens = number_in(headers, "x-ratelimit-limit-tokens");
    l.reset_requests = span_in(headers, "x-ratelimit-reset-requests");
    l.reset_tokens = span_in(headers, "x-ratelimit-reset-tokens");
  } else { // as Anthropic writes it
    l.remaining_requests = number_in(headers, "anthropic-ratelimit-requests-remaining");
    l.limit_requests = number_in(headers, "anthropic-ratelimit-requests-limit");
    l.reset_requests = date_in(headers, "anthropic-ratelimit-requests-reset");
    // Its limits of tokens are three. All tokens together are what we count; of the others, that none are left.
    for (std::string resource : {"tokens", "input-tokens", "output-tokens"}) {
      const auto name = "anthropic-ratelimit-" + resource;
      const auto remaining = number_in(headers, name + "-remaining");
      if (!remaining || (l.remaining_tokens && *remaining > 0)) continue;
      l.remaining_tokens = remaining;
      l.limit_tokens = number_in(headers, name + "-limit");
      l.reset_tokens = date_in(headers, name + "-reset");
    }
    if (!l.remaining_requests && !l.remaining_tokens) return std::nullopt;
  }
  l.key = key;
  l.model = model;
  return l;
}

} // namespace mainstay
