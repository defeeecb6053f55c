// The text's rule: an echo of the caller's last words, then words drawn by a small hash of the conversation.
#include "tools/mock/answer.hpp"

#include "tools/mock/json_text.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace mainstay::mock {
namespace {

constexpr std::size_t echoed_words = 32;
constexpr std::size_t longest_echo = 64; // bytes of a word that is echoed
constexpr std::uint32_t json_words = 5;

constexpr std::array<std::string_view, 64> vocabulary = {
    "amber", "anchor", "autumn", "basin",   "beacon", "birch",   "bridge",  "canyon",  "cedar",  "chalk",  "cinder",
    "cliff", "cloud",  "copper", "coral",   "crane",  "dawn",    "delta",   "drift",   "dune",   "ember",  "falcon",
    "fern",  "field",  "flint",  "fog",     "forest", "garnet",  "glade",   "granite", "harbor", "hazel",  "heron",
    "hill",  "island", "ivory",  "juniper", "lagoon", "lantern", "larch",   "maple",   "marsh",  "meadow", "mist",
    "moss",  "oak",    "ocean",  "orchid",  "pebble", "pine",    "prairie", "quartz",  "rain",   "reef",   "ridge",
    "river", "sage",   "shore",  "slate",   "stone",  "thistle", "tide",    "valley",  "willow"};

bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Calls `take(word)` for each word, until it returns false.
template <class Take>
void each_word(std::string_view text, Take take) {
  for (std::size_t at = 0; at < text.size();) {
    while (at < text.size() && blank(text[at])) ++at;
    auto begin = at;
    while (at < text.size() && !blank(text[at])) ++at;
    if (at > begin && !take(text.substr(begin, at - begin))) return;
  }
}

std::vector<std::string_view> echo_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t seen = 0;
  each_word(text, [&](std::string_view word) {
    if (word.size() <= longest_echo) words.push_back(word);
    return ++seen < echoed_words;
  });
  return words;
}

std::string_view word_at(std::uint64_t seed, std::uint64_t index) {
  auto z = seed + index * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9u;
  return vocabulary[(z >> 32) % vocabulary.size()];
}

std::string plain_text(const chat_call& call, std::uint64_t seed, std::uint32_t words) {
  std::string text;
  std::uint32_t count = 0;
  auto add = [&](std::string_view word) {
    if (count++) text += ' ';
    text += word;
  };
  text.reserve(words * 8);
  auto echo = echo_of(call.last_user_text);
  if (count < words) add("echo:");
  for (std::size_t i = 0; i < echo.size() && count < words; ++i) add(echo[i]);
  if (count < words) add("|");
  for (std::uint64_t i = 0; count < words; ++i) add(word_at(seed, i));
  return text;
}

std::string json_text(const chat_call& call, std::uint64_t seed) {
  std::string echo, drawn;
  for (auto word : echo_of(call.last_user_text)) (echo += echo.empty() ? "" : " ") += word;
  for (std::uint32_t i = 0; i < json_words; ++i) (drawn += i ? " " : "") += word_at(seed, i);
  return "{\"echo\": " + json_quoted(echo) + ", \"words\": " + json_quoted(drawn) + "}";
}

// Each part as it would have been answered alone.
std::string parts_text(const chat_call& call, std::uint32_t words, spoiling spoil) {
  const std::size_t spoiled = call.parts.size() > 1 ? 1 : 0;
  std::string text = spoil == spoiling::prose ? "Here you are: " : "";
  text += "{\"parts\":[";
  bool any = false;
  auto entry = [&](std::size_t i, const std::string& said) {
    if (std::exchange(any, true)) text += ',';
    text += "{\"part\":" + std::to_string(i + 1) + ",\"answer\":" + json_quoted(said) + "}";
  };
  for (std::size_t i = 0; i < call.parts.size(); ++i) {
    chat_call alone;
    alone.conversation = call.before_last;
    alone.add_message("user", call.parts[i], true);
    const auto said = plain_text(alone, alone.conversation, words);
    if (i == spoiled && spoil == spoiling::missing) continue;
    entry(i, i == spoiled && spoil == spoiling::blank ? " " : said);
    if (i == spoiled && spoil == spoiling::twice) entry(i, said);
  }
  return text + "]}";
}

// The last capitalised word that does not open the text, its letters alone: "the weather in Rome?" asks for Rome.
std::string place_in(std::string_view text) {
  std::string place;
  bool first = true;
  each_word(text, [&](std::string_view word) {
    std::string letters;
    for (char c : word)
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) letters += c;
    if (!first && !letters.empty() && letters[0] >= 'A' && letters[0] <= 'Z') place = letters;
    first = false;
    return true;
  });
  return place.empty() ? "Paris" : place;
}

// Each word with the space before it is a piece.
void cut_at_spaces(pieces& c) {
  for (std::size_t at = 1; at < c.text.size(); ++at)
    if (c.text[at] == ' ') c.ends.push_back(static_cast<std::uint32_t>(at));
  if (!c.text.empty()) c.ends.push_back(static_cast<std::uint32_t>(c.text.size()));
}

