#include "actors/request_run.hpp"

#include "actors/intake.hpp"
#include "actors/key_manager.hpp"
#include "actors/reply_labels.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/token_estimate.hpp"

#include <algorithm>
#include <limits>
#include <random>

namespace mainstay {

namespace {

constexpr std::size_t stream_window = 256u << 10; // bytes of a stream between provider and a caller who reads slowly
constexpr std::size_t progress_step = 64u << 10;
constexpr std::size_t answer_limit = 64u << 20; // of a plain answer
constexpr std::size_t error_body_limit = 64u << 10;
constexpr auto ask_again_after = 5ms; // an actor died under our question: its successor is there by then
constexpr auto usage_grace = 2s;      // a finished stream whose usage does not come
constexpr auto end_grace = 300ms;     // a complete stream whose connection does not end

double draw() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return std::uniform_real_distribution<double>()(random);
}

/// One attempt, from the governor's grant to its settlement.
struct attempt {
  lease_id lease;
  target at;
  std::string key, source;
  std::size_t secret_hash = 0;
  bool permitted = false, placed = false, limited_key = false, stamp_at_once = false;
  std::optional<instant> sent_at;
  int status = 0;
  bool as_stream = false; // the provider answers with server-sent events
  std::shared_ptr<const header_list> headers;
  std::vector<bytes_ptr> pieces; // of a plain answer or an error body
  std::size_t size = 0;
  std::optional<stream_relay> relay;
  instant began{}, first_visible{};
  std::size_t received = 0, credited = 0; // flow control, bytes
};

struct run_state {
  static inline const char* name = "request_run";

  run_actor::pointer self = nullptr;
  run_record_ptr rec;
  directory_ptr names;
  std::optional<attempt> now_at;
  std::optional<step_acquire>
      asking; // the capacity question under way, to be asked again, under the same lease, if the governor dies
  lease_id asked_lease;
  int allowed_retries = std::numeric_limits<int>::max();
  std::optional<completion_assembler> assembler;
  std::uint64_t wake_generation = 0;
  enum class waking { nothing, resume_plan, ask_capacity, ask_permit, ask_admission, end_stream, drop_call } wake_for{};
  std::size_t passed_on = 0, acknowledged = 0; // bytes to the caller
  instant outside_since{};
  bool over = false;

  // -- beginning

  void start() {
    if (rec->answered) return leave("ok");
    if (rec->losses > 0 && rec->plan) return recover();
    auto parsed = parse_chat_request(rec->in.body);
    if (auto* problem = std::get_if<request_problem>(&parsed))
      return refuse(400, problem->message, "invalid_request_error", problem->code, problem->param);
    rec->asked = std::move(std::get<chat_request>(parsed));
    if (rec->in.plain_only && rec->asked->stream)
      return refuse(400, "a REQ socket cannot take a stream: use a DEALER", "invalid_request_error",
                    "stream_not_possible", "stream");
    rec->model = rec->in.settings->model(rec->asked->model);
    if (!rec->model || !may_ask(rec->in.client, rec->asked->model)) return refuse_model();
    rec->report.model = rec->model->name;
    ask_admission();
  }

  void refuse_model() {
    refuse(404, unknown_model(*rec->in.settings, rec->in.client), "invalid_request_error", "model_not_found", "model");
  }

  std::uint64_t reservation() const {
    return tokens_to_reserve(rec->asked->prompt_tokens, 1.0, rec->asked->answer_cap);
  }

  void ask_admission() {
    auto* c = rec->in.client;
    if (!c || c->limits.none()) return ask_cache();
    self->request(names->governor, caf::infinite,
                  admit_client{{rec->number, 0}, c->name, reservation(), rec->in.deadline + 1min})
        .then(
            [this](const client_admission& a) {
              if (!over) admitted(a);
            },
            [this](const caf::error&) { again_soon(waking::ask_admission); });
  }

  void admitted(const client_admission& a) {
    rec->admission = a;
    if (a.admitted) return ask_cache();
    auto wait = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(a.retry_after).count());
    final_answer answer;
    answer.status = 429;
    answer.type = "rate_limit_error";
    answer.code = "client_limit";
    answer.message = "this client's limit of " + a.limit + " is used up";
    answer.retry_after_seconds = static_cast<int>(wait);
    give(answer, failure_class::rate_limited);
  }

  // -- cache

  bool caching() const { return rec->in.settings->cache && rec->in.cache != cache_mode::off; }

