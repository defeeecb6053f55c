// What the caller gets: an answer of the cache's, of a provider's as it comes, of before, or an error.
#include "actors/live_caller.hpp"
#include "actors/request_run_state.hpp"
#include "actors/turn.hpp"
#include "net/canned_completion.hpp"
#include "net/chat_messages.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t progress_step = 64u << 10;
constexpr auto similar_patience = 50ms;
constexpr auto end_grace = 300ms; // a complete stream whose connection does not end

} // namespace

void run_state::answer_again(const kept_answer& first) {
  auto headers = first.headers;
  for (auto& [name, value] : headers) {
    if (name == "x-request-id") value = rec->in.id;
    if (name == "x-mainstay-source") rec->report().source = value;
  }
  rec->answered = true;
  rec->report().status = first.status;
  give_kept(*rec->in.reply, first, std::move(headers), rec->asked->stream, rec->asked->wants_usage);
  settle_client(0);
  leave(first.status < 300 ? "ok" : to_string(failure_class::caller_fault));
}

/// The model's name and its ladder: after a reload with other targets, other answers are due.
std::string run_state::whom_it_asks() const {
  auto out = rec->model->name;
  for (auto& rung : rec->model->ladder) {
    out += '\n';
    for (auto& t : rung) out += t.provider + '/' + t.model + ' ';
  }
  return out;
}

/// What an answer depends on besides the request.
std::string run_state::cache_scope() const {
  // A caller of another dialect may be given a provider's own words, which are no use to others.
  const auto form = rec->in.kind == request_kind::embeddings ? "\nembeddings"
                    : rec->in.particular().native            ? "\nnative"
                                                             : "";
  auto out = whom_it_asks() + "\n" + (rec->in.settings->cache->shared ? "" : rec->in.client_name()) + form;
  if (!rec->in.particular().region.empty()) out += "\n" + rec->in.particular().region;
  return out;
}

void run_state::ask_cache() {
  if (!caching()) return start_plan();
  rec->cache_key = cache_key(*rec->asked, cache_scope());
  if (rec->in.cache == cache_mode::refresh) return start_plan();
  rec->cache_asked = clock::now();
  rec->note(story_mark::cache_asked);
  self->request(names->cache, caf::infinite, cache_ask{rec->cache_key})
      .then(
          [this](const cache_reply& hit) {
            if (over || asking_for_stale) return;
            rec->report().cache_result = hit.completion ? "hit" : "miss";
            rec->report().cache_tier = hit.tier.empty() ? "none" : hit.tier;
            rec->note(hit.completion ? story_mark::cache_hit : story_mark::cache_missed);
            if (!hit.completion || !answer_whole(hit.completion, {.source = to_string(answer_source::cache)}))
              cache_missed();
          },
          [this](const caf::error&) {
            if (!over && !asking_for_stale) cache_missed();
          }); // without an answer it is a miss
}

void run_state::cache_missed() {
  using use_for = config::cache_settings::similar_answers::use_for;
  const bool at_once = may_be_similar() && rec->in.settings->cache->similar->use == use_for::always;
  if (at_once && !rec->in.for_cache) return ask_similar();
  get_answer();
}

/// What the answer would cost at the target of first choice; 0 where nobody knows.
double run_state::worth_of(const std::optional<token_usage>& usage) const {
  const auto& prices = rec->in.settings->prices;
  if (!prices || !usage) return 0;
  const auto& first = rec->model->ladder.front().front();
  return prices->cost(first.provider, first.model.empty() ? rec->asked->model : first.model, *usage).value_or(0);
}

/// A whole answer that nobody was asked for just now. False if it is none: a shared cache may hold anything.
bool run_state::answer_whole(const bytes_ptr& completion, answer_labels labels) {
  auto facts = read_answer(rec->in.kind, *completion);
  std::vector<std::string> chunks;
  if (rec->asked->stream) chunks = chunks_of(*completion, rec->asked->wants_usage);
  if (!facts.valid || facts.error || (rec->asked->stream && chunks.empty())) return false;
  labels.model = facts.model;
  rec->report().source = labels.source;
  if (labels.degraded) rec->report().reason = labels.reason;
  rec->report().saved_usd = worth_of(facts.usage);
  auto headers = headers_for(*rec, labels, clock::now());
  rec->answered = true;
  if (rec->asked->stream)
    tell_as_stream(*rec->in.reply, std::move(headers), std::move(chunks), make_bytes(usage_json(facts.usage)));
  else
    rec->in.reply->reply(200, std::move(headers), completion);
  settle_client(rec->tokens_spent);
  leave("ok");
  return true;
}

