// What was asked, freed of its dialect, and what is answered: text that follows from the conversation alone, so that a
// test can compute it and a restarted answer reproduces itself. The rule is written down in docs/mock.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::mock {

struct tool_to_call {
  std::string name, field; // its one argument
};

struct chat_call {
  std::string model, user;
  std::string last_role, last_user_text;
  std::optional<std::string> prefill;               // the text of a last message that is the assistant's
  std::uint64_t conversation = 0xCBF29CE484222325u; // FNV-1a over every message but the prefill
  std::uint64_t before_last = conversation;         // the same without the last message
  std::vector<std::string> parts;                   // of a merged request: the last message's questions, from 1 on
  std::uint64_t prompt_tokens = 0;                  // words of all messages
  std::optional<std::uint64_t> max_tokens;
  std::uint32_t n = 1;
  bool stream = false;
  bool include_usage = false;
  bool wants_json = false, has_tools = false;
  bool thinks = false;             // aloud, before it answers
  std::vector<tool_to_call> calls; // empty: it answers with text
  std::vector<std::string> stops;  // each ends the text before itself

  void add_message(std::string_view role, std::string_view text, bool last);
  // A gateway's merged questions: numbered parts in the last line of the last message, if it is the user's.
  void read_parts();
  // How many of that many tools the last message wants to be called, once all messages were added.
  std::size_t tools_asked(std::size_t given) const;
};

enum class finish { stop, length, tool_calls };

// Text, and where each streamed piece of it ends.
struct pieces {
  std::string text;
  std::vector<std::uint32_t> ends;

  std::string_view operator[](std::size_t i) const {
    auto begin = i ? ends[i - 1] : 0;
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
};

struct tool_call {
  std::string name, id;
  pieces arguments;
};

struct choice : pieces {
  std::vector<tool_call> calls; // there are some: no text
  finish why = finish::stop;
  std::string stopped_by; // of the stops, the one it met
};

struct answer {
  std::vector<choice> choices;
  pieces thought; // empty: none
  std::uint64_t prompt_tokens = 0;
  std::uint64_t tokens = 0;                                                      // pieces of all choices
  std::uint64_t cached_tokens = 0, cache_write_tokens = 0, reasoning_tokens = 0; // as the script has it
};

// What is wrong with the answer to a merged request.
enum class spoiling : std::uint8_t { none, missing, twice, blank, prose, length };

// `words` is the length of an ordinary text, the echo included. `ignore_prefill`: begin anew where the caller gave the
// beginning.
answer make_answer(const chat_call& call, std::uint32_t words, bool ignore_prefill = false,
                   spoiling spoil = spoiling::none);

std::uint64_t count_words(std::string_view text); // split at ASCII white space

} // namespace mainstay::mock
