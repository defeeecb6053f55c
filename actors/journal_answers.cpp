// What runs come to: an answer, which is written down and told, or nothing, after which they wait.
#include "actors/jitter.hpp"
#include "actors/journal_state.hpp"

namespace mainstay {

namespace {

/// What may stand in for an answer for who waits now, without being one.
bool stands_in(const kept_answer& a) { return a.status >= 200 && a.status < 300; }

} // namespace

void journal_state::done(const letter<journal_done>& mail) {
  auto& d = mail.content();
  if (store->batches.calls.count(d.run)) return batch_done(mail);
  if (!d.gather.empty()) {
    mail.opened();
    return gather(d);
  }
  if (!d.answer || !settles(*d.answer)) {
    mail.opened();
    if (d.answer && stands_in(*d.answer)) tell_callers(d.number, *d.answer);
    return park(d);
  }
  write(
      [&]() -> effect {
        const bool first = store->file.answer(d.number, *d.answer, utc_now(), end_of_life());
        return [=, this](fate f) {
          if (f != fate::stored) return not_written(mail, f);
          mail.opened();
          settled(mail.content().number, first ? mail.content().answer : nullptr, true);
        };
      },
      [=, this](fate f) { not_written(mail, f); });
}

/// Whoever waits gets it all the same; for later collectors it has to be asked for again.
void journal_state::not_written(const letter<journal_done>& mail, fate f) {
  if (f == fate::died) return;
  mail.opened();
  auto& d = mail.content();
  tell_callers(d.number, *d.answer);
  park(d);
}

utc_time journal_state::end_of_life() const {
  return utc_now() + std::chrono::duration_cast<utc_time::duration>(store->limits.retention);
}

/// `of_a_run`: the answer speaks for the providers.
void journal_state::settled(std::int64_t number, const kept_answer_ptr& answer, bool of_a_run) {
  store->runs.erase(number);
  drop(number, answer && of_a_run);
  if (!answer) return; // it had one before
  ++store->stored;
  tell_callers(number, *answer);
}

/// Nothing is left to be asked.
void journal_state::drop(std::int64_t number, bool answered) {
  store->queue.done(number, answered);
  store->batches.pool.done(number);
}

void journal_state::tell_callers(std::int64_t number, const kept_answer& answer) {
  auto node = store->callers.extract(number);
  if (!node) return;
  for (auto& c : node.mapped()) c->settle(answer);
}

void journal_state::park(const journal_done& d) {
  if (take_back(d.number, d.run)) park(d.number, d.model, clock::now(), draw());
  go_on();
}

/// Else another run has it, or it has its answer.
bool journal_state::runs_in(std::int64_t number, request_id run) const {
  const auto it = store->runs.find(number);
  return it != store->runs.end() && it->second == run;
}

bool journal_state::take_back(std::int64_t number, request_id run) {
  return runs_in(number, run) && store->runs.erase(number) > 0;
}

/// `model`: empty where its run did not come to know.
void journal_state::park(std::int64_t number, const std::string& model, instant now, double draw) {
  ++store->parks;
  if (!model.empty()) store->queue.belongs_to(number, model);
  store->queue.park(number, now, draw);
  wait_again(number);
}

void journal_state::wait_again(std::int64_t number) {
  if (auto from = store->queue.ready_at(number)) store->batches.pool.wait(number, *from);
}

} // namespace mainstay
