#include "actors/otlp_json.hpp"

#include "config/url.hpp"
#include "net/json_writer.hpp"

#include <algorithm>

namespace mainstay {

namespace {

enum class span_kind : int { internal = 1, server = 2, client = 3 };

class spans {
public:
  spans(const config::settings& s, const std::string& version) : settings_(s) {
    w_.open().open_list("resourceSpans").open().open("resource").open_list("attributes");
    attribute("service.name", "mainstay");
    attribute("service.version", version);
    attribute("service.instance.id", s.node);
    w_.close_list().close().open_list("scopeSpans").open();
    w_.open("scope").member("name", "mainstay").member("version", version).close().open_list("spans");
  }

  void add(const run_report& r) {
    report_ = &r;
    if (!r.flight) add_request(); // of a flight there are only the calls: its leader tells the rest
    unsigned part = 0;
    for (const auto& s : r.story.spans(r.took)) {
      begin(span_of_part(r.trace->root + r.number, part++), r.trace->root, std::string(s.what), span_kind::internal,
            s.begin, s.end);
      w_.open_list("attributes").close_list().close();
    }
    for (const auto& a : r.attempts) add_attempt(a);
  }

  std::string done() {
    for (int depth = 0; depth < 3; ++depth) w_.close_list().close(); // spans, scopeSpans, resourceSpans
    return w_.text();
  }

private:
  template <class Value>
  void attribute(std::string_view k, const Value& v) {
    w_.open();
    w_.member("key", k);
    w_.open("value");
    if constexpr (std::is_same_v<Value, bool>)
      w_.member("boolValue", v);
    else if constexpr (std::is_floating_point_v<Value>)
      w_.member("doubleValue", double{v});
    else if constexpr (std::is_integral_v<Value>)
      w_.member("intValue", std::to_string(v)); // 64 bits are strings in protobuf's JSON
    else
      w_.member("stringValue", v);
    w_.close();
    w_.close();
  }

  std::string nanoseconds(duration at) const {
    using std::chrono::nanoseconds;
    const auto t = std::chrono::duration_cast<nanoseconds>(report_->arrived.time_since_epoch()) +
                   std::chrono::duration_cast<nanoseconds>(at);
    return std::to_string(t.count());
  }

  /// Leaves the span open, for its attributes.
  void begin(span_id own, span_id parent, const std::string& name, span_kind kind, duration from, duration until) {
    const auto& t = *report_->trace;
    w_.open();
    w_.member("traceId", t.trace_id());
    w_.member("spanId", hex(own));
    if (parent != 0) w_.member("parentSpanId", hex(parent));
    if (!t.state.empty()) w_.member("traceState", t.state);
    w_.member("name", name);
    w_.member("kind", static_cast<int>(kind));
    w_.member("startTimeUnixNano", nanoseconds(from));
    w_.member("endTimeUnixNano", nanoseconds(std::max(from, until)));
  }

  void failed_with(std::string_view what) {
    w_.open("status");
    w_.member("code", 2); // STATUS_CODE_ERROR
    w_.member("message", what);
    w_.close();
  }

  void usage(std::uint64_t input, std::uint64_t output) {
    if (input) attribute("gen_ai.usage.input_tokens", input);
    if (output) attribute("gen_ai.usage.output_tokens", output);
  }

  void add_request() {
    const auto& r = *report_;
    begin(r.trace->root, r.trace->parent, operation(r) + " " + r.model, span_kind::server, {}, r.took);
    if (!r.ok()) failed_with(r.code.empty() ? r.outcome : r.code);
    w_.open_list("attributes");
    attribute("gen_ai.operation.name", operation(r));
    attribute("gen_ai.request.model", r.model);
    if (!r.target_model.empty()) attribute("gen_ai.response.model", r.target_model);
    attribute("http.response.status_code", r.status);
    if (!r.ok()) attribute("error.type", r.outcome);
    usage(r.input_tokens, r.output_tokens);
    attribute("mainstay.request_id", r.id);
    attribute("mainstay.client", r.client);
    attribute("mainstay.priority", to_string(r.level));
    attribute("mainstay.stream", r.stream);
    if (!r.source.empty()) attribute("mainstay.source", r.source);
    if (!r.reason.empty()) attribute("mainstay.degraded", r.reason);
    if (!r.cache_result.empty()) attribute("mainstay.cache", r.cache_tier + " " + r.cache_result);
    attribute("mainstay.attempts", std::uint64_t{r.attempts.size()});
    attribute("mainstay.overhead_seconds", std::chrono::duration<double>(r.overhead).count());
    if (const auto usd = r.usd()) attribute("mainstay.cost_usd", *usd);
    w_.close_list().close();
  }

  static std::string operation(const run_report& r) { return r.embeddings ? "embeddings" : "chat"; }
  /// As the conventions name whoever's dialect is spoken.
  static std::string_view provider_name(dialect d) { return d == dialect::gemini ? "gcp.gemini" : to_string(d); }

  void add_server(std::string_view url) {
    const auto parts = config::split_url(url);
    const auto where = parts ? config::split_host_port(parts->authority) : std::nullopt;
    if (!where) return;
    attribute("server.address", where->host);
    const auto port = where->port ? config::parse_port(*where->port) : std::nullopt;
    attribute("server.port", int{port.value_or(parts->scheme == "https" ? 443 : 80)});
  }

  void add_attempt(const attempt_report& a) {
    const auto root = report_->trace->root;
    begin(span_of_attempt(root + report_->number, a.number), root, operation(*report_) + " " + a.model,
          span_kind::client, a.began, a.began + a.took);
    if (a.failed) failed_with(to_string(*a.failed));
    if (a.first_token != duration{}) {
      w_.open_list("events");
      w_.open();
      w_.member("timeUnixNano", nanoseconds(a.began + a.first_token));
      w_.member("name", "first token");
      w_.close();
      w_.close_list();
    }
    w_.open_list("attributes");
    attribute("gen_ai.operation.name", operation(*report_));
    attribute("gen_ai.request.model", a.model);
    if (const auto* p = settings_.provider(a.provider)) {
      attribute("gen_ai.provider.name", provider_name(p->speaks));
      add_server(p->base_url);
    }
    if (a.status) attribute("http.response.status_code", a.status);
    if (a.failed) attribute("error.type", to_string(*a.failed));
    usage(a.billed.input, a.billed.output);
    attribute("mainstay.provider", a.provider);
    attribute("mainstay.key", a.key);
    attribute("mainstay.source", a.source);
    if (a.usd) attribute("mainstay.cost_usd", *a.usd);
    w_.close_list().close();
  }

  const config::settings& settings_;
  const run_report* report_ = nullptr;
  json_writer w_;
};

} // namespace

std::string otlp_json(const std::vector<report_ptr>& reports, const config::settings& s, const std::string& version) {
  spans all(s, version);
  for (const auto& r : reports) all.add(*r);
  return all.done();
}

} // namespace mainstay
