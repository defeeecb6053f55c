// Requests that share a call: they gather, are asked together, and are told apart again.
#include "actors/jitter.hpp"
#include "actors/journal_state.hpp"

namespace mainstay {

namespace {

constexpr auto refused_rest = 10min; // a shape whose merged call was refused is asked one by one

/// The call itself, not the way to it: whoever waited for capacity or could not connect was not too large.
bool took_too_long(const kept_answer& a) {
  if (a.status != 504) return false;
  const auto* attempts = find_header(a.headers, "x-mainstay-attempts");
  if (attempts && *attempts == "0") return false;
  const auto said = read_error(a.status, a.headers, *a.body, std::chrono::system_clock::now());
  return said.code != to_string(failure_class::connect_timeout);
}

} // namespace

/// It waits for others, but not for long, and not once the batch is full.
void journal_state::gather(const journal_done& d) {
  if (!take_back(d.number, d.run)) return;
  const auto now = clock::now();
  auto& b = store->batches;
  b.pool.wait(d.number, now);
  store->queue.again(d.number, now + gather_for);
  if (const auto first = b.pool.first_of_full(d.number, b.models[d.gather].size.now(), now))
    store->queue.hasten(first, now);
  go_on();
}

/// One call for as many of these as it can take. False: the first one goes alone.
bool journal_state::run_together(std::vector<std::int64_t> all) {
  const auto first = store->file.unanswered(all.front());
  const auto who = first ? owner_of(*first) : std::nullopt;
  if (!who || (*who && (*who)->revoked)) return false;
  auto composer = batch_composer::begin(*first, *store->settings);
  if (!composer) return false;
  const auto most = store->batches.models[composer->model()].size.now();
  for (std::size_t i = 1; i < all.size() && composer->size() < most; ++i)
    if (auto r = store->file.unanswered(all[i]); r && !composer->add(*r)) break;
  if (composer->size() < 2) return false;
  auto [body, key, call] = std::move(*composer).finish();
  auto rec = record_of(priority::low, *who, -1); // a number of nobody's
  rec->merged = call.numbers.size();
  if (rec->in.particular().region.empty() && !first->region.empty())
    rec->in.make_particular().region = first->region; // all of one shape have the same
  call.client = rec->in.client_name();
  rec->in.id = call.name = new_request_name(rec->number);
  rec->in.body = std::move(body);
  rec->in.idempotency_key = std::move(key);
  rec->in.cache = cache_mode::off; // it is nobody's question
  call.began = rec->in.received;
  for (auto n : call.numbers) {
    store->batches.pool.leave(n);
    store->queue.join(n); // but for the first one, which has its place already
    store->runs[n] = rec->number;
  }
  // Who is left over, and enough for another call, need not wait for more either.
  const auto next = store->batches.pool.first_of_full(all.front(), most, call.began);
  if (next) store->queue.hasten(next, call.began);
  store->batches.calls[rec->number] = std::move(call);
  submit(rec);
  return true;
}

void journal_state::batch_done(const letter<journal_done>& mail) {
  auto& d = mail.content();
  auto& call = store->batches.calls.at(d.run);
  const auto refused = d.answer ? refusal_of(*d.answer, utc_now()) : std::nullopt;
  if (!d.answer || !settles(*d.answer) || refused) {
    mail.opened();
    return batch_failed(d, refused);
  }
  auto outcome = take_apart(call, *d.answer, utc_now());
  write(
      [&]() -> effect {
        for (std::size_t i = 0; i < call.numbers.size(); ++i)
          if (auto& a = outcome.answers[i]; call.numbers[i] != 0 && a)
            store->file.answer(call.numbers[i], *a, utc_now(), end_of_life());
        return [=, this](fate f) { batch_over(mail, outcome, f); };
      },
      [=, this](fate f) { batch_over(mail, outcome, f); });
}

/// Those without an answer are asked alone, at once. Where nothing could be written, all are asked again.
void journal_state::batch_over(const letter<journal_done>& mail, const batch_outcome& outcome, fate f) {
  if (f == fate::died) return;
  mail.opened();
  const auto& d = mail.content();
  const auto call = std::move(store->batches.calls.extract(d.run).mapped());
  const auto now = clock::now();
  auto& model = store->batches.models[call.model];
  const auto pause = draw();
  for (std::size_t i = 0; i < call.numbers.size(); ++i) {
    const auto n = call.numbers[i];
    auto& a = outcome.answers[i];
    if (!runs_in(n, d.run)) continue; // called off, or its time is over
    if (f == fate::stored && a) {
      settled(n, a, true);
    } else if (f == fate::stored) {
      ask_alone(n, now);
    } else {
      if (a) tell_callers(n, *a);
      take_back(n, d.run);
      park(n, d.model, now, pause);
    }
  }
  if (f == fate::stored) {
    self->send(store->names->metrics, model.count(call, outcome));
    outcome.cut_short ? model.size.too_large() : model.size.answered(now - call.began, call.limit);
  }
  go_on();
}

void journal_state::ask_alone(std::int64_t number, instant now) {
  store->runs.erase(number);
  store->batches.pool.set_alone(number);
  store->queue.again(number, now);
}

/// A refusal is about the batch: nobody knows which of them it means. A failure is nobody's fault, and they wait for
/// better times together; but one whose time was over was too large.
void journal_state::batch_failed(const journal_done& d, const std::optional<failure_class>& refused) {
  const auto call = std::move(store->batches.calls.extract(d.run).mapped());
  const auto now = clock::now();
  const auto pause = draw();
  auto& model = store->batches.models[call.model];
  const bool too_large = refused == failure_class::context_length || (d.answer && took_too_long(*d.answer));
  if (too_large) model.size.too_large();
  if (refused && !too_large && refused != failure_class::content_filter)
    store->batches.pool.rest_group(call.shape, now + refused_rest);
  for (auto n : call.numbers) {
    if (!runs_in(n, d.run)) continue;
    if (refused) {
      ask_alone(n, now);
    } else {
      take_back(n, d.run);
      if (too_large) store->batches.pool.set_alone(n);
      park(n, d.model, now, pause);
    }
  }
  if (d.answer) ++model.failed; // else nobody wanted it any more, or the node ends
  go_on();
}

} // namespace mainstay
