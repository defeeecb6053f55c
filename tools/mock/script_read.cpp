// Reading a script's JSON strictly: an unknown key or a wrong type is an error, for a typo would be a test that
// cannot fail.
#include "tools/mock/script.hpp"
#include "tools/mock/settings.hpp"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

namespace mainstay::mock {
namespace {

using rapidjson::Value;

const std::map<std::string_view, fault_kind> faults = {
    {"none", fault_kind::none},
    {"reset", fault_kind::reset},
    {"silence", fault_kind::silence},
    {"close", fault_kind::close},
    {"slow_first_token", fault_kind::slow_first_token},
    {"cut", fault_kind::cut},
    {"stall", fault_kind::stall},
    {"junk", fault_kind::junk},
    {"no_done", fault_kind::no_done},
    {"error_in_stream", fault_kind::error_in_stream},
    {"role_only_then_close", fault_kind::role_only_then_close},
    {"html", fault_kind::html},
    {"empty", fault_kind::empty},
    {"half_json", fault_kind::half_json},
    {"endless_headers", fault_kind::endless_headers},
    {"endless_line", fault_kind::endless_line},
    {"drip", fault_kind::drip},
};

const std::map<std::string_view, spoiling> spoilings = {{"missing", spoiling::missing},
                                                        {"twice", spoiling::twice},
                                                        {"blank", spoiling::blank},
                                                        {"prose", spoiling::prose},
                                                        {"length", spoiling::length}};

const std::set<std::string_view> errors_by_name = {"context_length", "content_filter", "insufficient_quota",
                                                   "invalid_key"};

std::string as_json(const Value& value) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> writer(out);
  value.Accept(writer);
  return {out.GetString(), out.GetSize()};
}

// A number without a needless fraction: headers say 2, not 2.000000.
std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

// One JSON object, read key by key; what was never asked for is unknown.
class fields {
public:
  fields(const Value& object, std::string where, std::vector<std::string>& errors)
    : object_(object), where_(std::move(where)), errors_(errors) {
    if (!object_.IsObject()) wrong("must be an object");
  }

  const Value* find(const char* name) {
    known_.insert(name);
    if (!object_.IsObject()) return nullptr;
    auto found = object_.FindMember(name);
    return found == object_.MemberEnd() || found->value.IsNull() ? nullptr : &found->value;
  }

  void wrong(const std::string& what) { errors_.push_back(where_ + ": " + what); }

  void text(const char* name, std::optional<std::string>& out) {
    auto value = find(name);
    if (!value) return;
    if (!value->IsString()) return wrong(std::string(name) + ": must be a text");
    out = std::string(value->GetString(), value->GetStringLength());
  }

  void flag(const char* name, bool& out) {
    if (auto value = find(name))
      value->IsBool() ? void(out = value->GetBool()) : wrong(std::string(name) + ": must be true or false");
  }

  template <class Number>
  bool number(const char* name, Number& out, double least, double most) {
    auto value = find(name);
    if (!value) return false;
    double given = value->IsNumber() ? value->GetDouble() : NAN;
    bool whole = std::is_floating_point_v<Number> || given == std::floor(given);
    if (!(given >= least && given <= most && whole)) {
      wrong(std::string(name) + ": must be a " + (std::is_floating_point_v<Number> ? "" : "whole ") + "number from " +
            number_text(least) + " to " + number_text(most));
      return false;
    }
    out = static_cast<Number>(given);
    return true;
  }

  template <class Number>
  void number(const char* name, std::optional<Number>& out, double least, double most) {
    Number read{};
    if (number(name, read, least, most)) out = read;
  }

  void refuse_unknown() {
    if (!object_.IsObject()) return;
    for (auto& member : object_.GetObject())
      if (!known_.contains(member.name.GetString())) wrong(std::string("unknown key ") + member.name.GetString());
  }