void run_state::watch_caller() {
  auto weak = caf::actor_cast<caf::actor_addr>(self);
  rec->in.reply->observe_progress(progress_step, [weak](std::size_t bytes) {
    if (auto run = caf::actor_cast<run_actor>(weak)) tell(run, caller_progress{bytes});
  });
}

void run_state::plain_end(attempt& a) {
  inside();
  const auto said = a.pieces.size() == 1 ? a.pieces.front() : make_bytes(a.joined());
  auto body = a.in_our_words(*rec->asked, said);
  auto facts = read_answer(rec->in.kind, *body);
  if (facts.error) {
    failure f;
    f.what = classify(*facts.error);
    f.said = *facts.error;
    return attempt_failed(a, f);
  }
  if (!facts.valid) return call_failed(a, failure_class::malformed, "the provider's answer is none to such a request");
  if (rec->asked->stream) { // asked for a stream, answered whole
    if (rec->stream.begun) return call_failed(a, failure_class::malformed, "a stream cannot go on with a whole answer");
    auto chunks = chunks_of(*body, rec->asked->wants_usage);
    if (chunks.empty())
      return call_failed(a, failure_class::malformed, "the provider's answer cannot be told as a stream");
    begin_stream(a);
    for (auto& chunk : chunks) pass_on(make_bytes(std::move(chunk)));
    return complete_stream(a, facts.usage, body);
  }
  won(a);
  rec->answered = true;
  tell_story();
  rec->in.reply->reply(200, headers_for(*rec, labels(a), clock::now()), body);
  keep(a, body);
  succeeded(a, facts.usage);
}

stream_relay::sink run_state::sink(attempt& a) {
  return {[this, &a] { begin_stream(a); },
          [this](bytes_ptr json, bool for_caller) {
            if (assembler) assembler->add(json);
            if (for_caller) pass_on(std::move(json));
          }};
}

void run_state::begin_stream(attempt& a) {
  won(a);
  if (rec->head_sent) {
    rec->in.reply->stream_comment("mainstay continued on " + a.at.provider + "/" + a.at.model);
    return;
  }
  rec->head_sent = true;
  if (caching()) assembler = std::make_unique<completion_assembler>();
  rec->in.reply->stream_head(headers_for(*rec, labels(a), clock::now()));
}

void run_state::pass_on(bytes_ptr json) {
  passed_on += json->size();
  rec->in.reply->stream_event(std::move(json));
}

void run_state::complete_stream(attempt& a, const std::optional<token_usage>& usage, const bytes_ptr& whole) {
  rec->answered = true;
  auto told = usage;
  if (told) *told += rec->stream.before;
  tell_story();
  rec->in.reply->stream_end(make_bytes(usage_json(told)), headers_for(*rec, labels(a), clock::now()));
  if (whole) keep(a, whole);
  stream_usage = usage;
  if (!a.placed) return stream_over();
  wake_at(clock::now() + end_grace, waking::drop_call); // usually the end is already on its way
}

void run_state::stream_over() {
  if (auto* a = only_attempt()) succeeded(*a, stream_usage);
}

answer_labels run_state::labels(const attempt& a) const {
  if (a.away) return labels_of_host(a);
  answer_labels l;
  l.source = a.source;
  l.provider = a.at.provider;
  l.model = a.at.model;
  l.attempts = rec->plan->attempts();
  l.dropped = rec->dropped;
  l.left_out = a.left_out;
  l.degraded = a.source == to_string(answer_source::fallback) || a.cuts > 0 || !rec->dropped.none();
  if (!rec->dropped.none())
    l.reason = "partial";
  else if (a.cuts > 0)
    l.reason = "truncated";
  else if (auto& f = rec->plan->first_failure())
    l.reason = to_string(f->what);
  else if (l.degraded)
    l.reason = rec->plan->attempts() > 1 ? "slow" : "capacity";
  return l;
}