  /// The model's name and its ladder: after a reload with other targets, other answers are due.
  std::string whom_it_asks() const {
    auto out = rec->model->name;
    for (auto& rung : rec->model->ladder) {
      out += '\n';
      for (auto& t : rung) out += t.provider + '/' + t.model + ' ';
    }
    return out;
  }

  void ask_cache() {
    if (!caching()) return start_plan();
    auto& cache = *rec->in.settings->cache;
    rec->cache_key = cache_key(*rec->asked, whom_it_asks() + "\n" + (cache.shared ? "" : rec->in.client_name()));
    if (rec->in.cache == cache_mode::refresh) return start_plan();
    self->request(names->cache, caf::infinite, cache_ask{rec->cache_key})
        .then(
            [this](const cache_reply& hit) {
              if (over) return;
              rec->report.cache_result = hit.completion ? "hit" : "miss";
              rec->report.cache_tier = hit.tier.empty() ? "none" : hit.tier;
              if (!hit.completion || !answer_from_cache(hit.completion)) start_plan();
            },
            [this](const caf::error&) {
              if (!over) start_plan();
            }); // without an answer it is a miss
  }

  /// False if what the cache holds is no answer: a shared cache may hold anything.
  bool answer_from_cache(const bytes_ptr& completion) {
    auto facts = read_completion(*completion);
    std::vector<std::string> chunks;
    if (rec->asked->stream) chunks = chunks_of(*completion, rec->asked->wants_usage);
    if (!facts.valid || facts.error || (rec->asked->stream && chunks.empty())) return false;
    answer_labels labels;
    labels.source = to_string(answer_source::cache);
    labels.model = facts.model;
    rec->report.source = labels.source;
    auto headers = headers_for(*rec, labels, clock::now());
    rec->answered = true;
    if (rec->asked->stream) {
      rec->in.reply->stream_head(std::move(headers));
      for (auto& chunk : chunks) rec->in.reply->stream_event(make_bytes(std::move(chunk)));
      rec->in.reply->stream_end(make_bytes(usage_json(facts.usage)), {});
    } else {
      rec->in.reply->reply(200, std::move(headers), completion);
    }
    settle_client(std::uint64_t{0}); // no provider's tokens were spent
    leave("ok");
    return true;
  }

  // -- carrying out the plan

  void start_plan() {
    request_plan::circumstances with;
    with.ladder = rec->model->ladder;
    for (auto& rung : with.ladder)
      for (auto& t : rung)
        if (t.model.empty()) t.model = rec->asked->model;
    with.policy = rec->model->retry;
    with.level = rec->in.level;
    with.deadline = rec->in.deadline;
    rec->plan.emplace(std::move(with));
    if (rec->asked->stream) watch_caller();
    perform(rec->plan->begin(clock::now()));
  }

  void recover() {
    if (rec->asked->stream) watch_caller();
    perform(rec->plan->recover(clock::now()));
  }

  void watch_caller() {
    auto weak = caf::actor_cast<caf::actor_addr>(self);
    rec->in.reply->observe_progress(progress_step, [weak](std::size_t bytes) {
      if (auto run = caf::actor_cast<run_actor>(weak)) tell(run, caller_progress{bytes});
    });
  }

  void perform(const plan_step& step) {
    if (auto* a = std::get_if<step_acquire>(&step)) {
      asking = *a;
      new_question();
    } else if (auto* w = std::get_if<step_wait>(&step)) {
      outside();
      wake_at(w->until, waking::resume_plan);
    } else {
      auto& end = std::get<step_give_up>(step);
      give_up(end);
    }
  }

  void new_question() {
    asked_lease = {rec->number, rec->next_serial++};
    ask_capacity();
  }

  void ask_capacity() {
    outside();
    capacity_request ask;
    ask.id = asked_lease;
    ask.client = rec->in.client_name();
    ask.level = rec->in.level;
    ask.targets = asking->targets;
    ask.excluded_keys = asking->excluded_keys;
    ask.tokens = reservation();
    ask.wait_until = asking->wait_until;
    ask.expires = rec->in.deadline + 1min;
    ask.wait_for_circuits = asking->wait_for_circuits;
    ask.charge_retry = asking->charge_retry;
    ask.first_attempt = asking->first_attempt;
    self->request(names->governor, caf::infinite, std::move(ask))
        .then(
            [this](const capacity_reply& r) {
              if (over) return; // the lease went back with owner_gone
              inside();
              allowed_retries = r.max_retries;
              if (r.granted)
                granted(r.got);
              else
                perform(rec->plan->refused(r.no, clock::now()));
            },
            [this](const caf::error&) { again_soon(waking::ask_capacity); });
  }

