#include "actors/attempt.hpp"

#include "actors/intake.hpp"
#include "actors/key_manager.hpp"
#include "actors/turn.hpp"
#include "config/url.hpp"
#include "net/dialects/embeddings_dialect.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t bytes_per_token = 4; // of an answer whose tokens nobody counted

template <class Handle>
caf::strong_actor_ptr pointer(const Handle& h) {
  return caf::actor_cast<caf::strong_actor_ptr>(h);
}

const config::key_settings* key_named(const config::provider_settings& p, const std::string& name) {
  auto found = std::find_if(p.keys.begin(), p.keys.end(), [&](auto& k) { return k.name == name; });
  return found == p.keys.end() ? nullptr : &*found;
}

bool same_target(const std::vector<target>& list, const target& t) {
  return std::find(list.begin(), list.end(), t) != list.end();
}

config::prefill_mode prefill_mode_of(const config::model_settings& model, const target& at, const std::string& name) {
  for (std::size_t rung = 0; rung < model.ladder.size(); ++rung)
    for (auto& t : model.ladder[rung])
      if (t.provider == at.provider && t.model == name) return model.prefill_of_rung[rung];
  return model.prefill;
}

/// What the target is given to go on with: nothing where it may not be, or would be no use. Blanks at the end are left
/// out, for which many providers refuse a prefill.
std::string_view prefill_for(const attempt& a, const run_record& rec) {
  auto& sent = rec.stream;
  if (!sent.begun || !sent.text_only || !rec.asked->plain_text || rec.asked->assistant_last) return {};
  auto mode = prefill_mode_of(*rec.model, a.at, configured_model(rec, a.at));
  bool may = mode == config::prefill_mode::yes || (mode == config::prefill_mode::automatic && !a.known.prefill_refused);
  const auto* provider = rec.in.settings->provider(a.at.provider);
  if (provider && provider->speaks == dialect::anthropic && !anthropic_takes_prefill(a.at.model)) may = false;
  if (!may || same_target(rec.refused_prefill, a.at)) return {};
  auto end = sent.text.find_last_not_of(" \t\r\n");
  return end == std::string::npos ? std::string_view() : std::string_view(sent.text).substr(0, end + 1);
}

/// A plain answer sends nothing before it is whole: its first byte is given the time such answers were seen to take.
http::call_timeouts timeouts_of(const config::timeout_settings& given, const attempt& a, const run_record& rec) {
  http::call_timeouts t{given.connect, given.first_byte, given.idle, given.total};
  if (rec.merged > 0)
    t.first_byte = t.total; // says nothing before the last of many answers is done
  else if (!rec.asked->stream)
    t.first_byte = std::max(t.first_byte, std::min(a.known.usual, t.total));
  return t;
}

bool asks_natively(const attempt& a, const run_record& rec) {
  const bool as_written = rec.cuts == 0 && rec.dropped.none() && !rec.stream.begun && rec.merged == 0;
  return rec.in.particular().native && !rec.in.restores && rec.in.particular().native->spoken == a.speaks && as_written;
}

/// What is said in the caller's dialect alone, no other does justice: it is not left out either, for answers would
/// differ by more than a parameter.
request_problem only_in_its_own_dialect(const native_request& asked, bool restores) {
  const auto& name = asked.only_native.front();
  if (restores)
    return {"'" + name + "' is for answers in a provider's own words, which are not given where privacy rules change " +
                "or judge them.",
            name, "unsupported_parameter"};
  return {"'" + name + "' has a counterpart at providers of the dialect '" + std::string(to_string(asked.spoken)) +
              "' only.",
          name, "unsupported_parameter"};
}

/// The request as its provider's dialect has it.
provider_request_or in_its_words(attempt& a, const config::provider_settings& provider, const run_record& rec,
                                 const prefill* begun) {
  a.speaks = provider.speaks;
  a.native = asks_natively(a, rec);
  const provider_terms terms{a.at.model, begun, provider.leaves_out_unsupported};
  if (a.speaks != dialect::openai)
    a.label = {"chatcmpl-" + rec.in.id, a.at.model,
               std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())};
  if (rec.asked->kind == request_kind::embeddings) return embeddings_in(a.speaks, *rec.asked, terms);
  if (a.native) return native_call(*rec.in.particular().native, a.at.model);
  if (rec.in.particular().native && !rec.in.particular().native->only_native.empty())
    return only_in_its_own_dialect(*rec.in.particular().native, rec.in.restores);
  switch (a.speaks) {
  case dialect::anthropic: return anthropic_request(*rec.asked, terms);
  case dialect::gemini: return gemini_request(*rec.asked, terms);
  case dialect::openai: break;
  }
  return openai_request(*rec.asked, terms, rec.in.foreign);
}