  const std::string& where() const { return where_; }
  std::vector<std::string>& errors() { return errors_; }

private:
  const Value& object_;
  std::string where_;
  std::vector<std::string>& errors_;
  std::set<std::string> known_;
};

constexpr double most = 9e15;
constexpr double longest_ms = 86400000;

std::optional<delay> read_delay(fields& in, const char* name) {
  auto value = in.find(name);
  if (!value) return {};
  delay d;
  if (value->IsNumber()) {
    in.number(name, d.first, 0, longest_ms);
    d.longest = longest_ms;
    return d;
  }
  fields inner(*value, in.where() + ": " + name, in.errors());
  std::optional<std::string> dist;
  inner.text("dist", dist);
  bool complete = false;
  if (dist == "uniform") {
    d.dist = delay::shape::uniform;
    complete = inner.number("min", d.first, 0, longest_ms) & inner.number("max", d.second, 0, longest_ms);
  } else if (dist == "normal") {
    d.dist = delay::shape::normal;
    complete = inner.number("mean", d.first, 0, longest_ms) & inner.number("stddev", d.second, 0, longest_ms);
  } else if (dist == "lognormal") {
    d.dist = delay::shape::lognormal;
    complete = inner.number("median", d.first, 0, longest_ms) & inner.number("sigma", d.second, 0, 10);
  } else if (dist == "exponential") {
    d.dist = delay::shape::exponential;
    complete = inner.number("mean", d.first, 0, longest_ms);
  }
  if (!complete)
    inner.wrong("must be a number of ms, or {dist: uniform, min, max}, {dist: normal, mean, stddev}, "
                "{dist: lognormal, median, sigma} or {dist: exponential, mean}, each with an optional longest");
  inner.number("longest", d.longest, 0, longest_ms);
  inner.refuse_unknown();
  return d;
}

header_list read_headers(fields& in) {
  header_list headers;
  if (auto value = in.find("headers")) {
    if (!value->IsObject())
      in.wrong("headers: must be an object of texts");
    else
      for (auto& member : value->GetObject()) {
        auto& text = member.value;
        if (text.IsString())
          headers.emplace_back(member.name.GetString(), text.GetString());
        else if (text.IsNumber())
          headers.emplace_back(member.name.GetString(), number_text(text.GetDouble()));
        else
          in.wrong(std::string("headers: ") + member.name.GetString() + ": must be a text");
      }
  }
  for (auto [key, header] : {std::pair{"retry_after", "retry-after"}, {"retry_after_ms", "retry-after-ms"}})
    if (auto value = in.find(key)) {
      if (value->IsString())
        headers.emplace_back(header, value->GetString());
      else if (value->IsNumber())
        headers.emplace_back(header, number_text(value->GetDouble()));
      else
        in.wrong(std::string(key) + ": must be a text or a number");
    }
  return headers;
}

// The parameters a kind reads have these defaults.
void set_defaults(fault& f) {
  switch (f.kind) {
  case fault_kind::cut:
  case fault_kind::stall: f.after = 3; break;
  case fault_kind::slow_first_token: f.delay_ms = 5000; break;
  case fault_kind::drip: f.delay_ms = 100; break;
  case fault_kind::error_in_stream: f.status = 502; break;
  default: break;
  }
}

// Which fault a rule names: at most one of "fault", "error" and, beside neither, "status".
void read_fault_kind(fields& in, fault& f, bool& given) {
  std::optional<std::string> by_fault, by_error;
  in.text("fault", by_fault);
  in.text("error", by_error);
  if (by_fault && by_error) in.wrong("fault and error exclude each other");
  if (by_fault) {
    auto found = faults.find(*by_fault);
    if (found == faults.end())
      in.wrong("fault: there is no \"" + *by_fault + "\"");
    else
      f.kind = found->second;
    f.name = *by_fault;
  } else if (by_error) {
    if (!errors_by_name.contains(*by_error)) in.wrong("error: there is no \"" + *by_error + "\"");
    f.kind = fault_kind::named_error;
    f.name = *by_error;
  }
  given = by_fault || by_error;
  set_defaults(f);
  bool status = in.number("status", f.status, 100, 999);
  if (given || !status) return;
  f.kind = fault_kind::status;
  f.name = std::to_string(f.status);
  given = true;
}

void read_fault(fields& in, rule& r) {
  fault f;
  bool given = false;
  read_fault_kind(in, f, given);
  auto before = in.errors().size();
  f.headers = read_headers(in);
  if (auto body = in.find("body"))
    f.body = body->IsString() ? std::string(body->GetString(), body->GetStringLength()) : as_json(*body);
  std::optional<std::uint64_t> after;
  in.number("after", after, 0, most);
  if (after) f.after = *after;
  bool parameters =
      after.has_value() | in.number("event", f.event, 1, most) | in.number("delay_ms", f.delay_ms, 0, longest_ms);
  in.number("bytes", f.bytes, 1, most);
  in.flag("rst", f.rst);
  in.flag("close", f.close);
  in.flag("comments", f.comments);
  in.flag("role_first", f.role_first);
  in.flag("done", f.done);
  parameters = parameters || f.body || f.bytes || f.rst || f.close || f.comments || f.role_first || f.done;
  if (given) {
    r.what = std::make_shared<const fault>(std::move(f));
    return;
  }
  r.headers = std::move(f.headers);
  if (parameters && before == in.errors().size()) in.wrong("a fault's parameters, but no fault, error or status");
}

std::optional<limits> read_limits(fields& in) {
  auto value = in.find("limits");
  if (!value) return {};
  fields inner(*value, in.where() + ": limits", in.errors());
  limits l;
  inner.number("rpm", l.rpm, 0, 1e7);
  inner.number("rps", l.rps, 0, 1e6);
  inner.number("tpm", l.tpm, 0, 1e12);
  inner.number("concurrency", l.concurrency, 0, 1e6);
  inner.number("window_s", l.window_s, 0.001, 86400);
  inner.number("burst", l.burst, 0, 1);
  inner.flag("over_address", l.over_address);
  inner.flag("silent", l.silent);
  inner.refuse_unknown();
  if (!l.rpm && !l.rps && !l.tpm && !l.concurrency) inner.wrong("needs one of rpm, rps, tpm, concurrency");
  return l;
}

void read_between(fields& in, rule& r) {
  auto value = in.find("between");
  if (!value) return;
  bool pair = value->IsArray() && value->Size() == 2 && (*value)[0].IsNumber() &&
              ((*value)[1].IsNumber() || (*value)[1].IsNull());
  if (!pair) return in.wrong("between: must be [from_s, to_s]; a null to_s means for ever");
  r.between = {(*value)[0].GetDouble(), (*value)[1].IsNull() ? INFINITY : (*value)[1].GetDouble()};
}

rule read_rule(const Value& value, std::string where, std::vector<std::string>& errors) {
  rule r;
  fields in(value, std::move(where), errors);
  r.source = as_json(value);
  auto before = errors.size();
  std::optional<std::string> note; // for whoever reads the script
  for (auto [name, out] : {std::pair{"model", &r.model},
                           {"key", &r.key},
                           {"path", &r.path},
                           {"provider", &r.provider},
                           {"last_role", &r.last_role},
                           {"text", &r.text},
                           {"note", &note}})
    in.text(name, *out);
  for (auto [name, out] :
       {std::pair{"stream", &r.stream}, {"tools", &r.tools}, {"json", &r.json}, {"merged", &r.merged}})
    if (in.find(name)) in.flag(name, out->emplace());
  in.number("times", r.times, 0, most);
  in.number("skip", r.skip, 0, most);
  in.number("every", r.every, 1, most);
  in.number("probability", r.probability, 0, 1);
  read_between(in, r);
  read_fault(in, r);
  r.latency = read_delay(in, "latency_ms");
  r.token_pause = read_delay(in, "token_ms");
  in.number("words", r.words, 0, most_words);
  in.number("cached_tokens", r.cached_tokens, 0, most);
  in.number("cache_write_tokens", r.cache_write_tokens, 0, most);
  in.number("reasoning_tokens", r.reasoning_tokens, 0, most);
  std::optional<std::string> prefill;
  in.text("prefill", prefill);
  if (prefill && prefill != "ignore") in.wrong("prefill: must be \"ignore\"");
  r.ignore_prefill = prefill.has_value();
  std::optional<std::string> parts;
  in.text("parts", parts);
  if (auto found = spoilings.find(parts.value_or("")); found != spoilings.end())
    r.spoil = found->second;
  else if (parts)
    in.wrong("parts: must be \"missing\", \"twice\", \"blank\", \"prose\" or \"length\"");
  r.limit = read_limits(in);
  in.refuse_unknown();
  if (r.what && r.limit) in.wrong("limits and a fault belong in two rules");
  bool acts = r.what || !r.headers.empty() || r.latency || r.token_pause || r.words || r.cached_tokens ||
              r.cache_write_tokens || r.reasoning_tokens || r.limit || r.ignore_prefill || parts;
  if (!acts && before == errors.size()) in.wrong("does nothing");
  return r;
}

} // namespace

script_result read_script(std::string_view json, std::uint64_t seed) {
  script_result result;
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) {
    result.errors.push_back("at byte " + std::to_string(document.GetErrorOffset()) + ": " +
                            rapidjson::GetParseError_En(document.GetParseError()));
    return result;
  }
  const Value* list = &document;
  if (document.IsObject()) {
    fields in(document, "script", result.errors);
    list = in.find("rules");
    in.refuse_unknown();
  }
  if (!list || !list->IsArray()) {
    result.errors.push_back("script: must be a list of rules, or {\"rules\": […]}");
    return result;
  }
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    auto& added =
        result.rules.rules.emplace_back(read_rule((*list)[i], "rule " + std::to_string(i + 1), result.errors));
    added.random = dice(seed * 1000003 + i); // each its own: one rule's draws never shift another's
  }
  return result;
}

} // namespace mainstay::mock
