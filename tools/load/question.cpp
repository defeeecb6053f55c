#include "tools/load/question.hpp"

#include <array>
#include <vector>

namespace mainstay::load {
namespace {

constexpr std::size_t echoed_words = 32;
constexpr std::size_t longest_echo = 64; // bytes of a word that is echoed
constexpr std::uint64_t weyl = 0x9E3779B97F4A7C15u;

constexpr std::array<std::string_view, 64> vocabulary = {
    "amber", "anchor", "autumn", "basin",   "beacon", "birch",   "bridge",  "canyon",  "cedar",  "chalk",  "cinder",
    "cliff", "cloud",  "copper", "coral",   "crane",  "dawn",    "delta",   "drift",   "dune",   "ember",  "falcon",
    "fern",  "field",  "flint",  "fog",     "forest", "garnet",  "glade",   "granite", "harbor", "hazel",  "heron",
    "hill",  "island", "ivory",  "juniper", "lagoon", "lantern", "larch",   "maple",   "marsh",  "meadow", "mist",
    "moss",  "oak",    "ocean",  "orchid",  "pebble", "pine",    "prairie", "quartz",  "rain",   "reef",   "ridge",
    "river", "sage",   "shore",  "slate",   "stone",  "thistle", "tide",    "valley",  "willow"};

std::string_view drawn_word(std::uint64_t seed, std::uint64_t index) {
  auto z = seed + index * weyl;
  z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9u;
  return vocabulary[(z >> 32) % vocabulary.size()];
}

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t h) {
  for (char c : bytes) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001B3u;
  return h;
}

// The first 32 words without those of them that are too long.
std::vector<std::string_view> echo_of(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\r\v\f";
  std::vector<std::string_view> words;
  std::size_t seen = 0, at = text.find_first_not_of(blanks);
  while (at != text.npos && seen++ < echoed_words) {
    auto end = std::min(text.find_first_of(blanks, at), text.size());
    if (end - at <= longest_echo) words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(blanks, end);
  }
  return words;
}

} // namespace

std::string expected_text(std::string_view question, std::size_t words) {
  auto hash = fnv1a("\n", fnv1a(question, fnv1a("user\n", 0xCBF29CE484222325u)));
  std::string text;
  text.reserve(words * 8);
  std::size_t count = 0;
  auto add = [&](std::string_view word) {
    if (count == words) return;
    if (count++) text += ' ';
    text += word;
  };
  add("echo:");
  for (auto word : echo_of(question)) add(word);
  add("|");
  for (std::uint64_t i = 0; count < words; ++i) add(drawn_word(hash, i));
  return text;
}

question_text::question_text(std::size_t bytes, std::uint64_t seed) : text_("question ") {
  number_at_ = text_.size();
  text_.append(digits, '0');
  text_ += " of run " + std::to_string(seed) + ":";
  text_.reserve(bytes + 16);
  for (std::uint64_t i = 0; text_.size() < bytes; ++i) (text_ += ' ') += drawn_word(seed, i);
}

std::string question_text::of(std::uint64_t number) const {
  auto text = text_;
  write_number(text.data() + number_at_, number);
  return text;
}

void write_number(char* at, std::uint64_t number) noexcept {
  for (auto digit = question_text::digits; digit-- > 0; number /= 10) at[digit] = static_cast<char>('0' + number % 10);
}

} // namespace mainstay::load
