// The sections tracing and logs: where spans go and how many, and which requests leave a line.
#include "config/sections.hpp"
#include "config/url.hpp"

namespace mainstay::config {

namespace {

void read_headers(const cursor& at, tracing_settings& out) {
  const section headers(at);
  for (const auto& [name, c] : headers.entries()) {
    const bool token =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == std::string::npos;
    if (!token)
      c.error("is no name of a header");
    else if (auto value = c.secret_value())
      out.headers.emplace_back(name, std::move(value->value));
  }
}

} // namespace

tracing_settings read_tracing(const cursor& at) {
  tracing_settings out;
  const section s(at, {"endpoint", "sample", "headers"});
  if (const auto* c = s.find("endpoint")) {
    if (const auto url = c->text(); url) {
      if (auto fault = fault_of_base_url(url->text); !fault.empty())
        c->error(std::move(fault));
      else
        out.endpoint = url->text;
      while (!out.endpoint.empty() && out.endpoint.back() == '/') out.endpoint.pop_back();
    }
  } else {
    at.error("needs an endpoint: the address of an OTLP/HTTP collector, such as http://127.0.0.1:4318");
  }
  s.number("sample", out.sample, 0, 1);
  if (const auto* c = s.find("headers")) read_headers(*c, out);
  return out;
}

log_settings read_logs(const cursor& at) {
  log_settings out;
  const section s(at, {"requests"});
  s.choice("requests", out.requests,
           {{"failed", log_settings::which::failed},
            {"all", log_settings::which::all},
            {"none", log_settings::which::none}});
  return out;
}

} // namespace mainstay::config
