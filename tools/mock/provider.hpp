// What all connections of the mock share: the script, the limits, the log and the counters, behind one door. With one
// thread the door has no lock.
#pragma once

#include "tools/mock/request_log.hpp"
#include "tools/mock/script.hpp"
#include "tools/mock/settings.hpp"
#include "tools/mock/traffic.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

// One request as it came; the views need live only during the call.
struct arrival {
  std::string_view method, path, model, key, idempotency_key, user, text, last_role;
  std::string_view body, raw_headers; // the headers as a JSON object, filled in only when bodies are kept
  std::uint64_t connection = 0;
  std::uint64_t prompt_tokens = 0;
  std::optional<std::uint64_t> max_tokens;
  std::uint32_t n = 1;
  std::size_t parts = 0; // of a merged request
  bool stream = false, tools = false, json = false;
  limit_headers limits_in = limit_headers::openai;
  bool chat = false;     // a well-formed chat call
  bool scripted = false; // rules apply
};

// What the script says about one request. Hand it back to finish(), once.
struct verdict {
  std::uint64_t number = 0;
  std::shared_ptr<const fault> what; // none: healthy
  std::optional<refusal> refused;    // over a limit: nothing else applies
  span latency{};
  delay token_pause;
  std::uint32_t words = 0;
  std::uint64_t cached_tokens = 0, cache_write_tokens = 0, reasoning_tokens = 0;
  bool ignore_prefill = false;
  spoiling spoil = spoiling::none;
  dice random;
  std::string header_lines; // to add to the answer, each ending in CRLF

  std::vector<std::shared_ptr<key_limiter>> admitted;
  std::shared_ptr<tally> model;
  std::shared_ptr<key_tally> key;
};

struct ending {
  int status = 0;
  std::string_view fault;
  std::uint64_t tokens = 0;
  bool client_left = false;
};

class provider {
public:
  provider(const settings& s, script initial);

  verdict admit(const arrival& request);
  void sent(std::uint64_t tokens); // of an answer that may not have ended yet
  void finish(verdict& v, const ending& e);
  void connected();
  void disconnected();

  // The admin surface. An error list means nothing changed.
  std::vector<std::string> load(std::string_view script_json);
  void reset(); // the script becomes the one given at the start
  std::string log_json(const log_query& query) const;
  std::string stats_json() const;
  std::string bodies_json(std::size_t most) const;
  std::string script_json() const;              // the script as loaded, and each rule's counters
  std::vector<std::string> model_names() const; // those a script names outright, and two that are always there

  const settings& given() const { return settings_; }

private:
  struct kept_body {
    std::uint64_t n;
    std::string model, key, headers, body;
  };

  std::unique_lock<std::mutex> guard() const;
  double seconds(instant t) const;
  void apply_rules(const arrival& request, verdict& v, instant now);
  bool let_in(const arrival& request, verdict& v, instant now, const std::vector<rule*>& limiting);
  void apply_pace(const rule& r, verdict& v);
  void record(const arrival& request, verdict& v, instant now);

  const settings settings_;
  const bool locked_;
  mutable std::mutex mutex_;
  const instant start_;
  const script initial_;
  script script_;
  request_log log_;
  traffic traffic_;
  dice random_;
  std::deque<kept_body> bodies_;
  std::uint64_t connections_now_ = 0, connections_ever_ = 0, tokens_sent_ = 0;
};

} // namespace mainstay::mock