void run_state::keep(const attempt& a, const bytes_ptr& completion) {
  bool first_choice = a.source != to_string(answer_source::fallback) && !(a.away && labels_of_host(a).degraded);
  if (!caching() || !first_choice || a.cuts > 0 || !rec->dropped.none() || rec->cache_key.empty()) return;
  auto took = std::chrono::duration_cast<std::chrono::duration<std::uint32_t, std::milli>>(clock::now() - a.began);
  // 0: unknown, for a slow reader's time is not the provider's.
  rec->cached = true;
  cache_put put{rec->cache_key, completion, a.held_up ? 0 : took.count()};
  if (may_be_similar()) {
    put.request = rec->in.body;
    put.scope = cache_scope();
  }
  self->send(names->cache, std::move(put));
}

void run_state::settle_client(std::uint64_t tokens) {
  if (rec->flight) return rec->flight->pay(tokens);
  if (rec->admission && rec->admission->admitted && !rec->paid)
    letter<settle_lease>::post(governor_ptr(), settle_lease{{rec->number, 0}, {true, tokens, {}}});
}

void run_state::succeeded(attempt& a, const std::optional<token_usage>& usage) {
  inside();
  const auto told = labels(a);
  if (told.degraded) rec->report().reason = told.reason;
  settle_success(a, usage, links());
  if (a.away) {
    rec->report().source = told.source;
    rec->report().provider = told.provider;
    rec->report().target_model = told.model;
  }
  settle_client(rec->tokens_spent);
  leave("ok");
}

/// The caller's own fault is the caller's to know; and who has a part of one answer gets none of another.
bool run_state::may_be_stale(failure_class why) const {
  return caching() && !rec->flight && !rec->guest && !rec->cache_key.empty() && !rec->head_sent &&
         rules_of(why).whose != blame::caller && why != failure_class::cancelled;
}

void run_state::give_stale_or(final_answer answer, failure_class why) {
  if (rec->in.for_cache) return nothing_left(answer, why);
  if (!may_be_stale(why)) return give_canned_or(answer, why);
  end_attempts(failure_class::cancelled);
  withdraw_question();
  stop_waiting();
  asking_for_similar = false;
  asking_for_stale = last_word{std::move(answer), why};
  rec->note(story_mark::stale_asked);
  self->request(names->cache, caf::infinite, cache_ask{rec->cache_key, true})
      .then([this](const cache_reply& hit) { stale_came(hit); }, [this](const caf::error&) { stale_came({}); });
}

void run_state::stale_came(const cache_reply& hit) {
  if (over || !asking_for_stale || asking_for_similar) return;
  if (hit.completion && answer_from_cache(hit.completion, answer_source::stale, "stale", hit.tier)) return;
  if (may_be_similar()) return ask_similar();
  const auto last = std::exchange(asking_for_stale, std::nullopt);
  give_canned_or(last->answer, last->why);
}

/// In place of what was asked for. False: it is no answer.
bool run_state::answer_from_cache(const bytes_ptr& completion, answer_source source, const char* result,
                                  const std::string& tier) {
  answer_labels labels{.source = to_string(source), .degraded = true};
  labels.reason = asking_for_stale ? to_string(asking_for_stale->why) : to_string(source);
  labels.attempts = attempts();
  const auto before = std::pair(rec->report().cache_result, rec->report().cache_tier);
  rec->report().cache_result = result;
  rec->report().cache_tier = tier;
  const auto spent = std::exchange(rec->tokens_spent, 0); // on nothing that the client got
  if (answer_whole(completion, labels)) return true;
  rec->tokens_spent = spent;
  std::tie(rec->report().cache_result, rec->report().cache_tier) = before;
  return false;
}

/// Only a sentence for a sentence: who calls tools or wants JSON needs an answer to that very question.
bool run_state::may_be_similar() const {
  const auto& in = rec->in;
  if (!caching() || !in.settings->cache->similar || !names->similar || rec->cache_key.empty()) return false;
  const auto& model = in.settings->cache->similar->embedding; // is told the question
  if (model && !in.particular().region.empty()) {
    const auto* told = in.settings->provider(model->provider);
    const auto stands_there = [&](const auto& way) { return way.region == in.particular().region; };
    if (!told || !std::all_of(told->ways.begin(), told->ways.end(), stands_there)) return false;
  }
  return rec->asked->plain_text;
}

/// Nobody waits for it for long, and at the deadline for a moment only: without an answer there is none.
void run_state::ask_similar() {
  asking_for_similar = true;
  rec->note(story_mark::similar_asked);
  const auto soon = clock::now() + similar_patience;
  const auto& model = rec->in.settings->cache->similar->embedding;
  const auto until = model ? std::max(soon, std::min(soon + model->timeout, rec->in.deadline)) : soon;
  wake_at(until, waking::ask_similar);
  self->request(names->similar, caf::infinite, similar_ask{rec->in.body, cache_scope(), until})
      .then([this](const similar_reply& r) { similar_came(r.completion); },
            [this](const caf::error&) { similar_came(nullptr); });
}

