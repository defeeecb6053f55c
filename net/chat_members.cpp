// The table of names, and the spellings that count as the same elsewhere.
#include "net/chat_members.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace mainstay {
namespace {

constexpr known_member known[] = {
    {"model", chat_member::model, 0},
    {"messages", chat_member::messages, 1},
    {"stream", chat_member::stream, 2},
    {"stream_options", chat_member::stream_options, 3},
    {"n", chat_member::n, 4},
    {"max_tokens", chat_member::cap, 5},
    {"max_completion_tokens", chat_member::cap, 6},
    {"tools", chat_member::tools, 7},
    {"functions", chat_member::tools, 8},
    {"response_format", chat_member::response_format, 9},
    {"modalities", chat_member::modalities, 10},
    {"audio", chat_member::shape, 11},
    {"logprobs", chat_member::shape, 12},
    {"top_logprobs", chat_member::shape, 13},
    {"grammar", chat_member::shape, 14},
    {"structured_outputs", chat_member::shape, 15},
    {"guided_json", chat_member::shape, 16},
    {"guided_regex", chat_member::shape, 17},
    {"guided_choice", chat_member::shape, 18},
    {"guided_grammar", chat_member::shape, 19},
};
static_assert(std::size(known) <= 32);

// Go's decoder, behind several providers, matches names without case, and by Unicode's folding: U+017F is an s, U+212A
// a k.
std::string folded(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.substr(i, 2) == "\xc5\xbf")
      out += 's', i += 1;
    else if (name.substr(i, 3) == "\xe2\x84\xaa")
      out += 'k', i += 2;
    else
      out += name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + ('a' - 'A')) : name[i];
  }
  return out;
}

} // namespace

const known_member* find_known(std::string_view name) noexcept {
  auto found = std::ranges::find(known, name, &known_member::name);
  return found == std::end(known) ? nullptr : found;
}

const known_member* find_alias(std::string_view name) {
  if (name.size() > 64) return nullptr; // three bytes a letter at most, and our longest name has 21
  auto plain = folded(name);
  return plain == name ? nullptr : find_known(plain);
}

} // namespace mainstay
