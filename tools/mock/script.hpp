// The script: rules that say which requests meet which fault, pause or limit. Loading one replaces all rules and starts
// their counters and clock anew. Not thread-safe: the provider's lock guards it.
#pragma once

#include "tools/mock/answer.hpp"
#include "tools/mock/chance.hpp"
#include "tools/mock/limits.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay::mock {

using header_list = std::vector<std::pair<std::string, std::string>>;

enum class fault_kind {
  none, // explicitly healthy: later rules do not apply
  status,
  named_error,
  reset,
  silence,
  close,
  slow_first_token,
  cut,
  stall,
  junk,
  no_done,
  error_in_stream,
  role_only_then_close,
  html,
  empty,
  half_json,
  endless_headers,
  endless_line,
  drip,
};

// What goes wrong, and its parameters; which ones a kind reads is written in docs/mock.md.
struct fault {
  fault_kind kind = fault_kind::none;
  std::string name; // as in the script; a status as its number
  int status = 0;
  header_list headers;
  std::optional<std::string> body;
  std::uint64_t after = 0; // tokens sent before it happens
  std::uint64_t event = 2; // of a stream, the first is 1
  double delay_ms = 0;
  std::optional<std::uint64_t> bytes;
  bool rst = false, close = false, comments = false, role_first = false, done = false;
};

// What a rule looks at; each is a glob (* and ?), an absent one matches everything.
struct request_facts {
  std::string_view model, key, path, provider, last_role, text;
  bool stream = false, tools = false, json = false, merged = false;
  bool chat = false; // rules without a path are about chat calls only
};

struct rule {
  std::optional<std::string> model, key, path, provider, last_role, text;
  std::optional<bool> stream, tools, json, merged;
  std::optional<std::uint64_t> times;
  std::uint64_t skip = 0, every = 1;
  std::optional<std::pair<double, double>> between; // seconds since the script was loaded
  std::optional<double> probability;

  std::shared_ptr<const fault> what;
  header_list headers; // of every answer, when there is no fault
  std::optional<delay> latency, token_pause;
  std::optional<std::uint32_t> words;
  std::optional<std::uint64_t> cached_tokens, cache_write_tokens, reasoning_tokens;
  bool ignore_prefill = false;
  spoiling spoil = spoiling::none;
  std::optional<limits> limit;
  std::string source; // its JSON

  std::uint64_t matched = 0, fired = 0;
  dice random;
  limiter_table limiters;

  bool concerns(const request_facts& facts) const;
  bool fires(double elapsed_s); // counts; call only for requests it concerns
};

struct script {
  std::vector<rule> rules;
  std::chrono::steady_clock::time_point loaded{};
};

struct script_result {
  script rules;
  std::vector<std::string> errors; // empty: the rules are good
};

// Reads a script: a list of rules, or {"rules": […]}. Every error is listed, each with the rule's number from 1.
script_result read_script(std::string_view json, std::uint64_t seed);

bool glob_match(std::string_view pattern, std::string_view text);

} // namespace mainstay::mock