failure inexpressible(const request_problem& problem) {
  failure f;
  f.what = failure_class::unsupported_feature;
  f.said = {400, "invalid_request_error", problem.code, problem.param, problem.message, {}};
  return f;
}

std::unique_ptr<answer_translator> translator_of(const attempt& a) {
  switch (a.speaks) {
  case dialect::anthropic: return anthropic_stream(a.label, a.native);
  case dialect::gemini: return gemini_stream(a.label);
  case dialect::openai: break;
  }
  return nullptr;
}

void settle_lease_of(const attempt& a, governor::settlement how, const attempt_links& links) {
  letter<settle_lease>::post(pointer(links.names.governor), settle_lease{a.lease, std::move(how)});
}

void settle_permit_of(const attempt& a, std::optional<failure_class> how,
                      std::optional<provider_lessons::event> learned, const attempt_links& links) {
  auto breaker = links.names.breakers.find(a.at.provider);
  if (breaker == links.names.breakers.end()) return;
  const auto& model = configured_model(links.rec, a.at);
  std::optional<duration> first_word, first_byte;
  const bool typical = links.rec.merged == 0; // many answers take longer than one, and say nothing of the model
  if (typical && a.first_visible != instant{}) first_word = a.first_visible - a.began;
  if (typical && a.first_byte != instant{}) first_byte = a.first_byte - a.began;
  letter<settle_permit>::post(pointer(breaker->second),
                              settle_permit{a.lease, how, model, learned, first_word, first_byte});
}

void tell_key(const attempt& a, std::optional<failure_class> how, std::optional<duration> retry_after,
              const attempt_links& links) {
  letter<key_outcome>::post(pointer(links.names.key_manager), key_outcome{a.key, a.secret_hash, how, retry_after});
}

void report(const attempt& a, std::optional<failure_class> how, run_record& rec, const token_usage& billed,
            const token_usage& part = {}) {
  attempt_report r;
  r.number = a.number;
  r.provider = a.at.provider;
  r.model = configured_model(rec, a.at);
  r.key = a.key;
  r.way = a.way;
  r.source = a.source;
  r.failed = how;
  r.status = a.status;
  r.began = a.began - rec.in.received;
  r.took = clock::now() - a.began;
  r.longest_gap = a.longest_gap;
  if (a.as_stream && billed.output > 1 && a.last_visible > a.first_visible)
    r.between_tokens = (a.last_visible - a.first_visible) / (billed.output - 1);
  r.input_tokens = part.input;
  r.output_tokens = part.output;
  r.billed = billed;
  if (const auto& prices = rec.in.settings->prices) r.usd = prices->cost(a.at.provider, a.at.model, billed);
  if (a.first_visible != instant{}) r.first_token = a.first_visible - a.began;
  rec.note(story_mark::attempt_over, a.number);
  rec.report().attempts.push_back(std::move(r));
}

} // namespace

std::string attempt::joined() const {
  std::string all;
  all.reserve(size);
  for (auto& p : pieces) all += *p;
  return all;
}

bytes_ptr attempt::in_our_words(const chat_request& asked, const bytes_ptr& said) const {
  if (speaks == dialect::openai) return said;
  bytes_ptr told;
  if (asked.kind == request_kind::embeddings)
    told = embeddings_out(speaks, said, asked, label.model);
  else
    told = speaks == dialect::anthropic ? anthropic_completion(*said, label, native) : gemini_completion(*said, label);
  return told ? told : said;
}

void attempt::see_tokens(instant now) {
  const auto tokens = relay->tokens();
  if (tokens <= tokens_seen) return;
  tokens_seen = tokens;
  if (last_visible != instant{}) longest_gap = std::max(longest_gap, now - last_visible);
  last_visible = now;
}

