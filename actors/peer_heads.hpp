// The heads of what peer_console and peer_journal say to their like, as JSON: members that are not known are ignored,
// and what is no such head is none. `n` is the asking node's number of its question, and comes back with the answer.
#pragma once

#include "net/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::words {

/// An operator's words, for the node that is asked.
struct console_question {
  std::uint64_t n = 0;
  std::vector<std::string> words;
  std::string who; // as the audit is to name the operator
};
/// The body is the console's JSON.
struct console_answer {
  std::uint64_t n = 0;
  bool ok = false;
};
/// The body is the request's id, which may be any bytes. n is 0 where no answer is wanted.
struct journal_head {
  std::uint64_t n = 0;
  std::string client;
  std::uint64_t wait_ms = 0;
};
/// The body of an answer is the answer's.
struct journal_news {
  enum class way : std::uint8_t { unknown, pending, answered };
  std::uint64_t n = 0;
  way what = way::unknown;
  int status = 0;
  header_list headers;
};

std::string head(const console_question&);
std::string head(const console_answer&);
std::string head(const journal_head&);
std::string head(const journal_news&);
std::optional<console_question> console_question_in(std::string_view head);
std::optional<console_answer> console_answer_in(std::string_view head);
std::optional<journal_head> journal_head_in(std::string_view head);
std::optional<journal_news> journal_news_in(std::string_view head);

} // namespace mainstay::words
