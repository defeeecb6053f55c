// Addresses, URLs, sizes and times as people write them, and the faults that are found in them: no fault repeats a
// password.
#include "config/address.hpp"
#include "config/environment.hpp"
#include "config/units.hpp"
#include "config/url.hpp"
#include "core/glob.hpp"
#include "net/redis_client.hpp"

#include "tests/fuzz/fuzz.hpp"

#include <stdexcept>

using namespace mainstay;

namespace {

void check_listen(std::string_view text) {
  if (const auto at = config::parse_listen(text)) MUST(config::is_host(at->host));
  if (const auto at = config::parse_zmq_listen(text)) MUST(at->path.empty() != at->tcp.host.empty());
}

void check_url(std::string_view text) {
  const auto parts = config::split_url(text);
  if (parts) MUST(parts->scheme.size() + 3 + parts->authority.size() + parts->path.size() <= text.size());
  const auto fault = config::fault_of_base_url(text);
  if (!fault.empty()) return;
  MUST(parts && !parts->has_user);
  MUST(config::url_at(text, "/x?y=1", "m").starts_with(parts->scheme));
}

/// What the configuration lets through the client can read.
void check_redis(std::string_view text) {
  constexpr std::string_view password = "pa55-w0rd";
  const auto url = "redis://u:" + std::string(password) + "@" + std::string(text);
  const auto fault = config::fault_of_redis_url(url);
  MUST(fault.find(password) == std::string::npos);
  try {
    const auto read = parse_redis_url(url);
    MUST(!read.host.empty() && read.port > 0);
  } catch (const std::invalid_argument& e) {
    MUST(std::string_view(e.what()).find(password) == std::string_view::npos);
    MUST(!fault.empty());
  }
  const auto proxy = config::fault_of_proxy("http://u:" + std::string(password) + "@" + std::string(text));
  MUST(proxy.find(password) == std::string::npos);
}

void check_units(std::string_view text) {
  if (const auto d = config::parse_duration(text)) {
    MUST(*d >= duration::zero());
    MUST(config::parse_duration(config::format_duration(*d)));
  }
  if (const auto bytes = config::parse_size(text)) MUST(config::parse_size(config::format_size(*bytes)) == *bytes);
}

void check_variables(std::string_view text) {
  const auto out = config::expand(text, [](const std::string& name) -> std::optional<std::string> {
    if (name.size() % 2) return std::nullopt;
    return "${INNER}" + name;
  });
  for (const auto& e : out.errors) MUST(e.find("${INNER}") == std::string::npos || text.find("${INNER}") != text.npos);
  if (!out.changed && out.errors.empty()) MUST(out.text == text);
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  check_listen(input);
  check_url(input);
  check_redis(input);
  check_units(input);
  check_variables(input);
  const auto half = input.size() / 2;
  if (glob_match(input, input)) MUST(glob_match("*", input));
  MUST(glob_match(std::string(input.substr(0, half)) + "*", input) ||
       input.substr(0, half).find_first_of("*?") != input.npos);
}