  void granted(const grant& g) {
    now_at.emplace();
    now_at->lease = g.id;
    now_at->at = asking->targets[g.target_index];
    now_at->key = g.key;
    now_at->limited_key = g.rate_limited_key;
    now_at->stamp_at_once = g.stamp_at_once;
    ask_permit_now();
  }

  void ask_permit_now() {
    auto breaker = names->breakers.find(now_at->at.provider);
    if (breaker == names->breakers.end()) return not_ours();
    self->request(breaker->second, caf::infinite, ask_permit{now_at->lease, configured_model(now_at->at)})
        .then(
            [this](const provider_breaker::answer& p) {
              if (over) return;
              if (p.granted) return place();
              auto at = now_at->at;
              settle_lease_of(*now_at, {false, {}, {}});
              now_at.reset();
              perform(rec->plan->no_permit(at, p.retry_at, clock::now()));
            },
            [this](const caf::error&) { again_soon(waking::ask_permit); });
  }

  /// The model's name as the configuration has it: circuits and metrics are kept by names that no caller can invent.
  const std::string& configured_model(const target& at) const {
    for (auto& rung : rec->model->ladder)
      for (auto& t : rung)
        if (t.provider == at.provider && t.model == at.model) return at.model;
    return rec->model->name;
  }

  const config::key_settings* secret_of(const config::provider_settings& p, const std::string& key) const {
    for (auto& k : p.keys)
      if (k.name == key) return &k;
    return nullptr;
  }

  /// The governor lives by a newer configuration than this run and granted a key that the run does not know: back with
  /// it.
  void not_ours() {
    auto a = std::move(*now_at);
    now_at.reset();
    settle_lease_of(a, {false, {}, {}});
    settle_permit_of(a, failure_class::cancelled);
    asking->excluded_keys.push_back(a.key);
    new_question();
  }

  void place() {
    auto& a = *now_at;
    a.permitted = true;
    auto* provider = rec->in.settings->provider(a.at.provider);
    auto* key = provider ? secret_of(*provider, a.key) : nullptr;
    if (!key) return not_ours();
    a.secret_hash = secret_hash(key->secret_value);
    a.source = to_string(rec->plan->granted(a.at, a.key, clock::now()));
    a.began = clock::now();
    auto call = std::make_shared<http::call>();
    call->url = provider->base_url + "/chat/completions";
    call->header_lines = {"content-type: application/json",
                          rec->asked->stream ? "accept: text/event-stream" : "accept: application/json"};
    call->authorization = secret("authorization: Bearer " + key->secret_value.reveal());
    call->body = {upstream_body(*rec->asked, a.at.model)};
    call->timeouts = timeouts_of(*provider);
    call->credit = stream_window;
    call->proxy = provider->proxy;
    call->pool = provider->name;
    a.credited = stream_window;
    a.placed = true;
    if (rec->asked->stream)
      a.relay.emplace(rec->stream,
                      stream_relay::request{rec->asked->plain_text, rec->asked->wants_usage, rec->asked->choices});
    outside();
    letter<place_call>::post(caf::actor_cast<caf::strong_actor_ptr>(names->upstreams.at(a.at.provider)),
                             place_call{a.lease, std::move(call), caf::actor_cast<caf::actor_addr>(self),
                                        a.stamp_at_once ? governor_ptr() : nullptr});
  }

  /// A plain answer sends nothing before it is whole: its first byte is given the time the answer takes at 50 tokens a
  /// second.
  http::call_timeouts timeouts_of(const config::provider_settings& p) const {
    http::call_timeouts t{p.timeouts.connect, p.timeouts.first_byte, p.timeouts.idle, p.timeouts.total};
    if (!rec->asked->stream) {
      auto cap = std::min<std::uint64_t>(rec->asked->answer_cap, 1000000);
      t.first_byte = cap ? t.first_byte + static_cast<std::int64_t>(cap) * duration(20ms) : t.first_byte * 2;
      t.first_byte = std::min(t.first_byte, t.total);
    }
    return t;
  }

  bool current(std::uint32_t serial) const {
    return !over && now_at && now_at->placed && now_at->lease.serial == serial;
  }