void run_state::similar_came(const bytes_ptr& completion) {
  if (over || !std::exchange(asking_for_similar, false)) return;
  rec->note(story_mark::similar_over);
  stop_waiting();
  if (completion && answer_from_cache(completion, answer_source::similar, "hit", "similar")) return;
  if (!asking_for_stale) return get_answer();
  const auto last = std::exchange(asking_for_stale, std::nullopt);
  give_canned_or(last->answer, last->why);
}

/// A sentence where one would be an answer: to a client that takes it, not after a part of the answer, not where the
/// request itself is at fault, nor to who asked for tools, JSON or several choices.
bool run_state::may_be_canned(failure_class why) const {
  return rec->in.settings->degradation.canned && (!rec->in.client || rec->in.client->canned) && !rec->head_sent &&
         rec->asked && rec->asked->plain_text && rec->dropped.none() && !rec->flight && !rec->guest &&
         rules_of(why).whose != blame::caller && why != failure_class::cancelled;
}

void run_state::nothing_left(const final_answer& answer, failure_class why) {
  if (!std::exchange(waits_otherwise, false)) return give(answer, why);
  if (rec->plan) return perform(rec->plan->nothing_to_offer(clock::now()));
  rec->patient = true; // that flight waits for nobody: those who have nothing else share one that does
  ask_other_seat();
}

/// The last rung of the ladder.
void run_state::give_canned_or(const final_answer& answer, failure_class why) {
  if (!may_be_canned(why)) return nothing_left(answer, why);
  end_attempts(failure_class::cancelled);
  withdraw_question();
  rec->note(story_mark::canned);
  rec->tokens_spent = 0; // failed attempts may have cost some, but the client got nothing for them
  auto& text = rec->in.settings->degradation.canned->to(last_user_text(*rec->asked));
  answer_labels labels{.source = to_string(answer_source::canned), .degraded = true, .reason = to_string(why)};
  labels.attempts = attempts();
  auto now = std::chrono::system_clock::now();
  auto completion = make_bytes(canned_completion(text, rec->asked->model, rec->in.id, now));
  if (!answer_whole(completion, labels)) nothing_left(answer, why);
}

void run_state::give_up(const step_give_up& end) {
  if (ask_for_less(end)) return;
  std::optional<duration> wait;
  if (end.retry_at) wait = std::max(duration{}, *end.retry_at - clock::now());
  auto answer = final_answer_of(end.why, rec->plan->story(), wait);
  answer.outage = end.outage;
  give_stale_or(std::move(answer), end.why.what);
}

void run_state::give(const final_answer& answer, failure_class what) {
  if (step_off()) return;
  answer_labels l;
  l.attempts = attempts();
  l.final_failure = answer.code != "shutting_down" && !rec->must_move; // another node may do it, or this one soon
  l.retry_after_seconds = answer.retry_after_seconds;
  auto headers = headers_for(*rec, l, clock::now());
  end_attempts(failure_class::cancelled);
  withdraw_question();
  rec->answered = true;
  rec->report().status = answer.status;
  rec->report().code = answer.code;
  tell_story();
  if (rec->flight)
    rec->flight->fail(answer, what, rec->tokens_spent);
  else if (rec->head_sent)
    rec->in.reply->stream_error(answer.status, error_bytes(answer), std::move(headers));
  else
    rec->in.reply->reply(answer.status, std::move(headers), error_bytes(answer));
  settle_client(rec->tokens_spent);
  leave(to_string(what));
}

/// The node's own trouble, not the request's: a moment later, or another node, may do it.
void run_state::unavailable(const std::string& code, const std::string& message, failure_class what) {
  final_answer a;
  a.status = 503;
  a.type = "server_error";
  a.code = code;
  a.message = message;
  a.retry_after_seconds = 1;
  give(a, what);
}

void run_state::refuse(int status, const std::string& message, const std::string& type, const std::string& code,
                       const std::string& param) {
  final_answer a;
  a.status = status;
  a.message = message;
  a.type = type;
  a.code = code;
  a.param = param;
  give(a, failure_class::caller_fault);
}

} // namespace mainstay
