// Where the text stands in one chunk of a stream (OpenAI's chat form): each string of a delta with its place, so that
// pieces of one text are known for such whatever chunks they come in; and how a chunk is made of a text and its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// Of a text: the members that lead to it from the delta, and positions in lists.
struct text_place {
  struct step {
    std::string member;      // empty: of a list
    std::uint64_t index = 0; // in it
    friend auto operator<=>(const step&, const step&) = default;
  };
  std::uint64_t choice = 0;
  std::vector<step> steps;
  friend auto operator<=>(const text_place&, const text_place&) = default;
};

struct delta_text {
  std::size_t begin = 0, end = 0; // with its quotes
  std::string text;
  text_place place;
  bool grows = false; // a piece of what other chunks go on with; else it is all of it
  bool in_json = false;
};

struct delta_texts {
  bool valid = false; // it is JSON
  std::vector<delta_text> texts;
  std::vector<std::uint64_t> finished; // choices
};
delta_texts read_delta(std::string_view chunk);

/// A chunk that says no more than this text, else like `model`: a chunk of the same stream.
std::string chunk_with(std::string_view model, const text_place&, std::string_view text);

/// `json` with these strings in place of what stands there.
struct new_string {
  std::size_t begin = 0, end = 0; // with its quotes
  std::string text;
};
std::string with_strings(std::string_view json, const std::vector<new_string>&);

} // namespace mainstay