  // -- what the upstream says

  void on_head(const call_head& head) {
    auto& a = *now_at;
    a.status = head.status;
    a.headers = head.headers;
    auto* type = find_header(*head.headers, "content-type");
    a.as_stream = a.relay && head.status < 300 && !(type && type->starts_with("application/json"));
    if (auto limits = limits_in(*head.headers, a.key, a.at.model)) self->send(names->governor, std::move(*limits));
    if (a.limited_key && !a.stamp_at_once && rec->asked->stream)
      self->send(names->governor, lease_sent{a.lease, clock::now()});
  }

  void on_data(const call_data& data) {
    auto& a = *now_at;
    a.received += data.piece->size();
    if (a.as_stream) {
      if (!rec->answered) feed(data.piece);
    } else {
      auto limit = a.status < 300 ? answer_limit : error_body_limit;
      if (a.size + data.piece->size() <= limit) a.pieces.push_back(data.piece);
      a.size += data.piece->size();
      if (a.status < 300 && a.size > answer_limit)
        return call_failed(failure_class::malformed, "the answer is too large");
    }
    if (now_at) top_up();
  }

  void on_end(const call_end& end) {
    auto& a = *now_at;
    a.placed = false;
    if (end.summary.sent_at != instant{}) a.sent_at = end.summary.sent_at;
    if (rec->answered) return stream_over(); // the caller has everything already
    if (end.error && a.as_stream && a.relay->current() == stream_relay::state::finished)
      return finish_stream(); // all but the usage is there
    if (end.error && !(a.status >= 300)) return call_failed(end.error->what, end.error->detail);
    if (a.status >= 300 || a.status < 200) return refused_by_provider();
    if (!a.as_stream) return plain_end();
    inside();
    a.relay->finish(sink());
    after_feed();
  }

  std::string joined() const {
    std::string all;
    all.reserve(now_at->size);
    for (auto& p : now_at->pieces) all += *p;
    return all;
  }

  void refused_by_provider() {
    failure f;
    f.said = read_error(now_at->status, *now_at->headers, joined(), std::chrono::system_clock::now());
    f.what = classify(f.said);
    attempt_failed(f);
  }

  void call_failed(failure_class what, const std::string& detail) {
    failure f;
    f.what = what;
    f.said.message = detail;
    attempt_failed(f);
  }

  void plain_end() {
    auto& a = *now_at;
    inside();
    auto body = a.pieces.size() == 1 ? a.pieces.front() : make_bytes(joined());
    auto facts = read_completion(*body);
    if (facts.error) {
      failure f;
      f.what = classify(*facts.error);
      f.said = *facts.error;
      return attempt_failed(f);
    }
    if (!facts.valid) return call_failed(failure_class::malformed, "the provider's answer is no chat completion");
    a.first_visible = clock::now();
    if (rec->asked->stream) { // asked for a stream, answered whole
      if (rec->stream.begun) return call_failed(failure_class::malformed, "a stream cannot go on with a whole answer");
      auto chunks = chunks_of(*body, rec->asked->wants_usage);
      if (chunks.empty())
        return call_failed(failure_class::malformed, "the provider's answer cannot be told as a stream");
      begin_stream();
      for (auto& chunk : chunks) pass_on(make_bytes(std::move(chunk)));
      return complete_stream(facts.usage, body);
    }
    rec->answered = true;
    rec->in.reply->reply(200, headers_for(*rec, labels(), clock::now()), body);
    keep(body);
    succeeded(facts.usage);
  }

  // -- streams

  stream_relay::sink sink() {
    return {[this] { begin_stream(); },
            [this](bytes_ptr json, bool for_caller) {
              if (assembler) assembler->add(json);
              if (for_caller) pass_on(std::move(json));
            }};
  }

  void feed(const bytes_ptr& piece) {
    inside();
    now_at->relay->feed(piece, sink());
    after_feed();
  }

  void after_feed() {
    auto& relay = *now_at->relay;
    switch (relay.current()) {
    case stream_relay::state::failed: return relay.differs() ? attempt_differed() : attempt_failed(relay.failed_with());
    case stream_relay::state::complete: return finish_stream();
    case stream_relay::state::finished:
      if (wake_for != waking::end_stream) wake_at(clock::now() + usage_grace, waking::end_stream);
      break;
    case stream_relay::state::going: break;
    }
    outside();
  }

