// Judging a request by the script, and keeping the books.
#include "tools/mock/provider.hpp"

#include <cstdio>
#include <cstring>

namespace mainstay::mock {
namespace {

constexpr std::size_t longest_text = 4096; // bytes of a logged text

// Not cryptographic: tells whether two bodies are the same.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t h = bytes.size() * 0x9E3779B97F4A7C15u;
  auto mix = [&h](std::uint64_t word) {
    h = (h ^ word) * 0xBF58476D1CE4E5B9u;
    h ^= h >> 29;
  };
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  mix(rest);
  return h ^ (h >> 32);
}

// At most `most` bytes, never cutting a character of valid UTF-8 in two.
std::string_view head_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

void append_lines(std::string& out, const header_list& headers) {
  for (auto& [name, value] : headers) (((out += name) += ": ") += value) += "\r\n";
}

} // namespace

provider::provider(const settings& s, script initial)
  : settings_(s), locked_(s.threads > 1), start_(std::chrono::steady_clock::now()), initial_(std::move(initial)),
    script_(initial_), random_(s.seed) {
  script_.loaded = start_;
}

std::unique_lock<std::mutex> provider::guard() const {
  return locked_ ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
}

double provider::seconds(instant t) const { return std::chrono::duration<double>(t - start_).count(); }

verdict provider::admit(const arrival& request) {
  auto hold = guard();
  auto now = std::chrono::steady_clock::now();
  verdict v;
  v.words = settings_.words;
  v.token_pause.first = settings_.token_ms;
  v.latency = delay{.first = settings_.latency_ms}.draw(random_);
  if (request.scripted && !script_.rules.empty()) apply_rules(request, v, now);
  v.random = dice(random_());
  record(request, v, now);
  return v;
}

// First the rules without a fault, which combine: the first to set a thing sets it. Then the limits. Who got past them
// meets the first rule with a fault whose turn it is; the rules after it do not count this request, so that faults in a
// row take turns.
void provider::apply_rules(const arrival& request, verdict& v, instant now) {
  request_facts facts{request.model,  request.key,   request.path, settings_.name,    request.last_role, request.text,
                      request.stream, request.tools, request.json, request.parts > 0, request.chat};
  auto elapsed = std::chrono::duration<double>(now - script_.loaded).count();
  std::vector<rule*> limiting, faulty, pacing;
  for (auto& r : script_.rules) {
    if (!r.concerns(facts)) continue;
    if (r.what) {
      faulty.push_back(&r);
      continue;
    }
    if (!r.fires(elapsed)) continue;
    pacing.push_back(&r);
    if (r.limit) limiting.push_back(&r);
  }
  for (auto r = pacing.rbegin(); r != pacing.rend(); ++r) apply_pace(**r, v);
  if (!let_in(request, v, now, limiting)) return;
  for (auto r : faulty) {
    if (!r->fires(elapsed)) continue;
    v.what = r->what;
    append_lines(v.header_lines, r->what->headers);
    apply_pace(*r, v);
    return;
  }
}

void provider::apply_pace(const rule& r, verdict& v) {
  append_lines(v.header_lines, r.headers);
  if (r.latency) v.latency = r.latency->draw(random_);
  if (r.token_pause) v.token_pause = *r.token_pause;
  if (r.words) v.words = *r.words;
  if (r.cached_tokens) v.cached_tokens = *r.cached_tokens;
  if (r.cache_write_tokens) v.cache_write_tokens = *r.cache_write_tokens;
  if (r.reasoning_tokens) v.reasoning_tokens = *r.reasoning_tokens;
  v.ignore_prefill |= r.ignore_prefill;
  if (r.spoil != spoiling::none) v.spoil = r.spoil;
}

