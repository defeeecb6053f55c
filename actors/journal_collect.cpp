// What callers ask of it: an answer, an end, or what was answered before under an idempotency key.
#include "actors/journal_state.hpp"

namespace mainstay {

namespace {

kept_answer cancelled() { return error_answer(499, "cancelled", "the request was cancelled"); }

} // namespace

/// Perhaps another node has it.
template <class Question>
void journal_state::not_here(const Question& q, const std::string& why) {
  if (const auto& others = store->names->peer_journal)
    letter<Question>::post(caf::actor_cast<caf::strong_actor_ptr>(others), q);
  else if (q.caller)
    q.caller->refuse(404, "unknown_id", why);
}

void journal_state::unavailable(const std::shared_ptr<live_caller>& caller) {
  if (caller) caller->refuse(503, "journal_unavailable", "the journal cannot be read or written now");
}

void journal_state::collect(const letter<journal_collect>& mail) {
  auto& q = mail.content();
  write(
      [&]() -> effect {
        return [=, this, known = store->file.find(q.client, q.id)](fate f) {
          if (f == fate::died) return;
          mail.opened();
          auto& caller = mail.content().caller;
          if (f == fate::failed) return unavailable(caller);
          if (!known) return not_here(mail.content(), "no durable request of this client has this id");
          attach(*known, caller);
        };
      },
      [=, this](fate f) {
        if (f == fate::died) return;
        mail.opened();
        unavailable(mail.content().caller);
      });
}

void journal_state::cancel(const letter<journal_cancel>& mail) {
  auto& q = mail.content();
  write(
      [&]() -> effect {
        auto known = store->file.find(q.client, q.id);
        kept_answer_ptr ended;
        if (known && !known->answer) {
          auto a = cancelled();
          a.headers = {{"x-request-id", known->name}};
          ended = std::make_shared<const kept_answer>(std::move(a));
          store->file.answer(known->number, *ended, utc_now(), end_of_life());
        }
        return [=, this](fate f) {
          if (f == fate::died) return;
          mail.opened();
          auto& caller = mail.content().caller;
          if (f == fate::failed) return unavailable(caller);
          if (ended) {
            stop_run(known->number);
            settled(known->number, ended, false);
            if (caller) caller->settle(*ended);
          } else if (mail.content().called_off) {
            if (caller) caller->settle(cancelled());
          } else if (!known) {
            not_here(mail.content(), "no request with this id is in flight");
          } else if (caller) {
            caller->refuse(404, "unknown_id", "no request with this id is in flight");
          }
        };
      },
      [=, this](fate f) {
        if (f == fate::died) return;
        mail.opened();
        unavailable(mail.content().caller);
      });
}

void journal_state::stop_run(std::int64_t number) {
  const auto it = store->runs.find(number);
  if (it == store->runs.end()) return;
  const auto call = store->batches.calls.find(it->second);
  if (call != store->batches.calls.end() && !call->second.call_off(number)) return; // the others want it
  letter<caller_left>::post(caf::actor_cast<caf::strong_actor_ptr>(store->names->dispatcher), caller_left{it->second});
}

void journal_state::recall(const std::string& key, recall_promise promise) {
  auto without = [=](fate f) mutable {
    if (f == fate::died)
      promise.deliver(caf::make_error(caf::sec::request_receiver_down));
    else
      promise.deliver(repeat_recalled{});
  };
  write(
      [&]() -> effect {
        return [=, known = store->file.find_repeated(key, utc_now())](fate f) mutable {
          if (f != fate::stored) return without(f);
          promise.deliver(known ? repeat_recalled{true, known->fingerprint, known->answer}
                                : repeat_recalled{true, "", nullptr});
        };
      },
      without);
}

void journal_state::keep(const letter<repeat_keep>& mail) {
  auto& k = mail.content();
  auto end = [=](fate f) {
    if (f != fate::died) mail.opened(); // a disk that fails forgets it: the book has it for a while
  };
  write(
      [&]() -> effect {
        if (store->file.bytes_in_use() < store->limits.size / 2) // the rest is for durable requests
          store->file.keep_repeated(k.key, k.fingerprint, *k.answer, utc_now(), end_of_life());
        return end;
      },
      end);
}

} // namespace mainstay