  void begin_stream() {
    now_at->first_visible = clock::now();
    if (rec->head_sent) {
      rec->in.reply->stream_comment("mainstay continued on " + now_at->at.provider + "/" + now_at->at.model);
      return;
    }
    rec->head_sent = true;
    if (caching()) assembler.emplace();
    rec->in.reply->stream_head(headers_for(*rec, labels(), clock::now()));
  }

  void pass_on(bytes_ptr json) {
    passed_on += json->size();
    rec->in.reply->stream_event(std::move(json));
  }

  void finish_stream() { complete_stream(now_at->relay->usage(), assembler ? assembler->result() : nullptr); }

  void complete_stream(const std::optional<token_usage>& usage, const bytes_ptr& whole) {
    rec->answered = true;
    rec->in.reply->stream_end(make_bytes(usage_json(usage)), headers_for(*rec, labels(), clock::now()));
    if (whole) keep(whole);
    stream_usage = usage;
    if (!now_at->placed) return stream_over();
    wake_at(clock::now() + end_grace, waking::drop_call); // usually the end is already on its way
  }
  std::optional<token_usage> stream_usage;

  void stream_over() { succeeded(stream_usage); }

  /// Keeps the bytes under way between provider and caller below the window.
  void top_up() {
    auto& a = *now_at;
    auto backlog = passed_on - std::min(passed_on, acknowledged);
    auto allowed = a.received + (backlog < stream_window ? stream_window - backlog : 0);
    if (!a.as_stream) allowed = a.received + stream_window;
    if (allowed < a.credited + stream_window / 4) return;
    letter<add_credit>::post(upstream_ptr(a), add_credit{a.lease, allowed - a.credited});
    a.credited = allowed;
  }

  // -- the end of an attempt

  answer_labels labels() const {
    answer_labels l;
    l.source = now_at->source;
    l.provider = now_at->at.provider;
    l.model = now_at->at.model;
    l.attempts = rec->plan->attempts();
    l.degraded = now_at->source == to_string(answer_source::fallback);
    if (auto& f = rec->plan->first_failure())
      l.reason = to_string(f->what);
    else if (l.degraded)
      l.reason = "capacity";
    return l;
  }

  void keep(const bytes_ptr& completion) {
    bool first_choice = now_at->source != to_string(answer_source::fallback);
    if (caching() && first_choice && !rec->cache_key.empty())
      self->send(names->cache, cache_put{rec->cache_key, completion});
  }

  caf::strong_actor_ptr governor_ptr() const { return caf::actor_cast<caf::strong_actor_ptr>(names->governor); }
  caf::strong_actor_ptr upstream_ptr(const attempt& a) const {
    return caf::actor_cast<caf::strong_actor_ptr>(names->upstreams.at(a.at.provider));
  }

  void settle_lease_of(const attempt& a, governor::settlement how) {
    letter<settle_lease>::post(governor_ptr(), settle_lease{a.lease, std::move(how)});
  }

  void settle_client(std::optional<std::uint64_t> tokens) {
    if (rec->admission && rec->admission->admitted)
      letter<settle_lease>::post(governor_ptr(), settle_lease{{rec->number, 0}, {true, tokens, {}}});
  }

  void settle_permit_of(const attempt& a, std::optional<failure_class> how) {
    if (!a.permitted) return;
    std::optional<duration> first_word;
    if (a.first_visible != instant{}) first_word = a.first_visible - a.began;
    letter<settle_permit>::post(caf::actor_cast<caf::strong_actor_ptr>(names->breakers.at(a.at.provider)),
                                settle_permit{a.lease, how, first_word});
  }

  void tell_key(const attempt& a, std::optional<failure_class> how, std::optional<duration> retry_after) {
    letter<key_outcome>::post(caf::actor_cast<caf::strong_actor_ptr>(names->key_manager),
                              key_outcome{a.key, a.secret_hash, how, retry_after});
  }

  void report_attempt(const attempt& a, std::optional<failure_class> how) {
    auto now = clock::now();
    attempt_report r{a.at.provider, configured_model(a.at), a.key, how, {}, now - a.began};
    if (a.first_visible != instant{}) r.first_token = a.first_visible - a.began;
    rec->report.attempts.push_back(std::move(r));
  }