token_usage attempt::usage_or_estimate(const chat_request& asked, const std::optional<token_usage>& usage) const {
  if (usage) return *usage;
  token_usage out;
  out.input = asked.prompt_tokens;
  out.output = as_stream && relay ? relay->tokens() : size / bytes_per_token;
  return out;
}

token_usage attempt::usage_if_failed(const chat_request& asked, failure_class what) const {
  if (status >= 300) return {};
  bool answering = relay ? relay->saw_visible() : status >= 200 && size > 0;
  if (answering) return usage_or_estimate(asked, relay ? relay->usage() : std::nullopt);
  switch (what) { // it may be at work on the prompt all the same
  case failure_class::first_byte_timeout:
  case failure_class::idle_timeout:
  case failure_class::total_timeout:
  case failure_class::cancelled:
  case failure_class::deadline: return {began != instant{} ? asked.prompt_tokens : 0, 0, 0, 0};
  default: return {};
  }
}

const std::string& configured_model(const run_record& rec, const target& at) {
  for (auto& rung : rec.model->ladder)
    for (auto& t : rung)
      if (t.provider == at.provider && t.model == at.model) return at.model;
  return rec.model->name;
}

std::variant<bool, failure> place(attempt& a, const attempt_links& links) {
  auto& rec = links.rec;
  auto* provider = rec.in.settings->provider(a.at.provider);
  auto* key = provider ? key_named(*provider, a.key) : nullptr;
  auto* way = provider ? provider->way(a.way, rec.in.particular().region) : nullptr; // never out of its region
  if (!key || !way) return false;
  a.secret_hash = secret_hash(key->secret_value);
  a.began = clock::now();
  prefill begun{prefill_for(a, rec), rec.stream.tokens()};
  a.prefilled = !begun.text.empty();
  auto said = in_its_words(a, *provider, rec, a.prefilled ? &begun : nullptr);
  if (auto* problem = std::get_if<request_problem>(&said)) return inexpressible(*problem);
  auto& asked = std::get<provider_request>(said);
  a.left_out = std::move(asked.left_out);
  auto call = std::make_shared<http::call>();
  call->url = config::url_at(way->base_url, asked.path, a.at.model);
  call->header_lines.reserve(6);
  for (const auto& [name, value] : asked.headers) call->header_lines.push_back(name + ": " + value);
  call->header_lines.emplace_back("content-type: application/json");
  call->header_lines.emplace_back(rec.asked->stream ? "accept: text/event-stream" : "accept: application/json");
  // The same over all attempts, for a provider that honours it must not do the work twice. The rest of an answer is
  // other work, and so is a shorter question, or one for less.
  auto& line = call->header_lines.emplace_back("idempotency-key: ");
  line += rec.in.idempotency_key.empty() ? rec.in.id : rec.in.idempotency_key;
  if (a.prefilled) line += "-rest";
  if (rec.cuts > 0) line += "-cut" + std::to_string(rec.cuts);
  for (auto f : features)
    if (rec.dropped.has(f)) (line += "-without-") += to_string(f);
  if (const auto& trace = rec.in.trace) { // who does not trace passes on what the caller said
    const auto own = rec.in.settings->tracing ? span_of_attempt(trace->root + rec.number, a.number) : trace->parent;
    call->header_lines.push_back("traceparent: " + traceparent(*trace, own));
    if (!trace->state.empty()) call->header_lines.push_back("tracestate: " + trace->state);
  }
  a.cuts = rec.cuts;
  call->authorization = provider->key_line(*key);
  call->body = {std::move(asked.body)};
  call->timeouts = timeouts_of(provider->timeouts, a, rec);
  call->credit = stream_window;
  call->send_by = a.send_by;
  call->proxy = way->proxy;
  call->pool = provider->name;
  a.credited = stream_window;
  a.placed = true;
  if (rec.asked->stream) {
    stream_relay::request how{rec.asked->plain_text, rec.asked->wants_usage, rec.asked->choices, begun.text.size()};
    a.relay.emplace(rec.stream, how, translator_of(a));
  }
  letter<place_call>::post(
      pointer(links.names.upstreams.at(a.at.provider)),
      place_call{a.lease, std::move(call), links.run, a.stamp_at_once ? pointer(links.names.governor) : nullptr});
  return true;
}