void cut_every(pieces& c, std::size_t bytes) {
  for (std::size_t at = bytes; at < c.text.size(); at += bytes) c.ends.push_back(static_cast<std::uint32_t>(at));
  c.ends.push_back(static_cast<std::uint32_t>(c.text.size()));
}

// Before the first of the sequences that is met.
void stop_at(choice& c, const std::vector<std::string>& stops) {
  auto first = std::string::npos;
  for (auto& stop : stops) {
    auto at = stop.empty() ? std::string::npos : c.text.find(stop);
    if (at >= first) continue;
    first = at;
    c.stopped_by = stop;
  }
  if (first != std::string::npos) c.text.resize(first);
}

choice text_choice(const chat_call& call, std::uint32_t index, std::uint32_t words, bool ignore_prefill,
                   spoiling spoil) {
  choice c;
  auto seed = call.conversation + index;
  c.text = !call.parts.empty() ? parts_text(call, words, spoil)
           : call.wants_json   ? json_text(call, seed)
                               : plain_text(call, seed, words);
  if (call.prefill && !ignore_prefill && c.text.starts_with(*call.prefill)) c.text.erase(0, call.prefill->size());
  stop_at(c, call.stops);
  cut_at_spaces(c);
  auto most = call.max_tokens;
  if (spoil == spoiling::length && !call.parts.empty())
    most = std::min<std::uint64_t>(c.ends.size() / 2, most.value_or(UINT64_MAX));
  if (most && c.ends.size() > *most) {
    c.ends.resize(*most);
    c.text.resize(c.ends.empty() ? 0 : c.ends.back());
    c.why = finish::length;
    c.stopped_by.clear();
  }
  return c;
}

choice tool_choice(const chat_call& call) {
  choice c;
  c.why = finish::tool_calls;
  for (auto& tool : call.calls) {
    auto& made = c.calls.emplace_back();
    made.name = tool.name;
    char id[32];
    std::snprintf(id, sizeof id, "call_%016llx",
                  static_cast<unsigned long long>(call.conversation + c.calls.size() - 1));
    made.id = id;
    auto& text = made.arguments.text;
    text = "{" + json_quoted(tool.field) + ":" + json_quoted(place_in(call.last_user_text)) + "}";
    for (char& letter : text) // pieces are cut by bytes: keep every one of them valid UTF-8
      if (static_cast<unsigned char>(letter) >= 0x80) letter = '?';
    cut_every(made.arguments, 4);
  }
  return c;
}

} // namespace

std::uint64_t count_words(std::string_view text) {
  std::uint64_t count = 0;
  bool inside = false;
  for (char c : text) {
    bool word = !blank(c);
    count += word && !inside;
    inside = word;
  }
  return count;
}

void chat_call::add_message(std::string_view role, std::string_view text, bool last) {
  prompt_tokens += count_words(text);
  before_last = conversation;
  if (last) last_role = role;
  if (role == "user") last_user_text = text;
  if (last && role == "assistant") {
    prefill = text;
    return;
  }
  auto mix = [this](std::string_view part) {
    for (char c : part) conversation = (conversation ^ static_cast<std::uint8_t>(c)) * 0x100000001B3u;
    conversation = (conversation ^ static_cast<std::uint8_t>('\n')) * 0x100000001B3u;
  };
  mix(role);
  mix(text);
}

void chat_call::read_parts() {
  if (last_role != "user") return;
  auto line = std::string_view(last_user_text).substr(last_user_text.rfind('\n') + 1);
  rapidjson::Document object;
  object.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
  if (object.HasParseError() || !object.IsObject()) return;
  auto found = object.FindMember("parts");
  if (found == object.MemberEnd() || !found->value.IsArray()) return;
  for (auto& part : found->value.GetArray()) {
    auto text = part.IsObject() ? part.FindMember("text") : rapidjson::Value::MemberIterator();
    const bool is_text = part.IsObject() && text != part.MemberEnd() && text->value.IsString();
    parts.emplace_back(is_text ? text->value.GetString() : "", is_text ? text->value.GetStringLength() : 0);
  }
}

std::size_t chat_call::tools_asked(std::size_t given) const {
  auto says = [this](const char* words) {
    return last_role == "user" && last_user_text.find(words) != std::string::npos;
  };
  return says("use all tools") ? given : says("use the tool") ? std::min<std::size_t>(given, 1) : 0;
}

answer make_answer(const chat_call& call, std::uint32_t words, bool ignore_prefill, spoiling spoil) {
  answer a;
  a.prompt_tokens = call.prompt_tokens;
  a.choices.reserve(call.n);
  if (call.thinks) {
    a.thought.text = "thinking:";
    for (auto word : echo_of(call.last_user_text)) (a.thought.text += ' ') += word;
    cut_at_spaces(a.thought);
    a.tokens += a.thought.ends.size();
  }
  for (std::uint32_t i = 0; i < call.n; ++i) {
    a.choices.push_back(call.calls.empty() ? text_choice(call, i, words, ignore_prefill, spoil) : tool_choice(call));
    a.tokens += a.choices.back().ends.size();
    for (auto& made : a.choices.back().calls) a.tokens += made.arguments.ends.size();
  }
  a.reasoning_tokens = a.thought.ends.size();
  return a;
}

} // namespace mainstay::mock
