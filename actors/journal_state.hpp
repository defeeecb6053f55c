// What the journal knows and does, shared by the files it is told in: journal.cpp (its transactions, its time and what
// a console sees), journal_accept.cpp (what it takes in), journal_collect.cpp (what callers ask of it),
// journal_answers.cpp (what runs come to), journal_batches.cpp (requests that share a call) and journal_replays.cpp
// (who runs again, and when). Nobody else's.
#pragma once

#include "actors/intake.hpp"
#include "actors/journal.hpp"
#include "actors/journal_channel.hpp"

#include <algorithm>
#include <functional>
#include <vector>

namespace mainstay {

inline utc_time utc_now() { return std::chrono::system_clock::now(); }

inline instant instant_of(utc_time t) {
  return clock::now() + std::chrono::duration_cast<duration>(std::max(t - utc_now(), utc_time::duration::zero()));
}

struct journal_state {
  static inline const char* name = "journal";
  static constexpr std::size_t batch_limit = 1000; // operations in one transaction
  static constexpr auto gather_for = 1s;           // as long as the first of a batch waits for others

  /// What became of a batch. `died`: the actor did, nothing of it is written, and letters come again.
  enum class fate : std::uint8_t { stored, failed, died };
  using effect = std::function<void(fate)>;
  using accept_promise = caf::typed_response_promise<journal_verdict>;
  using recall_promise = caf::typed_response_promise<repeat_recalled>;

  journal_actor::pointer self = nullptr;
  std::shared_ptr<journal_store> store;
  std::unique_ptr<sqlite::transaction> open;
  std::vector<effect> after; // to be done when it has ended, in order
  std::uint64_t generation = 0;
  instant armed = instant::max(), expire_at{}, try_disk_at{};

  ~journal_state() {
    open.reset();
    for (auto& e : after) e(fate::died);
  }

  // -- its transactions, its time and what a console sees
  /// `work` writes and says what to do when that is on disk; where it cannot be written, `otherwise` is done instead.
  template <class Work>
  void write(Work work, effect otherwise) {
    try {
      if (!open) {
        open = store->file.begin();
        self->send(self, commit_due{}); // behind all that waits already
      }
      after.push_back(work());
    } catch (const sqlite::error& e) {
      after.push_back(std::move(otherwise));
      return fail(e);
    }
    if (after.size() >= batch_limit) commit();
  }
  void commit();
  void fail(const sqlite::error& e);
  void end_batch(fate f);
  void arm();
  void on_time();
  void end_late_callers(instant now);
  void try_disk(instant now);
  void expire(instant now);
  void expired(const journal_file::expired& gone);
  void flush(caf::typed_response_promise<std::uint64_t> promise);
  void end_callers();
  journal_view view();

  // -- what it takes in
  void refuse(accept_promise& promise, fate f);
  void accept(const run_record_ptr& rec, accept_promise promise);
  effect take_in(const run_record_ptr& rec, accept_promise promise);
  double fullness();
  void begin(std::int64_t number, const run_record_ptr& rec, utc_time ready, accept_promise& promise);
  void forget(std::int64_t number);
  void attach(const journal_file::known_request& k, const std::shared_ptr<live_caller>& caller);
  void wait_for(std::int64_t number, const std::shared_ptr<live_caller>& caller);

  // -- what callers ask of it
  void unavailable(const std::shared_ptr<live_caller>& caller);
  template <class Question>
  void not_here(const Question& q, const std::string& why);
  void collect(const letter<journal_collect>& mail);
  void cancel(const letter<journal_cancel>& mail);
  void stop_run(std::int64_t number);
  void recall(const std::string& key, recall_promise promise);
  void keep(const letter<repeat_keep>& mail);

  // -- what runs come to
  void done(const letter<journal_done>& mail);
  void not_written(const letter<journal_done>& mail, fate f);
  utc_time end_of_life() const;
  void settled(std::int64_t number, const kept_answer_ptr& answer, bool of_a_run);
  void drop(std::int64_t number, bool answered);
  void tell_callers(std::int64_t number, const kept_answer& answer);
  void park(const journal_done& d);
  bool runs_in(std::int64_t number, request_id run) const;
  bool take_back(std::int64_t number, request_id run);
  void park(std::int64_t number, const std::string& model, instant now, double draw);
  void wait_again(std::int64_t number);

  // -- requests that share a call
  void gather(const journal_done& d);
  bool run_together(std::vector<std::int64_t> all);
  void batch_done(const letter<journal_done>& mail);
  void batch_over(const letter<journal_done>& mail, const batch_outcome& outcome, fate f);
  void ask_alone(std::int64_t number, instant now);
  void batch_failed(const journal_done& d, const std::optional<failure_class>& refused);

  // -- who runs again, and when
  void go_on();
  void run(std::int64_t number);
  void end_revoked(const journal_request& r);
  void tell_revoked();
  std::optional<const config::client_settings*> owner_of(const journal_request& r) const;
  std::shared_ptr<run_record> record_of(priority level, const config::client_settings* client, std::int64_t number);
  void submit(const run_record_ptr& rec);
  journal_held hold(const std::vector<std::string>& models);
  void let_try(const journal_try& t);
};

} // namespace mainstay