  void succeeded(const std::optional<token_usage>& usage) {
    inside();
    auto& a = *now_at;
    std::optional<std::uint64_t> tokens;
    if (usage) {
      tokens = usage->input + usage->output;
      rec->report.input_tokens = usage->input;
      rec->report.output_tokens = usage->output;
      rec->report.cached_tokens = usage->cached;
      rec->report.reasoning_tokens = usage->reasoning;
    }
    settle_lease_of(a, {true, tokens, true, false, a.sent_at});
    settle_permit_of(a, {});
    tell_key(a, {}, {});
    settle_client(tokens);
    report_attempt(a, {});
    rec->report.source = a.source;
    rec->report.provider = a.at.provider;
    rec->report.target_model = configured_model(a.at);
    leave("ok");
  }

  /// What a failed attempt cost: nothing where the provider refused, the prompt and what was streamed where it was cut.
  std::uint64_t tokens_of_failure(const attempt& a) const {
    if (!a.relay || !a.relay->saw_visible()) return 0;
    return rec->asked->prompt_tokens + a.relay->text_bytes() / 4 + 1;
  }

  void close_attempt(const failure& f) {
    auto a = std::move(*now_at);
    now_at.reset();
    if (a.placed) letter<cancel_call>::post(upstream_ptr(a), cancel_call{a.lease});
    auto& rules = rules_of(f.what);
    std::optional<bool> success;
    if (rules.whose != blame::caller && rules.whose != blame::nobody) success = false;
    settle_lease_of(a, {true, tokens_of_failure(a), success, f.what == failure_class::rate_limited, a.sent_at});
    settle_permit_of(a, f.what);
    tell_key(a, f.what, f.said.retry_after);
    report_attempt(a, f.what);
  }

  void attempt_failed(failure f) {
    inside();
    close_attempt(f);
    stop_waiting();
    if (rec->stream.begun && !(rec->asked->plain_text && rec->stream.text_only))
      return give_up({f, {}}); // no other attempt can go on with it
    auto next = rec->plan->failed(f, clock::now(), draw(), std::min(allowed_retries, rec->model->retry.max_retries));
    if (!std::holds_alternative<step_give_up>(next)) rec->report.retry_reasons.emplace_back(to_string(f.what));
    perform(next);
  }

  /// Sound, but another answer than the one begun: nobody is to blame, and asking the same target once more is no use.
  void attempt_differed() {
    inside();
    failure neutral;
    neutral.what = failure_class::cancelled;
    close_attempt(neutral);
    stop_waiting();
    perform(rec->plan->differed(clock::now()));
  }

  void stop_waiting() {
    wake_for = waking::nothing;
    ++wake_generation;
  }

  // -- the end of the request

  void give_up(const step_give_up& end) {
    std::optional<duration> wait;
    if (end.retry_at) wait = std::max(duration{}, *end.retry_at - clock::now());
    give(final_answer_of(end.why, rec->plan->story(), wait), end.why.what);
  }

  void give(const final_answer& answer, failure_class what) {
    answer_labels l;
    l.attempts = rec->plan ? rec->plan->attempts() : 0;
    l.final_failure = true;
    l.retry_after_seconds = answer.retry_after_seconds;
    auto headers = headers_for(*rec, l, clock::now());
    rec->answered = true;
    rec->report.status = answer.status;
    if (rec->head_sent)
      rec->in.reply->stream_error(answer.status, error_bytes(answer), std::move(headers));
    else
      rec->in.reply->reply(answer.status, std::move(headers), error_bytes(answer));
    settle_client(rec->report.attempts.empty() ? std::optional<std::uint64_t>(0) : std::nullopt);
    leave(to_string(what));
  }

  void refuse(int status, const std::string& message, const std::string& type, const std::string& code,
              const std::string& param) {
    final_answer a;
    a.status = status;
    a.message = message;
    a.type = type;
    a.code = code;
    a.param = param;
    give(a, failure_class::caller_fault);
  }

  void on_deadline() {
    if (rec->answered) return drop_call(); // only the connection's end was missing
    failure f;
    f.what = failure_class::deadline;
    auto story = rec->plan ? rec->plan->story() : "";
    if (now_at && now_at->permitted) {
      story += (story.empty() ? "" : "; ") + now_at->at.provider + "/" + now_at->at.model + ": no complete answer yet";
      close_attempt(f);
    }
    give_back();
    give(final_answer_of(f, story, {}), f.what);
  }

  void on_caller_left() {
    failure f;
    f.what = failure_class::cancelled;
    if (rec->answered) return; // the end of the stream is being awaited already
    if (now_at && now_at->permitted) close_attempt(f);
    give_back();
    rec->answered = true;
    leave(to_string(f.what));
  }

