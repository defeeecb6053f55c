// What one request's run knows and does, shared by the files it is told in: request_run.cpp (its beginning, its waits
// and its end), request_run_flight.cpp (what it shares with equal requests), request_run_attempts.cpp (whom it asks,
// and what they say), request_run_moves.cpp (another node that works on it) and request_run_answers.cpp (what its
// caller gets). Nobody else's.
#pragma once

#include "actors/attempt.hpp"
#include "actors/flight_channel.hpp"
#include "actors/reply_labels.hpp"
#include "actors/request_run.hpp"
#include "core/final_answer.hpp"
#include "net/chat_answer.hpp"

#include <array>
#include <limits>
#include <memory>

namespace mainstay {

// An actor died under our question: its successor is there by then. If it dies of that very question, the pauses grow,
// so that one request does not end the daemon by the restarts it causes.
inline constexpr auto ask_again_after = 5ms, ask_again_at_most = 640ms;

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
  std::optional<step_acquire> asking;            // the capacity question under way, for when the governor dies over it
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
    ask_seat,
    ask_similar,
    end_stream,
    drop_call
  } wake_for{};
  instant journal_until{}; // as long as it is waited for
  std::chrono::milliseconds ask_again_in = ask_again_after;
  std::optional<token_usage> stream_usage;
  /// What the caller hears if the cache has no old answer either.
  struct last_word {
    final_answer answer;
    failure_class why;
  };
  boxed<last_word> asking_for_stale; // or for a similar one
  bool asking_for_similar = false;
  struct host_search {
    std::uint32_t serial = 0;            // under which it asked
    std::optional<refusal> else_refused; // what its plan hears if there is none
  };
  boxed<host_search> looks_for_host;
  boxed<std::string> joins_at;  // the peer that flies the same
  bool waits_otherwise = false; // an error is not the last word: without another answer it waits

  // -- its beginning, its waits and its end
  void start();
  void refuse_model();
  void refuse_denied();
  bool stay_in_region();
  std::uint64_t reservation() const;
  void ask_admission();
  void admitted(const client_admission& a);
  void ask_journal();
  void journal_silent();
  void ask_to_keep();
  void leave_to_batch();
  void ask_whether_repeated();
  caf::strong_actor_ptr governor_ptr() const { return caf::actor_cast<caf::strong_actor_ptr>(names->governor); }
  void cut_off();
  void stop_waiting();
  void stop_waiting_for_end();
  void on_deadline();
  void on_caller_left();
  void on_client_revoked();
  void give_back();
  void leave(std::string_view outcome);
  void outside();
  instant inside(); // now
  void wake_at(instant when, waking what);
  void again_soon(waking what);
  void drop_call();
  void on_wake(std::uint64_t generation);

  // -- what it shares with equal requests
  bool may_share() const;
  void get_answer();
  void ask_seat();
  void board();
  void on_flight_ended();
  void flight_came(const flight_channel::progress& seen);
  void ask_other_seat();
  bool step_off();
  int attempts() const;
  std::string story() const;
  void fly();
  void ask_who_flies();
  void take_terms();
  void keep_lease_of(attempt& a);
  instant lease_end() const;
  void tell_story();

  // -- whom it asks, and what they say
  bool shorten(std::uint64_t budget);
  chat_request as_asked() const;
  void ask_whole_again();
  void fit();
  std::uint64_t room_for_prompt() const;
  void start_plan();
  void recover();
  void perform(const plan_step& step);
  void new_question();
  void ask_capacity();
  bool awaited(lease_id question) const { return !over && asking && asked_lease == question; }
  void granted(const grant& g, instant kept_until);
  void ask_permit_now();
  void not_ours();
  void pass_over(const failure& why);
  void begin_attempt();
  attempt_links links() { return {*rec, *names, caf::actor_cast<caf::actor_addr>(self)}; }
  attempt* open_attempt(std::uint32_t serial);
  /// Once a part of the answer went to the caller.
  attempt* only_attempt() { return tries[0] ? tries[0].get() : tries[1].get(); }
  void ask_beside(std::uint32_t serial);
  void won(attempt& a);
  void withdraw_question();
  void on_head(attempt& a, const call_head& head);
  void on_data(attempt& a, const call_data& data);
  void on_end(attempt& a, const call_end& end);
  void refused_by_provider(attempt& a);
  void not_sent(attempt& a);
  void call_failed(attempt& a, failure_class what, const std::string& detail, bool kept_connection = false);
  void feed(attempt& a, const bytes_ptr& piece);
  void after_feed(attempt& a);
  void top_up(attempt& a);
  std::uint32_t end_attempt(attempt& a, const failure& f);
  void end_attempts(failure_class what);
  void attempt_failed(attempt& a, failure f);
  bool can_ask_shorter(const attempt& a);
  void ask_shorter(attempt& a, const failure& too_long);
  feature_set dispensable() const;
  bool ask_for_less(const step_give_up& end);
  void attempt_differed(attempt& a);
  void prefill_refused(attempt& a);

  // -- another node
  bool may_move() const;
  bool moves_on(refusal_reason why);
  void look_for_host(move_reason why, std::optional<refusal> else_refused = {});
  void host_found(const away_seat& seat, std::uint32_t serial, move_reason why);
  void no_host(move_reason why, const std::optional<refusal>& otherwise = {});
  void go_away(const away_seat& seat, std::uint32_t serial);
  void look_elsewhere(std::uint32_t question, move_reason why);
  void host_refused(attempt& a);
  void come_home(attempt& a, const failure& why);
  answer_labels labels_of_host(const attempt& a) const;

  // -- what its caller gets
  void answer_again(const kept_answer& first);
  bool caching() const { return rec->in.settings->cache && rec->in.cache != cache_mode::off; }
  std::string whom_it_asks() const;
  std::string cache_scope() const;
  void ask_cache();
  void cache_missed();
  double worth_of(const std::optional<token_usage>& usage) const;
  bool answer_whole(const bytes_ptr& completion, answer_labels labels);
  void watch_caller();
  void plain_end(attempt& a);
  stream_relay::sink sink(attempt& a);
  void begin_stream(attempt& a);
  void pass_on(bytes_ptr json);
  void finish_stream(attempt& a) { complete_stream(a, a.relay->usage(), assembler ? assembler->result() : nullptr); }
  void complete_stream(attempt& a, const std::optional<token_usage>& usage, const bytes_ptr& whole);
  void stream_over();
  answer_labels labels(const attempt& a) const;
  void keep(const attempt& a, const bytes_ptr& completion);
  void settle_client(std::uint64_t tokens);
  void succeeded(attempt& a, const std::optional<token_usage>& usage);
  bool may_be_stale(failure_class why) const;
  void give_stale_or(final_answer answer, failure_class why);
  void stale_came(const cache_reply& hit);
  bool answer_from_cache(const bytes_ptr& completion, answer_source source, const char* result,
                         const std::string& tier);
  bool may_be_similar() const;
  void ask_similar();
  void similar_came(const bytes_ptr& completion);
  bool may_be_canned(failure_class why) const;
  void nothing_left(const final_answer& answer, failure_class why);
  void give_canned_or(const final_answer& answer, failure_class why);
  void give_up(const step_give_up& end);
  void give(const final_answer& answer, failure_class what);
  void unavailable(const std::string& code, const std::string& message, failure_class what);
  void refuse(int status, const std::string& message, const std::string& type, const std::string& code,
              const std::string& param);
};

} // namespace mainstay
