#include "actors/request_run.hpp"

#include "actors/attempt.hpp"
#include "actors/intake.hpp"
#include "actors/journal_channel.hpp"
#include "actors/repeats.hpp"
#include "actors/reply_labels.hpp"
#include "actors/supervised.hpp"
#include "actors/turn.hpp"
#include "core/token_estimate.hpp"
#include "net/canned_completion.hpp"
#include "net/chat_messages.hpp"
#include "net/sha256.hpp"
#include "net/truncation.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <random>

namespace mainstay {

namespace {

constexpr std::size_t progress_step = 64u << 10;
constexpr std::size_t answer_limit = 64u << 20; // of a plain answer
constexpr std::size_t error_body_limit = 64u << 10;
// An actor died under our question: its successor is there by then. If it dies of that very question, the pauses grow,
// so that one request does not end the daemon by the restarts it causes.
constexpr auto ask_again_after = 5ms, ask_again_at_most = 640ms;
constexpr auto journal_patience = 5s; // then nothing is accepted
constexpr auto usage_grace = 2s;      // a finished stream whose usage does not come
constexpr auto end_grace = 300ms;     // a complete stream whose connection does not end

double draw() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return std::uniform_real_distribution<double>()(random);
}

struct run_state {
  static inline const char* name = "request_run";