  /// Whatever a question under way may still bring us goes back.
  void give_back() {
    letter<owner_gone>::post(governor_ptr(), owner_gone{rec->number, {}});
    if (now_at && !now_at->permitted)
      letter<owner_gone>::post(caf::actor_cast<caf::strong_actor_ptr>(names->breakers.at(now_at->at.provider)),
                               owner_gone{rec->number, {}});
    now_at.reset();
  }

  void leave(std::string_view outcome) {
    if (over) return;
    over = true;
    inside();
    rec->in.reply->observe_progress(0, nullptr);
    auto& r = rec->report;
    r.id = rec->in.id;
    r.client = rec->in.client_name();
    if (r.status == 0) r.status = outcome == "cancelled" ? 499 : 200;
    r.outcome = outcome;
    r.retries = rec->plan ? rec->plan->retries() : 0;
    r.took = clock::now() - rec->in.received;
    r.overhead = std::max(duration{}, r.took - rec->provider_time);
    letter<run_report>::post(caf::actor_cast<caf::strong_actor_ptr>(names->metrics), std::move(r));
    letter<run_finished>::post(caf::actor_cast<caf::strong_actor_ptr>(names->dispatcher), run_finished{rec->number});
    self->quit();
  }

  // -- time

  void outside() {
    if (outside_since == instant{}) outside_since = clock::now();
  }
  void inside() {
    if (outside_since == instant{}) return;
    rec->provider_time += clock::now() - outside_since;
    outside_since = {};
  }

  void wake_at(instant when, waking what) {
    wake_for = what;
    send_at(self, when, run_wake{++wake_generation});
  }
  void again_soon(waking what) {
    if (over) return;
    if (stable_front::closed(governor_ptr()))
      return self->quit(caf::exit_reason::user_shutdown); // nobody will ever answer
    wake_at(clock::now() + ask_again_after, what);
  }

  void drop_call() {
    if (!now_at) return;
    if (now_at->placed) letter<cancel_call>::post(upstream_ptr(*now_at), cancel_call{now_at->lease});
    now_at->placed = false;
    stream_over();
  }

  void on_wake(std::uint64_t generation) {
    if (over || generation != wake_generation) return;
    inside();
    switch (std::exchange(wake_for, waking::nothing)) {
    case waking::resume_plan: return perform(rec->plan->resume(clock::now()));
    case waking::ask_capacity: return ask_capacity();
    case waking::ask_permit: return ask_permit_now();
    case waking::ask_admission: return ask_admission();
    case waking::end_stream:
      if (now_at && now_at->relay) finish_stream();
      return;
    case waking::drop_call: return drop_call();
    case waking::nothing: return;
    }
  }
};

run_actor::behavior_type behave(run_actor::stateful_pointer<run_state> self, run_record_ptr rec, directory_ptr names) {
  live_supervised(self);
  auto& st = self->state;
  st.self = self;
  st.rec = std::move(rec);
  st.names = std::move(names);
  self->send(self, run_wake{0}); // begin as a message: a failure in it is one of this actor, not of its parent
  return {
      [&st](const run_wake& w) {
        if (w.generation == 0)
          st.start();
        else
          st.on_wake(w.generation);
      },
      [&st](const deadline_over&) {
        if (!st.over) st.on_deadline();
      },
      [&st](const caller_left&) {
        if (!st.over) st.on_caller_left();
      },
      [&st](const call_head& m) {
        if (st.current(m.serial)) st.on_head(m);
      },
      [&st](const call_data& m) {
        if (st.current(m.serial)) st.on_data(m);
      },
      [&st](const call_end& m) {
        if (st.current(m.serial)) st.on_end(m);
      },
      [&st](const caller_progress& p) {
        st.acknowledged += p.bytes;
        if (!st.over && st.now_at && st.now_at->placed) st.top_up();
      },
      [](const inject_fault& f) { fail_as_told(f); },
  };
}

} // namespace

run_actor spawn_request_run(caf::actor_system& sys, caf::execution_unit* where, run_record_ptr rec,
                            directory_ptr names) {
  caf::actor_config cfg{where};
  auto* begin = &behave;
  return sys.spawn_functor<caf::no_spawn_options>(std::true_type{}, cfg, begin, rec, names);
}

} // namespace mainstay
