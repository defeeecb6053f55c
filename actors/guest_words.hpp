// What nodes say to each other of runs that move, as JSON heads of peer messages, and what is made of it: whatever is
// not as it should be is none. Kinds, from the first node: run.begin (body: the request), run.credit, run.leave,
// run.check (which of mine do you have?); from the other: run.reply (body: the answer), run.head, run.events (body: of
// the stream, as a provider would send it), run.end, run.error (body: the error), run.have, run.lost, run.recheck (do
// ask); from everybody: run.room.
#pragma once

#include "actors/run_record.hpp"
#include "core/peer_room.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay::words {

/// One piece of a guest's answer.
struct guest_word {
  std::string kind;
  int status = 200;
  header_list labels; // of reply, head, end and error
  std::string usage;  // of end: JSON
  std::string body;
};

/// What the other node has to know of a request, but for `run`, its number.
std::string begin(const run_record&);
std::string numbered(const std::string& head, std::uint64_t run, move_reason why);
struct begun {
  std::uint64_t run = 0;
  move_reason why{};
  run_record_ptr record; // its reply channel is left to be set
};
std::optional<begun> begun_in(const std::string& head, std::string body, const config::settings_ptr&, instant now);

std::string number(std::uint64_t run);
/// 0: there is none.
std::uint64_t number_in(const std::string& head);
std::string credit(std::uint64_t run, std::size_t bytes);

struct heard_word {
  std::uint64_t run = 0, n = 0; // the how-many-eth of that run
  int status = 0;
  header_list labels;
  std::string usage;
  std::uint64_t bytes = 0; // of a credit
};
/// `n`: the how-manieth of that run, so that a loss is noticed.
std::string say(const guest_word&, std::uint64_t run, std::uint64_t n);
std::optional<heard_word> heard(const std::string& head);

using runs_said = std::vector<std::pair<std::uint64_t, std::uint64_t>>; // which, and how many words of each
std::string have(const runs_said&);
std::optional<runs_said> have_in(const std::string& head);

struct room_said {
  std::string node;
  node_room room;
  std::uint64_t taken = 0;
};
std::string room(const room_said&);
std::optional<room_said> room_in(const std::string& head);

} // namespace mainstay::words
