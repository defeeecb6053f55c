#include "actors/otlp_json.hpp"

#include "config/url.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

namespace mainstay {

namespace {

enum class span_kind : int { internal = 1, server = 2, client = 3 };

class spans {
public:
  spans(const config::settings& s, const std::string& version) : settings_(s) {
    w_.StartObject();
    list("resourceSpans");
    w_.StartObject();
    object("resource");
    list("attributes");
    attribute("service.name", "mainstay");
    attribute("service.version", version);
    attribute("service.instance.id", s.node);
    w_.EndArray();
    w_.EndObject();
    list("scopeSpans");
    w_.StartObject();
    object("scope");
    text("name", "mainstay");
    text("version", version);
    w_.EndObject();
    list("spans");
  }

  void add(const run_report& r) {
    report_ = &r;
    if (!r.flight) add_request(); // of a flight there are only the calls: its leader tells the rest
    unsigned part = 0;
    for (const auto& s : r.story.spans(r.took)) {
      begin(span_of_part(r.trace->root + r.number, part++), r.trace->root, std::string(s.what), span_kind::internal,
            s.begin, s.end);
      list("attributes");
      w_.EndArray();
      w_.EndObject();
    }
    for (const auto& a : r.attempts) add_attempt(a);
  }

  std::string done() {
    for (int depth = 0; depth < 3; ++depth) { // spans, scopeSpans, resourceSpans
      w_.EndArray();
      w_.EndObject();
    }
    return {out_.GetString(), out_.GetSize()};
  }

private:
  void key(std::string_view k) { w_.Key(k.data(), static_cast<rapidjson::SizeType>(k.size())); }
  void string(std::string_view v) { w_.String(v.data(), static_cast<rapidjson::SizeType>(v.size())); }
  void text(std::string_view k, std::string_view v) { key(k), string(v); }
  void object(std::string_view k) { key(k), w_.StartObject(); }
  void list(std::string_view k) { key(k), w_.StartArray(); }

  template <class Value>
  void attribute(std::string_view k, const Value& v) {
    w_.StartObject();
    text("key", k);
    object("value");
    if constexpr (std::is_same_v<Value, bool>)
      key("boolValue"), w_.Bool(v);
    else if constexpr (std::is_floating_point_v<Value>)
      key("doubleValue"), w_.Double(v);
    else if constexpr (std::is_integral_v<Value>)
      text("intValue", std::to_string(v)); // 64 bits are strings in protobuf's JSON
    else
      text("stringValue", v);
    w_.EndObject();
    w_.EndObject();
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
    w_.StartObject();
    text("traceId", t.trace_id());
    text("spanId", hex(own));
    if (parent != 0) text("parentSpanId", hex(parent));
    if (!t.state.empty()) text("traceState", t.state);
    text("name", name);
    key("kind");
    w_.Int(static_cast<int>(kind));
    text("startTimeUnixNano", nanoseconds(from));
    text("endTimeUnixNano", nanoseconds(std::max(from, until)));
  }

  void failed_with(std::string_view what) {
    object("status");
    key("code");
    w_.Int(2); // STATUS_CODE_ERROR
    text("message", what);
    w_.EndObject();
  }

  void usage(std::uint64_t input, std::uint64_t output) {
    if (input) attribute("gen_ai.usage.input_tokens", input);
    if (output) attribute("gen_ai.usage.output_tokens", output);
  }

  void add_request() {
    const auto& r = *report_;
    begin(r.trace->root, r.trace->parent, "chat " + r.model, span_kind::server, {}, r.took);
    if (!r.ok()) failed_with(r.code.empty() ? r.outcome : r.code);
    list("attributes");
    attribute("gen_ai.operation.name", "chat");
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
    w_.EndArray();
    w_.EndObject();
  }

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
    begin(span_of_attempt(root + report_->number, a.number), root, "chat " + a.model, span_kind::client, a.began,
          a.began + a.took);
    if (a.failed) failed_with(to_string(*a.failed));
    if (a.first_token != duration{}) {
      list("events");
      w_.StartObject();
      text("timeUnixNano", nanoseconds(a.began + a.first_token));
      text("name", "first token");
      w_.EndObject();
      w_.EndArray();
    }
    list("attributes");
    attribute("gen_ai.operation.name", "chat");
    attribute("gen_ai.provider.name", "openai"); // the dialect that is spoken
    attribute("gen_ai.request.model", a.model);
    if (const auto* p = settings_.provider(a.provider)) add_server(p->base_url);
    if (a.status) attribute("http.response.status_code", a.status);
    if (a.failed) attribute("error.type", to_string(*a.failed));
    usage(a.billed.input, a.billed.output);
    attribute("mainstay.provider", a.provider);
    attribute("mainstay.key", a.key);
    attribute("mainstay.source", a.source);
    if (a.usd) attribute("mainstay.cost_usd", *a.usd);
    w_.EndArray();
    w_.EndObject();
  }

  const config::settings& settings_;
  const run_report* report_ = nullptr;
  rapidjson::StringBuffer out_;
  rapidjson::Writer<rapidjson::StringBuffer> w_{out_};
};

} // namespace

std::string otlp_json(const std::vector<report_ptr>& reports, const config::settings& s, const std::string& version) {
  spans all(s, version);
  for (const auto& r : reports) all.add(*r);
  return all.done();
}

} // namespace mainstay
