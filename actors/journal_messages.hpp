// Messages of those who keep what must outlive its request or the process: durable requests, answers that may be
// repeated, months, costs and clients.
#pragma once

#include "actors/letter.hpp"
#include "actors/local_message.hpp"
#include "core/client_changes.hpp"
#include "core/clock.hpp"
#include "core/cost_ledger.hpp"
#include "core/kept_answer.hpp"
#include "core/lease.hpp"
#include "core/load_pattern.hpp"
#include "core/month_quota.hpp"
#include "core/repeat_book.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

struct run_record; // actors/run_record.hpp
using run_record_ptr = std::shared_ptr<run_record>;
class live_caller; // actors/live_caller.hpp

// -- journal

/// A durable request, read and found right: is it on disk?
struct journal_accept {
  run_record_ptr record;
};
/// `run`: it is on disk and the run goes on. `left`: the journal has it, and its caller; the run is over. Refused: with
/// these words.
struct journal_verdict {
  enum class way : std::uint8_t { run, left, refused };
  way what = way::refused;
  int status = 503;
  std::string code, message, param;
};
/// What a run of that request came to; null: to nothing. A run that asked for several has a number below 0.
struct journal_done {
  std::int64_t number = 0;
  request_id run = 0;
  kept_answer_ptr answer;
  std::string gather; // of a request that nobody was asked for yet: to be merged with others for this model
  std::string model;  // as configured; empty: the run did not come to know
};
/// Durable requests of exactly these models are parked until they are no longer named.
struct journal_hold {
  std::vector<std::string> models;
};
struct journal_held {
  struct row {
    std::string model;
    std::size_t now = 0, in_all = 0;
  };
  std::vector<row> models; // also of those just let go: how many there were
};
/// So many of them may try whether their model is back.
struct journal_try {
  std::string model;
  std::uint32_t permits = 0;
};
/// Who asks for the answer of a durable request, or wants it to end. The caller may be null: nobody waits to hear.
struct journal_question {
  std::string client, id;
  std::shared_ptr<live_caller> caller;
  std::uint64_t of_peer = 0; // another node's: what is not here is nowhere else to be looked for
  void on_lost();
};
struct journal_collect : journal_question {};
struct journal_cancel : journal_question {
  bool called_off = false; // what it asked for itself is not accepted: if it was the first, there is nothing else
};
/// A look counts its rows; this does not.
struct ask_fullness {};
/// What was in the mailbox when the first of a batch was opened has been handled.
struct commit_due {};
/// The node drains: nothing is run again before the next start.
struct journal_drain {};
/// The doors are about to stop: whoever still waits for an answer is told so. The reply: how many have none.
struct journal_flush {};
struct repeat_recall {
  std::string key;
};
struct repeat_recalled {
  bool available = false; // the journal could be asked
  std::string fingerprint;
  kept_answer_ptr answer; // null: there is none
};
struct repeat_keep {
  std::string key, fingerprint;
  kept_answer_ptr answer;
};
struct journal_view {
  std::string path;
  bool failing = false;
  std::int64_t requests = 0, answered = 0, repeats = 0;
  std::uint64_t bytes = 0, most_bytes = 0, most_requests = 0;
  std::optional<utc_time> oldest; // of those without an answer
  std::size_t running = 0, parked = 0, at_once = 0, callers = 0;
  std::uint64_t accepted = 0, stored = 0, replayed = 0, parks = 0, refused = 0, expired = 0, commits = 0;
  struct row {
    std::string client, id, name, state;
    priority level = priority::normal;
    utc_time accepted{};
  };
  std::vector<row> latest;
  struct batch_row { // of one model
    std::string model;
    std::size_t size = 0; // at most so many in the next call
    duration mean{};      // of the latest calls
    std::uint64_t calls = 0, failed = 0, parts = 0, answered = 0, alone = 0;
    std::int64_t calls_saved = 0, tokens_saved = 0; // tokens: of prompts, estimated
  };
  std::vector<batch_row> batches;
  std::size_t gathering = 0;
};

// -- repeats

struct repeat_ask {
  std::string key; // the client's name in it
  repeat_book::asker who;
};
struct repeat_reply {
  enum class way : std::uint8_t { first, repeated, other_body, unavailable };
  way what = way::unavailable;
  kept_answer_ptr answer; // of `repeated`
};
/// That request is over, with this answer, or with none that may be repeated.
struct repeat_over {
  std::string key;
  std::uint64_t who = 0;
  kept_answer_ptr answer;
};
struct repeats_view {
  std::size_t answers = 0, bytes = 0, under_way = 0, waiting = 0;
};

// -- state_keeper

/// Answered to the governor with months_kept.
struct keep_months {
  std::vector<month_count> counts;
};
struct keep_load {
  load_pattern::cells cells{};
};
struct keep_costs {
  std::vector<cost_ledger::row> rows;
};
struct keep_client {
  client_change change;
};

} // namespace mainstay

// clang-format off
MAINSTAY_LOCAL(journal_accept) MAINSTAY_LOCAL(journal_verdict) MAINSTAY_LETTER(journal_done)
MAINSTAY_LOCAL(journal_hold) MAINSTAY_LOCAL(journal_held) MAINSTAY_LOCAL(journal_try) MAINSTAY_LETTER(journal_collect)
MAINSTAY_LETTER(journal_cancel) MAINSTAY_LOCAL(ask_fullness) MAINSTAY_LOCAL(commit_due) MAINSTAY_LOCAL(journal_drain)
MAINSTAY_LOCAL(journal_flush) MAINSTAY_LOCAL(repeat_recall) MAINSTAY_LOCAL(repeat_recalled)
MAINSTAY_LETTER(repeat_keep) MAINSTAY_LOCAL(journal_view) MAINSTAY_LOCAL(repeat_ask) MAINSTAY_LOCAL(repeat_reply)
MAINSTAY_LETTER(repeat_over) MAINSTAY_LOCAL(repeats_view) MAINSTAY_LOCAL(keep_months) MAINSTAY_LOCAL(keep_load)
MAINSTAY_LOCAL(keep_costs) MAINSTAY_LOCAL(keep_client)
    // clang-format on
