#include "tools/load/options.hpp"

#include "config/units.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <random>

namespace mainstay::load {
namespace {

constexpr auto default_run_time = 10s;
constexpr std::size_t default_open_loop = 2000, default_callers = 1;
constexpr int bad_usage = 2;

struct command_line {
  options given;
  std::string run_time, timeout = "60s", key;
  std::vector<std::string> headers;
  std::uint64_t requests = 0;
  std::size_t connections = 0;
  std::uint32_t max_tokens = 0;
  bool unique = false;
};

void describe(CLI::App& app, command_line& line) {
  auto& o = line.given;
  app.add_option("--http", o.http, "HTTP door, HOST:PORT");
  app.add_option("--zmq", o.zmq, "message-queue door, tcp://HOST:PORT; with both, each gets every other request");
  app.add_option("--path", o.shape.path, "path of the requests")->capture_default_str();
  app.add_option("--rate", o.rate_text,
                 "open loop: requests per second, such as 200, 200/5s,1000 or "
                 "step:200..15000/3s (docs/load.md)");
  app.add_option("--connections", line.connections,
                 "closed loop: so many callers, each one request after the other (default 1); open loop: at most so "
                 "many requests under way (default 2000)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--duration", line.run_time,
                 "how long requests are started, such as 10s; 10s if nothing else ends the run");
  app.add_option("--requests", line.requests, "how many requests are started")->check(CLI::PositiveNumber);
  app.add_option("--warmup", o.warmup, "so many requests first, not counted");
  app.add_option("--stream", o.stream_share, "share of streamed requests")->check(CLI::Range(0.0, 1.0));
  app.add_option("--model", o.shape.model, "the model asked for")->capture_default_str();
  app.add_option("--prompt-bytes", o.prompt_bytes, "size of the user message")
      ->capture_default_str()
      ->check(CLI::Range(1, 64 << 20));
  app.add_option("--max-tokens", line.max_tokens, "max_tokens of the requests")->check(CLI::PositiveNumber);
  auto same = app.add_flag("--same", o.same, "all requests ask the same");
  app.add_flag("--unique", line.unique, "each request asks something of its own (default)")->excludes(same);
  app.add_option("--header", line.headers, "another header, 'name: value'; repeatable");
  app.add_option("--key", line.key, "the caller's key, sent as bearer token");
  app.add_flag("--verify", o.verify, "check every answer against the text mainstay-mock gives to its question");
  app.add_option("--words", o.words, "words the mock answers with, for --verify")->capture_default_str();
  app.add_option("--timeout", line.timeout, "patience for one request, from its intended start")->capture_default_str();
  app.add_option("--seed", o.seed, "of the questions' words; drawn if not given");
  app.add_option("--json", o.json_file, "write the result as JSON there; -: standard output");
  app.add_flag("--quiet", o.quiet, "no progress, no table");
  app.set_version_flag("--version", "mainstay-load " MAINSTAY_VERSION);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::Error& error) { std::exit(app.exit(error) ? bad_usage : 0); }

duration duration_of(const char* option, const std::string& text) {
  auto parsed = config::parse_duration(text);
  if (!parsed || *parsed <= 0s) throw CLI::ValidationError(option, text + " is no duration such as 500ms, 10s or 2m");
  return *parsed;
}

std::pair<std::string, std::string> header_of(const std::string& text) {
  auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || text.find_first_of("\r\n") != text.npos)
    throw CLI::ValidationError("--header", text + ": must be 'name: value'");
  auto name = text.substr(0, colon);
  for (auto& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  auto value = text.find_first_not_of(' ', colon + 1);
  return {name, value == text.npos ? "" : text.substr(value)};
}

options checked(command_line& line) {
  auto& o = line.given;
  if (o.http.empty() && o.zmq.empty()) throw CLI::RequiredError("--http or --zmq");
  if (!o.rate_text.empty()) {
    auto read = rate_profile::parse(o.rate_text);
    if (!read.profile) throw CLI::ValidationError("--rate", read.fault);
    o.rate = std::move(read.profile);
  }
  o.connections = line.connections ? line.connections : o.rate ? default_open_loop : default_callers;
  if (!line.run_time.empty()) o.run_time = duration_of("--duration", line.run_time);
  if (line.requests) o.requests = line.requests;
  auto ends = o.run_time || o.requests || (o.rate && o.rate->total());
  if (!ends) o.run_time = default_run_time;
  o.timeout = duration_of("--timeout", line.timeout);
  if (line.max_tokens) o.shape.max_tokens = line.max_tokens;
  for (auto& text : line.headers) o.shape.headers.push_back(header_of(text));
  if (!line.key.empty()) o.shape.headers.emplace_back("authorization", "Bearer " + line.key);
  return o;
}

} // namespace

options read_options(int argc, char** argv) {
  CLI::App app{"mainstay-load: sends chat requests to a gateway or a provider and measures what comes back"};
  command_line line;
  describe(app, line);
  try {
    app.parse(argc, argv);
    if (!app.count("--seed")) line.given.seed = std::random_device{}();
    return checked(line);
  } catch (const CLI::Error& error) { refuse(app, error); }
}

} // namespace mainstay::load