  run_actor::pointer self = nullptr;
  run_record_ptr rec;
  directory_ptr names;
  bool over = false;
  instant outside_since{};
  std::size_t passed_on = 0, acknowledged = 0;   // bytes to the caller
  std::array<std::unique_ptr<attempt>, 2> tries; // under way; the second beside a slow first
  std::unique_ptr<attempt> opening;              // granted, its permit is being asked for
  std::optional<step_acquire>
      asking; // the capacity question under way, to be asked again, under the same lease, if the governor dies
  lease_id asked_lease;
  int allowed_retries = std::numeric_limits<int>::max();
  std::unique_ptr<completion_assembler> assembler;
  std::uint64_t wake_generation = 0;
  enum class waking {
    nothing,
    resume_plan,
    ask_capacity,
    ask_permit,
    ask_admission,
    ask_journal,
    end_stream,
    drop_call
  } wake_for{};
  instant journal_until{}; // as long as it is waited for
  std::chrono::milliseconds ask_again_in = ask_again_after;

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
    if (!c || c->limits.none()) return ask_journal();
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
    if (a.admitted) return ask_journal();
    auto wait = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(a.retry_after).count());
    final_answer answer;
    answer.status = 429;
    answer.type = "rate_limit_error";
    answer.code = "client_limit";
    answer.message = "this client's limit of " + a.limit + " is used up";
    answer.retry_after_seconds = static_cast<int>(wait);
    give(answer, failure_class::rate_limited);
  }

  // -- the journal, and requests that were made before

  void ask_journal() {
    if (rec->admitted_once) return ask_cache();
    const bool repeats = !rec->in.idempotency_key.empty();
    if (!rec->durable && !repeats) return ask_cache();
    if (journal_until == instant{}) journal_until = clock::now() + journal_patience;
    if (clock::now() >= journal_until) return journal_silent();
    if (rec->durable)
      ask_to_keep();
    else
      ask_whether_repeated();
  }

  void journal_silent() {
    final_answer a;
    a.status = 503;
    a.type = "server_error";
    a.code = "journal_unavailable";
    a.message = "the journal does not answer: nothing was accepted";
    a.retry_after_seconds = 1;
    give(a, failure_class::server_error);
  }

  void ask_to_keep() {
    if (rec->asked->stream) rec->durable->caller()->takes_stream(rec->asked->wants_usage);
    rec->durable->asked = true;
    wake_at(journal_until, waking::ask_journal);
    self->request(names->journal, caf::infinite, journal_accept{rec})
        .then(
            [this](const journal_verdict& v) {
              if (over) return;
              stop_waiting();
              if (v.what == journal_verdict::way::refused)
                return refuse(v.status, v.message, v.status < 500 ? "invalid_request_error" : "server_error", v.code,
                              v.param);
              rec->admitted_once = true;
              if (v.what == journal_verdict::way::run) return ask_cache();
              rec->answered = true; // by the journal, now or later
              rec->report.status = 202;
              settle_client(0);
              leave("ok");
            },
            [this](const caf::error&) { again_soon(waking::ask_journal); });
  }

  void ask_whether_repeated() {
    repeat_ask ask{repeat_key(rec->in.client_name(), rec->in.idempotency_key),
                   {rec->number, sha256(*rec->in.body), rec->in.deadline + 1min}};
    self->request(names->repeats, caf::infinite, std::move(ask))
        .then(
            [this](const repeat_reply& r) {
              if (over) return;
              switch (r.what) {
              case repeat_reply::way::first: rec->admitted_once = true; return ask_cache();
              case repeat_reply::way::repeated: return answer_again(*r.answer);
              case repeat_reply::way::other_body:
                return refuse(422, "this idempotency key was used with another body", "invalid_request_error",
                              "idempotency_key_reused", "idempotency-key");
              case repeat_reply::way::unavailable: return journal_silent();
              }
            },
            [this](const caf::error&) { again_soon(waking::ask_journal); });
  }

  void answer_again(const kept_answer& first) {
    auto headers = first.headers;
    for (auto& [name, value] : headers) {
      if (name == "x-request-id") value = rec->in.id;
      if (name == "x-mainstay-source") rec->report.source = value;
    }
    rec->answered = true;
    rec->report.status = first.status;
    give_kept(*rec->in.reply, first, std::move(headers), rec->asked->stream, rec->asked->wants_usage);
    settle_client(0);
    leave(first.status < 300 ? "ok" : to_string(failure_class::caller_fault));
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
              if (over || asking_for_stale) return;
              rec->report.cache_result = hit.completion ? "hit" : "miss";
              rec->report.cache_tier = hit.tier.empty() ? "none" : hit.tier;
              if (!hit.completion || !answer_from_cache(hit.completion, {.source = to_string(answer_source::cache)}))
                start_plan();
            },
            [this](const caf::error&) {
              if (!over && !asking_for_stale) start_plan();
            }); // without an answer it is a miss
  }

  /// False if what the cache holds is no answer: a shared cache may hold anything.
  bool answer_from_cache(const bytes_ptr& completion, answer_labels labels) {
    auto facts = read_completion(*completion);
    std::vector<std::string> chunks;
    if (rec->asked->stream) chunks = chunks_of(*completion, rec->asked->wants_usage);
    if (!facts.valid || facts.error || (rec->asked->stream && chunks.empty())) return false;
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
    settle_client(rec->tokens_spent);
    leave("ok");
    return true;
  }

  // -- carrying out the plan

  /// Leaves out the oldest turns, where the model allows it and something can be left out: always of what the caller
  /// wrote, so that a second cut does not take the first one's marker for a turn.
  bool shorten(std::uint64_t budget) {
    if (rec->model->truncate == config::truncate_mode::none) return false;
    auto whole = parse_chat_request(rec->in.body);
    auto* written = std::get_if<chat_request>(&whole);
    auto shorter = written ? leave_out_oldest(*written, budget) : truncation{};
    if (!shorter.body) return false;
    auto parsed = parse_chat_request(std::move(shorter.body));
    auto* asked = std::get_if<chat_request>(&parsed);
    if (!asked) return false;
    rec->asked = std::move(*asked);
    ++rec->cuts;
    return true;
  }

  std::uint64_t room_for_prompt() const {
    return prompt_budget(rec->model->context_window, rec->asked->answer_cap / rec->asked->choices);
  }

  void start_plan() {
    if (auto room = room_for_prompt(); rec->asked->prompt_tokens > room) shorten(room);
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
    if (auto& s = rec->stream; s.begun && s.tokens() > s.before.output) // what the lost attempt gave was paid for too
      s.before += {rec->asked->prompt_tokens, s.tokens() - s.before.output, 0, 0};
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
    } else if (auto* end = std::get_if<step_give_up>(&step)) {
      give_up(*end);
    } else {
      outside();
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
            [this, id = asked_lease](const capacity_reply& r) {
              if (!awaited(id)) return; // the lease went back when the question was withdrawn
              inside();
              allowed_retries = r.max_retries;
              if (r.granted) return granted(r.got);
              asking.reset();
              perform(rec->plan->refused(r.no, clock::now()));
            },
            [this, id = asked_lease](const caf::error&) {
              if (awaited(id)) again_soon(waking::ask_capacity);
            });
  }

  bool awaited(lease_id question) const { return !over && asking && asked_lease == question; }

  void granted(const grant& g) {
    opening = std::make_unique<attempt>();
    opening->lease = g.id;
    opening->at = asking->targets[g.target_index];
    opening->key = g.key;
    opening->limited_key = g.rate_limited_key;
    opening->stamp_at_once = g.stamp_at_once;
    ask_permit_now();
  }

  void ask_permit_now() {
    auto breaker = names->breakers.find(opening->at.provider);
    if (breaker == names->breakers.end()) return not_ours();
    ask_permit ask{opening->lease, configured_model(*rec, opening->at), rec->asked->answer_cap};
    self->request(breaker->second, caf::infinite, std::move(ask))
        .then(
            [this, id = opening->lease](const permit_reply& r) {
              if (!awaited(id)) return;
              opening->known = r.known;
              if (r.permit.granted) return begin_attempt();
              auto at = opening->at;
              hand_back_lease(id, links());
              opening.reset();
              asking.reset();
              perform(rec->plan->no_permit(at, r.permit.retry_at, clock::now()));
            },
            [this, id = opening->lease](const caf::error&) {
              if (awaited(id)) again_soon(waking::ask_permit);
            });
  }

  /// The governor lives by a newer configuration than this run and granted a key that the run does not know: back with
  /// it.
  void not_ours() {
    hand_back(*opening, links());
    asking->excluded_keys.push_back(opening->key);
    opening.reset();
    new_question();
  }

  void begin_attempt() {
    opening->permitted = true;
    if (!place(*opening, links())) return not_ours();
    auto& slot = tries[0] ? tries[1] : tries[0];
    slot = std::move(opening);
    auto& a = *slot;
    asking.reset();
    if (tries[0] && tries[1]) rec->report.retry_reasons.emplace_back("hedge");
    a.source = to_string(rec->plan->granted(a.lease.serial, a.at, a.key, clock::now()));
    outside();
    if (auto after = rec->model->hedge_after; after && rec->plan->has_others())
      send_at(self, a.began + (rec->asked->stream ? *after : std::max(*after, a.known.usual)),
              hedge_due{a.lease.serial});
  }

  attempt_links links() { return {*rec, *names, caf::actor_cast<caf::actor_addr>(self)}; }

  attempt* open_attempt(std::uint32_t serial) {
    for (auto& a : tries)
      if (a && a->placed && a->lease.serial == serial && !over) return a.get();
    return nullptr;
  }
  /// Once a part of the answer went to the caller.
  attempt* only_attempt() { return tries[0] ? tries[0].get() : tries[1].get(); }

  void on_hedge_due(std::uint32_t serial) {
    auto* a = open_attempt(serial);
    if (a && a->first_visible == instant{} && !rec->answered) perform(rec->plan->hedge(clock::now()));
  }

  /// It gave the first token: whatever was asked beside it is off.
  void won(attempt& a) {
    a.first_visible = clock::now();
    rec->plan->won(a.lease.serial);
    withdraw_question();
    for (auto& other : tries)
      if (other && other.get() != &a) {
        failure lost;
        lost.what = failure_class::cancelled;
        end_attempt(*other, lost);
      }
  }

  void withdraw_question() {
    if (opening)
      hand_back(*opening, links());
    else if (asking)
      hand_back_lease(asked_lease, links());
    opening.reset();
    asking.reset();
    if (wake_for == waking::ask_capacity || wake_for == waking::ask_permit) stop_waiting();
  }

  // -- what the upstream says

  void on_head(attempt& a, const call_head& head) {
    a.status = head.status;
    a.headers = head.headers;
    auto* type = find_header(*head.headers, "content-type");
    a.as_stream = a.relay && head.status < 300 && !(type && type->starts_with("application/json"));
    if (auto limits = limits_in(*head.headers, a.key, a.at.model)) self->send(names->governor, std::move(*limits));
    if (a.limited_key && !a.stamp_at_once && rec->asked->stream)
      self->send(names->governor, lease_sent{a.lease, clock::now()});
  }

  void on_data(attempt& a, const call_data& data) {
    a.received += data.piece->size();
    auto serial = a.lease.serial;
    if (a.as_stream) {
      if (!rec->answered) feed(a, data.piece);
    } else {
      auto limit = a.status < 300 ? answer_limit : error_body_limit;
      auto room = limit - a.size;
      bool fits = data.piece->size() <= room;
      if (!fits && a.status < 300) return call_failed(a, failure_class::malformed, "the answer is too large");
      a.pieces.push_back(fits ? data.piece : make_bytes(data.piece->substr(0, room)));
      a.size += a.pieces.back()->size();
      if (!fits) return refused_by_provider(a); // a refusal is judged by its beginning: nobody waits for an endless one
    }
    if (auto* still = open_attempt(serial)) top_up(*still);
  }

  void on_end(attempt& a, const call_end& end) {
    a.placed = false;
    if (end.summary.sent_at != instant{}) a.sent_at = end.summary.sent_at;
    if (rec->answered) return stream_over(); // the caller has everything already
    if (end.error && a.as_stream && a.relay->current() == stream_relay::state::finished)
      return finish_stream(a); // all but the usage is there
    if (end.error && !(a.status >= 300))
      return call_failed(a, end.error->what, end.error->detail, end.error->kept_connection);
    if (a.status >= 300 || a.status < 200) return refused_by_provider(a);
    if (!a.as_stream) return plain_end(a);
    inside();
    a.relay->finish(sink(a));
    after_feed(a);
  }

  void refused_by_provider(attempt& a) {
    failure f;
    f.said = read_error(a.status, *a.headers, a.joined(), std::chrono::system_clock::now());
    f.what = classify(f.said);
    if (a.prefilled && f.what == failure_class::caller_fault) return prefill_refused(a);
    attempt_failed(a, f);
  }

  void call_failed(attempt& a, failure_class what, const std::string& detail, bool kept_connection = false) {
    failure f;
    f.what = what;
    f.said.message = detail;
    f.kept_connection = kept_connection;
    attempt_failed(a, f);
  }

  void plain_end(attempt& a) {
    inside();
    auto body = a.pieces.size() == 1 ? a.pieces.front() : make_bytes(a.joined());
    auto facts = read_completion(*body);
    if (facts.error) {
      failure f;
      f.what = classify(*facts.error);
      f.said = *facts.error;
      return attempt_failed(a, f);
    }
    if (!facts.valid) return call_failed(a, failure_class::malformed, "the provider's answer is no chat completion");
    if (rec->asked->stream) { // asked for a stream, answered whole
      if (rec->stream.begun)
        return call_failed(a, failure_class::malformed, "a stream cannot go on with a whole answer");
      auto chunks = chunks_of(*body, rec->asked->wants_usage);
      if (chunks.empty())
        return call_failed(a, failure_class::malformed, "the provider's answer cannot be told as a stream");
      begin_stream(a);
      for (auto& chunk : chunks) pass_on(make_bytes(std::move(chunk)));
      return complete_stream(a, facts.usage, body);
    }
    won(a);
    rec->answered = true;
    rec->in.reply->reply(200, headers_for(*rec, labels(a), clock::now()), body);
    keep(a, body);
    succeeded(a, facts.usage);
  }

  // -- streams

  stream_relay::sink sink(attempt& a) {
    return {[this, &a] { begin_stream(a); },
            [this](bytes_ptr json, bool for_caller) {
              if (assembler) assembler->add(json);
              if (for_caller) pass_on(std::move(json));
            }};
  }

  void feed(attempt& a, const bytes_ptr& piece) {
    inside();
    a.relay->feed(piece, sink(a));
    after_feed(a);
  }

  void after_feed(attempt& a) {
    auto& relay = *a.relay;
    switch (relay.current()) {
    case stream_relay::state::failed:
      return relay.differs() ? attempt_differed(a) : attempt_failed(a, relay.failed_with());
    case stream_relay::state::complete: return finish_stream(a);
    case stream_relay::state::finished:
      if (wake_for != waking::end_stream) wake_at(clock::now() + usage_grace, waking::end_stream);
      break;
    case stream_relay::state::going: break;
    }
    outside();
  }

  void begin_stream(attempt& a) {
    won(a);
    if (rec->head_sent) {
      rec->in.reply->stream_comment("mainstay continued on " + a.at.provider + "/" + a.at.model);
      return;
    }
    rec->head_sent = true;
    if (caching()) assembler = std::make_unique<completion_assembler>();
    rec->in.reply->stream_head(headers_for(*rec, labels(a), clock::now()));
  }

  void pass_on(bytes_ptr json) {
    passed_on += json->size();
    rec->in.reply->stream_event(std::move(json));
  }

  void finish_stream(attempt& a) { complete_stream(a, a.relay->usage(), assembler ? assembler->result() : nullptr); }

  void complete_stream(attempt& a, const std::optional<token_usage>& usage, const bytes_ptr& whole) {
    rec->answered = true;
    auto told = usage;
    if (told) *told += rec->stream.before;
    rec->in.reply->stream_end(make_bytes(usage_json(told)), headers_for(*rec, labels(a), clock::now()));
    if (whole) keep(a, whole);
    stream_usage = usage;
    if (!a.placed) return stream_over();
    wake_at(clock::now() + end_grace, waking::drop_call); // usually the end is already on its way
  }
  std::optional<token_usage> stream_usage;

  void stream_over() {
    if (auto* a = only_attempt()) succeeded(*a, stream_usage);
  }

  /// Keeps the bytes under way between provider and caller below the window.
  void top_up(attempt& a) {
    auto backlog = passed_on - std::min(passed_on, acknowledged);
    if (a.as_stream && backlog >= stream_window) a.held_up = true;
    auto allowed = a.received + (backlog < stream_window ? stream_window - backlog : 0);
    if (!a.as_stream) allowed = a.received + stream_window;
    if (allowed >= a.credited + stream_window / 4) let_through(a, allowed - a.credited, links());
  }

  // -- the end of an attempt

  answer_labels labels(const attempt& a) const {
    answer_labels l;
    l.source = a.source;
    l.provider = a.at.provider;
    l.model = a.at.model;
    l.attempts = rec->plan->attempts();
    l.degraded = a.source == to_string(answer_source::fallback) || rec->cuts > 0;
    if (rec->cuts > 0)
      l.reason = "truncated";
    else if (auto& f = rec->plan->first_failure())
      l.reason = to_string(f->what);
    else if (l.degraded)
      l.reason = rec->plan->attempts() > 1 ? "slow" : "capacity";
    return l;
  }

  void keep(const attempt& a, const bytes_ptr& completion) {
    bool first_choice = a.source != to_string(answer_source::fallback);
    if (!caching() || !first_choice || rec->cuts > 0 || rec->cache_key.empty()) return;
    auto took = std::chrono::duration_cast<std::chrono::duration<std::uint32_t, std::milli>>(clock::now() - a.began);
    self->send(names->cache, cache_put{rec->cache_key, completion, took.count()});
  }

  caf::strong_actor_ptr governor_ptr() const { return caf::actor_cast<caf::strong_actor_ptr>(names->governor); }

  /// The node ends before the request did: told to the caller while there is a door to tell it through.
  void cut_off() {
    if (over || rec->answered) return;
    final_answer a;
    a.status = 503;
    a.type = "server_error";
    a.code = "shutting_down";
    a.message = "the node shut down before the request was finished";
    a.retry_after_seconds = 1;
    give(a, failure_class::cancelled);
  }

  void settle_client(std::uint64_t tokens) {
    if (rec->admission && rec->admission->admitted)
      letter<settle_lease>::post(governor_ptr(), settle_lease{{rec->number, 0}, {true, tokens, {}}});
  }

  void succeeded(attempt& a, const std::optional<token_usage>& usage) {
    inside();
    settle_success(a, usage, links());
    settle_client(rec->tokens_spent);
    leave("ok");
  }

  /// Returns its number: the attempt itself is gone.
  std::uint32_t end_attempt(attempt& a, const failure& f) {
    auto serial = a.lease.serial;
    settle_failure(a, f, links());
    for (auto& t : tries)
      if (t && t->lease.serial == serial) t.reset();
    return serial;
  }

  void end_attempts(failure_class what) {
    failure f;
    f.what = what;
    for (auto& t : tries)
      if (t) end_attempt(*t, f);
  }

  void attempt_failed(attempt& a, failure f) {
    inside();
    if (f.what == failure_class::context_length && can_ask_shorter(a)) return ask_shorter(a, f);
    auto serial = end_attempt(a, f);
    stop_waiting_for_end();
    if (rec->stream.begun && !(rec->asked->plain_text && rec->stream.text_only))
      return give_up({f, {}}); // no other attempt can go on with it
    auto next = rec->plan->failed(serial, f, clock::now(), draw(),
                                  std::min(allowed_retries, rec->model->retry.max_retries), rec->stream.begun);
    if (std::holds_alternative<step_acquire>(next) || std::holds_alternative<step_wait>(next))
      rec->report.retry_reasons.emplace_back(to_string(f.what));
    perform(next);
  }

  /// The provider counts otherwise than we do: a quarter less each time, until it fits. What was asked beside a shorter
  /// question already is only asked again.
  bool can_ask_shorter(const attempt& a) {
    constexpr int most_cuts = 4;
    if (rec->stream.begun || rec->plan->attempts() >= rec->model->retry.attempts) return false;
    return a.cuts < rec->cuts ||
           (rec->cuts < most_cuts && shorten(std::min(room_for_prompt(), rec->asked->prompt_tokens / 4 * 3)));
  }

  void ask_shorter(attempt& a, const failure& too_long) {
    rec->report.retry_reasons.emplace_back(to_string(too_long.what));
    perform(rec->plan->misunderstood(end_attempt(a, too_long), clock::now()));
  }

  /// Sound, but another answer than the one begun: nobody is to blame, and asking the same target once more is no use.
  void attempt_differed(attempt& a) {
    inside();
    failure neutral;
    neutral.what = failure_class::cancelled;
    auto serial = end_attempt(a, neutral);
    stop_waiting_for_end();
    perform(rec->plan->differed(serial, clock::now()));
  }

  /// The target takes no conversation that ends in an assistant message: the whole question again. The caller, whose
  /// request was right, hears nothing of it.
  void prefill_refused(attempt& a) {
    inside();
    a.prefill_refused = true;
    rec->refused_prefill.push_back(a.at);
    failure neutral;
    neutral.what = failure_class::cancelled;
    auto serial = end_attempt(a, neutral);
    perform(rec->plan->misunderstood(serial, clock::now()));
  }

  void stop_waiting() {
    wake_for = waking::nothing;
    ++wake_generation;
  }
  void stop_waiting_for_end() {
    if (wake_for == waking::end_stream || wake_for == waking::drop_call) stop_waiting();
  }

  // -- the end of the request

  /// What the caller hears if the cache has no old answer either.
  struct last_word {
    final_answer answer;
    failure_class why;
  };
  std::optional<last_word> asking_for_stale;

  /// The caller's own fault is the caller's to know; and who has a part of one answer gets none of another.
  bool may_be_stale(failure_class why) const {
    return caching() && !rec->cache_key.empty() && !rec->head_sent && rules_of(why).whose != blame::caller &&
           why != failure_class::cancelled;
  }

  void give_stale_or(final_answer answer, failure_class why) {
    if (!may_be_stale(why)) return give_canned_or(answer, why);
    end_attempts(failure_class::cancelled);
    withdraw_question();
    stop_waiting();
    asking_for_stale = last_word{std::move(answer), why};
    self->request(names->cache, caf::infinite, cache_ask{rec->cache_key, true})
        .then([this](const cache_reply& hit) { stale_came(hit); }, [this](const caf::error&) { stale_came({}); });
  }

  void stale_came(const cache_reply& hit) {
    if (over || !asking_for_stale) return;
    const auto last = std::exchange(asking_for_stale, std::nullopt);
    answer_labels labels{.source = to_string(answer_source::stale), .degraded = true, .reason = to_string(last->why)};
    labels.attempts = rec->plan ? rec->plan->attempts() : 0;
    if (hit.completion) {
      rec->report.cache_result = "stale";
      rec->report.cache_tier = hit.tier;
      const auto spent = std::exchange(rec->tokens_spent, 0); // on nothing that the client got
      if (answer_from_cache(hit.completion, labels)) return;
      rec->tokens_spent = spent;
    }
    give_canned_or(last->answer, last->why);
  }

  /// A sentence where one would be an answer: to a client that takes it, not after a part of the answer, not where the
  /// request itself is at fault, nor to who asked for tools, JSON or several choices.
  bool may_be_canned(failure_class why) const {
    return rec->in.settings->degradation.canned && (!rec->in.client || rec->in.client->canned) && !rec->head_sent &&
           rec->asked && rec->asked->plain_text && rules_of(why).whose != blame::caller &&
           why != failure_class::cancelled;
  }

  /// The last rung of the ladder.
  void give_canned_or(const final_answer& answer, failure_class why) {
    if (!may_be_canned(why)) return give(answer, why);
    end_attempts(failure_class::cancelled);
    withdraw_question();
    rec->tokens_spent = 0; // failed attempts may have cost some, but the client got nothing for them
    auto& text = rec->in.settings->degradation.canned->to(last_user_text(*rec->asked));
    answer_labels labels{.source = to_string(answer_source::canned), .degraded = true, .reason = to_string(why)};
    labels.attempts = rec->plan ? rec->plan->attempts() : 0;
    auto now = std::chrono::system_clock::now();
    auto completion = make_bytes(canned_completion(text, rec->asked->model, rec->in.id, now));
    if (!answer_from_cache(completion, labels)) give(answer, why);
  }

  void give_up(const step_give_up& end) {
    std::optional<duration> wait;
    if (end.retry_at) wait = std::max(duration{}, *end.retry_at - clock::now());
    give_stale_or(final_answer_of(end.why, rec->plan->story(), wait), end.why.what);
  }

  void give(const final_answer& answer, failure_class what) {
    answer_labels l;
    l.attempts = rec->plan ? rec->plan->attempts() : 0;
    l.final_failure = answer.code != "shutting_down"; // another node may do it
    l.retry_after_seconds = answer.retry_after_seconds;
    auto headers = headers_for(*rec, l, clock::now());
    end_attempts(failure_class::cancelled);
    withdraw_question();
    rec->answered = true;
    rec->report.status = answer.status;
    if (rec->head_sent)
      rec->in.reply->stream_error(answer.status, error_bytes(answer), std::move(headers));
    else
      rec->in.reply->reply(answer.status, std::move(headers), error_bytes(answer));
    settle_client(rec->tokens_spent);
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
    if (auto last = std::exchange(asking_for_stale, std::nullopt)) return give_canned_or(last->answer, last->why);
    failure f;
    f.what = failure_class::deadline;
    auto story = rec->plan ? rec->plan->story() : "";
    for (auto& a : tries)
      if (a) story += (story.empty() ? "" : "; ") + a->at.provider + "/" + a->at.model + ": no complete answer yet";
    end_attempts(f.what);
    give_back();
    give_stale_or(final_answer_of(f, story, {}), f.what);
  }

  void on_caller_left() {
    if (rec->answered) return; // the end of the stream is being awaited already
    end_attempts(failure_class::cancelled);
    settle_client(rec->tokens_spent);
    give_back();
    rec->answered = true;
    leave(to_string(failure_class::cancelled));
  }

  /// Whatever a question under way may still bring us goes back.
  void give_back() {
    letter<owner_gone>::post(governor_ptr(), owner_gone{rec->number, {}});
    if (opening)
      letter<owner_gone>::post(caf::actor_cast<caf::strong_actor_ptr>(names->breakers.at(opening->at.provider)),
                               owner_gone{rec->number, {}});
    opening.reset();
    asking.reset();
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
    wake_at(clock::now() + ask_again_in, what);
    ask_again_in = std::min(ask_again_in * 2, ask_again_at_most);
  }

  void drop_call() {
    if (auto* a = only_attempt()) {
      cancel(*a, links());
      succeeded(*a, stream_usage);
    }
  }

  void on_wake(std::uint64_t generation) {
    if (over || generation != wake_generation) return;
    inside();
    switch (std::exchange(wake_for, waking::nothing)) {
    case waking::resume_plan: return perform(rec->plan->resume(clock::now()));
    case waking::ask_capacity: return asking ? ask_capacity() : void();
    case waking::ask_permit: return opening ? ask_permit_now() : void();
    case waking::ask_admission: return ask_admission();
    case waking::ask_journal: return ask_journal();
    case waking::end_stream:
      if (auto* a = only_attempt(); a && a->relay) finish_stream(*a);
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
  self->set_exit_handler([&st, self](caf::exit_msg& msg) {
    st.cut_off();
    self->quit(msg.reason);
  });
  self->send(self, run_wake{0}); // begin as a message: a failure in it is one of this actor, not of its parent
  return {
      [&st](const call_data& m) { // by far the most frequent: CAF looks from the first on
        if (auto* a = st.open_attempt(m.serial)) st.on_data(*a, m);
      },
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
      [&st](const hedge_due& due) { st.on_hedge_due(due.serial); },
      [&st](const call_head& m) {
        if (auto* a = st.open_attempt(m.serial)) st.on_head(*a, m);
      },
      [&st](const call_end& m) {
        if (auto* a = st.open_attempt(m.serial)) st.on_end(*a, m);
      },
      [&st](const caller_progress& p) {
        st.acknowledged += p.bytes;
        for (auto& a : st.tries)
          if (a && a->placed && !st.over) st.top_up(*a);
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