// All limits are asked before any is charged.
bool provider::let_in(const arrival& request, verdict& v, instant now, const std::vector<rule*>& limiting) {
  auto tokens = request.prompt_tokens + request.n * request.max_tokens.value_or(v.words);
  std::vector<std::shared_ptr<key_limiter>> asked;
  for (auto r : limiting) {
    auto& limiter = entry_for(r->limiters, r->limit->over_address ? std::string_view{} : request.key);
    if (!limiter) limiter = std::make_shared<key_limiter>(*r->limit);
    asked.push_back(limiter);
    if (!v.refused) v.refused = limiter->check(now, tokens);
  }
  for (auto& limiter : asked) {
    if (!v.refused) limiter->take(now, tokens);
    limiter->append_headers(now, request.limits_in, v.header_lines);
  }
  if (v.refused) return false;
  v.admitted = std::move(asked);
  return true;
}

void provider::record(const arrival& request, verdict& v, instant now) {
  auto& e = log_.add();
  v.number = e.n;
  e.time = seconds(now);
  e.method = request.method;
  e.path = request.path;
  e.model = head_of(request.model, longest_text);
  e.key = head_of(request.key, longest_text);
  e.idempotency_key = head_of(request.idempotency_key, longest_text);
  e.user = head_of(request.user, longest_text);
  e.text = head_of(request.text, longest_text);
  e.stream = request.stream;
  e.parts = request.parts;
  e.connection = request.connection;
  e.body_bytes = request.body.size();
  e.body_hash = hash_of(request.body);
  if (settings_.keep_bodies) {
    if (bodies_.size() >= settings_.keep_bodies) bodies_.pop_front();
    bodies_.push_back({e.n, e.model, e.key, std::string(request.raw_headers), std::string(request.body)});
  }
  auto& model = entry_for(traffic_.models, e.model);
  if (!model) model = std::make_shared<tally>();
  auto& key = entry_for(traffic_.keys, e.key);
  if (!key) key = std::make_shared<key_tally>();
  v.model = model;
  v.key = key;
  traffic_.all.begin();
  model->begin();
  key->begin();
  if (!request.chat) return;
  auto tokens = request.prompt_tokens + request.n * request.max_tokens.value_or(v.words);
  key->minute.add(now, tokens);
  key->second.add(now, tokens);
}

void provider::finish(verdict& v, const ending& e) {
  auto hold = guard();
  for (auto& limiter : v.admitted) limiter->release();
  v.admitted.clear();
  char status[16];
  std::snprintf(status, sizeof status, "%d", e.status);
  std::string_view result = e.fault.empty() ? (e.status ? status : "none") : e.fault;
  traffic_.all.end(result, e.client_left, e.tokens);
  v.model->end(result, e.client_left, e.tokens);
  v.key->end(result, e.client_left, e.tokens);
  auto entry = log_.find(v.number);
  if (!entry) return;
  entry->ended = seconds(std::chrono::steady_clock::now());
  entry->status = e.status;
  entry->fault = e.fault;
  entry->tokens = e.tokens;
  entry->client_left = e.client_left;
}

void provider::sent(std::uint64_t tokens) {
  auto hold = guard();
  tokens_sent_ += tokens;
}

void provider::connected() {
  auto hold = guard();
  ++connections_now_;
  ++connections_ever_;
}

void provider::disconnected() {
  auto hold = guard();
  --connections_now_;
}

std::vector<std::string> provider::load(std::string_view script_json) {
  auto read = read_script(script_json, settings_.seed);
  if (!read.errors.empty()) return read.errors;
  auto hold = guard();
  script_ = std::move(read.rules);
  script_.loaded = std::chrono::steady_clock::now();
  return {};
}

// Requests under way stay counted as open.
void provider::reset() {
  auto hold = guard();
  script_ = initial_;
  script_.loaded = std::chrono::steady_clock::now();
  log_.clear();
  bodies_.clear();
  random_ = dice(settings_.seed);
  auto open = traffic_.all.open;
  traffic_ = {};
  traffic_.all.open = traffic_.all.most_open = open;
  connections_ever_ = connections_now_;
  tokens_sent_ = 0;
}

} // namespace mainstay::mock