void conceal_keys(const attempt& a, const run_record& rec, provider_error& said) {
  const auto* provider = rec.in.settings->provider(a.at.provider);
  if (!provider) return;
  for (const auto& key : provider->keys)
    for (auto* text : {&said.message, &said.type, &said.code, &said.param}) {
      const auto& hidden = key.secret_value.reveal();
      for (auto at = text->find(hidden); at != text->npos; at = text->find(hidden, at))
        text->replace(at, hidden.size(), "[redacted]");
    }
}

void let_through(attempt& a, std::size_t bytes, const attempt_links& links) {
  a.credited += bytes;
  if (a.away) return tell(links.names.guests, away_credit{a.away, bytes});
  letter<add_credit>::post(pointer(links.names.upstreams.at(a.at.provider)), add_credit{a.lease, bytes});
}

void cancel(attempt& a, const attempt_links& links) {
  if (!std::exchange(a.placed, false)) return;
  if (a.away) return tell(links.names.guests, away_leave{a.away});
  letter<cancel_call>::post(pointer(links.names.upstreams.at(a.at.provider)), cancel_call{a.lease});
}

void hand_back_lease(lease_id id, const attempt_links& links) {
  letter<settle_lease>::post(pointer(links.names.governor), settle_lease{id, {false, {}, {}}});
}

void hand_back(const attempt& a, const attempt_links& links) {
  hand_back_lease(a.lease, links);
  settle_permit_of(a, failure_class::cancelled, {}, links);
}

void settle_success(attempt& a, const std::optional<token_usage>& usage, const attempt_links& links) {
  auto& rec = links.rec;
  auto cost = a.usage_or_estimate(*rec.asked, usage);
  if (usage && !rec.guest) { // a guest's are told by its own node
    rec.report().input_tokens = usage->input;
    rec.report().output_tokens = usage->output;
    rec.report().cached_tokens = usage->cached;
    rec.report().reasoning_tokens = usage->reasoning;
    rec.report().cache_write_tokens = usage->cache_writes;
  }
  rec.tokens_spent += cost.input + cost.output;
  if (a.away) return; // the peer settles and reports its own calls
  rec.report().charged_tokens += cost.input + cost.output;
  settle_lease_of(a, {true, cost.input + cost.output, true, false, a.sent_at}, links);
  std::optional<provider_lessons::event> learned;
  if (a.refused_or_ignored_prefill())
    learned = {provider_lessons::event::kind::prefill_refused, 0, {}};
  else if (!a.held_up && !a.prefilled && rec.merged == 0)
    learned = {provider_lessons::event::kind::whole_answer, cost.output, clock::now() - a.began};
  settle_permit_of(a, {}, learned, links);
  tell_key(a, {}, {}, links);
  report(a, {}, rec, cost);
  rec.report().source = a.source;
  rec.report().provider = a.at.provider;
  rec.report().target_model = configured_model(rec, a.at);
}

void settle_failure(attempt& a, const failure& f, const attempt_links& links) {
  auto& rec = links.rec;
  const auto billed = a.usage_if_failed(*rec.asked, f.what);
  const auto tokens = billed.input + billed.output;
  cancel(a, links);
  token_usage part;
  if (a.relay && a.relay->contributed()) part = a.usage_or_estimate(*rec.asked, a.relay->usage());
  rec.stream.before += part;
  rec.tokens_spent += tokens;
  if (a.away) return;
  rec.report().charged_tokens += tokens;
  auto judged = f.kept_connection ? failure_class::cancelled : f.what; // being idle for too long is nobody's failure
  auto& rules = rules_of(judged);
  std::optional<bool> success;
  if (rules.whose != blame::caller && rules.whose != blame::nobody) success = false;
  settle_lease_of(a, {!a.unsent, tokens, success, judged == failure_class::rate_limited, a.sent_at}, links);
  std::optional<provider_lessons::event> learned;
  if (a.refused_or_ignored_prefill())
    learned = {provider_lessons::event::kind::prefill_refused, 0, {}};
  else if (f.what == failure_class::first_byte_timeout && !rec.asked->stream)
    if (auto* provider = rec.in.settings->provider(a.at.provider))
      learned = {provider_lessons::event::kind::too_slow, 0, provider->timeouts.first_byte};
  settle_permit_of(a, judged, learned, links);
  tell_key(a, judged, f.said.retry_after, links);
  report(a, f.what, rec, billed, part);
}

} // namespace mainstay
