#include "tools/load/report.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cmath>

namespace mainstay::load {
namespace {

using json_writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void key(json_writer& out, std::string_view name) {
  out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}

void number(json_writer& out, std::string_view name, std::uint64_t value) {
  key(out, name);
  out.Uint64(value);
}

double microseconds(duration d) { return std::round(static_cast<double>(d.count()) / 100) / 10; }

void decimal(json_writer& out, std::string_view name, double value) {
  key(out, name);
  out.Double(std::round(value * 1000) / 1000);
}

void durations(json_writer& out, std::string_view name, const histogram& h) {
  key(out, name);
  out.StartObject();
  number(out, "count", h.count());
  for (auto& [label, value] : {std::pair{"min", h.min()},
                               {"p50", h.quantile(0.5)},
                               {"p90", h.quantile(0.9)},
                               {"p99", h.quantile(0.99)},
                               {"p999", h.quantile(0.999)},
                               {"max", h.max()},
                               {"mean", h.mean()}})
    decimal(out, label, microseconds(value));
  out.EndObject();
}

void outcomes(json_writer& out, const counts& c) {
  number(out, "requests", c.requests);
  number(out, "ok", c.ok);
  key(out, "errors");
  out.StartObject();
  for (std::size_t i = 1; i < fault_count; ++i)
    if (c.faults[i]) number(out, name_of(static_cast<fault>(i)), c.faults[i]);
  out.EndObject();
}

void doors(json_writer& out, const options& o, const tally& t) {
  key(out, "doors");
  out.StartObject();
  for (auto [name, kind, used] :
       {std::tuple{"http", door_kind::http, !o.http.empty()}, std::tuple{"zmq", door_kind::zmq, !o.zmq.empty()}}) {
    if (!used) continue;
    key(out, name);
    out.StartObject();
    outcomes(out, t.of(kind));
    durations(out, "latency_us", t.latency(kind));
    out.EndObject();
  }
  out.EndObject();
}

void timeline(json_writer& out, const tally& t) {
  key(out, "timeline");
  out.StartArray();
  std::uint64_t second = 0;
  for (auto& row : t.timeline()) {
    out.StartObject();
    number(out, "second", second++);
    number(out, "started", row.started);
    number(out, "ok", row.ok);
    number(out, "errors", row.errors);
    decimal(out, "p50_us", microseconds(row.p50));
    decimal(out, "p99_us", microseconds(row.p99));
    out.EndObject();
  }
  out.EndArray();
}

void complaints(json_writer& out, const tally& t) {
  key(out, "complaints");
  out.StartArray();
  for (auto& c : t.complaints()) {
    out.StartObject();
    key(out, "error");
    out.String(name_of(c.what).data());
    number(out, "status", static_cast<std::uint64_t>(c.status));
    key(out, "text");
    out.String(c.text.data(), static_cast<rapidjson::SizeType>(c.text.size()));
    out.EndObject();
  }
  out.EndArray();
}

} // namespace

std::string report_json(const options& o, const run_result& r) {
  rapidjson::StringBuffer buffer;
  json_writer out(buffer);
  out.SetIndent(' ', 1);
  out.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  auto& t = r.counted;
  auto seconds = std::chrono::duration<double>(t.elapsed()).count();
  out.StartObject();
  outcomes(out, t.all());
  key(out, "sources");
  out.StartObject();
  for (auto& [name, count] : t.sources()) number(out, name, count);
  out.EndObject();
  key(out, "statuses");
  out.StartObject();
  for (auto& [status, count] : t.statuses()) number(out, std::to_string(status), count);
  out.EndObject();
  doors(out, o, t);
  number(out, "started", t.started_requests());
  number(out, "unfinished", r.unfinished);
  number(out, "surplus", t.surplus_answers());
  number(out, "seed", o.seed);
  decimal(out, "seconds", seconds);
  decimal(out, "rate", seconds > 0 ? static_cast<double>(t.all().requests) / seconds : 0);
  auto requests = t.all().requests;
  decimal(out, "cpu_us_per_request", requests ? microseconds(r.cpu) / static_cast<double>(requests) : 0);
  durations(out, "latency_us", t.latency());
  durations(out, "first_token_us", t.first_token());
  durations(out, "gap_us", t.gap());
  durations(out, "lateness_us", t.lateness());
  key(out, "histogram");
  out.StartArray();
  for (auto& b : t.latency().buckets()) {
    out.StartArray();
    out.Double(microseconds(b.upper));
    out.Uint64(b.count);
    out.EndArray();
  }
  out.EndArray();
  timeline(out, t);
  complaints(out, t);
  out.EndObject();
  return std::string(buffer.GetString()) + "\n";
}

} // namespace mainstay::load
