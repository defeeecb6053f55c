#include "actors/cluster_words.hpp"

#include "net/json_tree.hpp"

#include <algorithm>
#include <charconv>

namespace mainstay::words {

namespace {

constexpr std::size_t most_values = 64; // in a head of ours, of this version or a later one
constexpr std::size_t longest_text = 255;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; } // a character of UTF-8

std::string text_in(const json::value& head, std::string_view member, std::size_t longest = longest_text) {
  const auto found = head.find(member);
  std::string text(found ? found->string_or_empty() : "");
  if (text.size() > longest) {
    while (longest > 0 && continues(text[longest])) --longest;
    text.resize(longest);
  }
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

/// As a number or, where 64 bits are needed, as text: not every reader of JSON keeps them.
std::uint64_t number_in(const json::value& head, std::string_view member) {
  const auto found = head.find(member);
  std::uint64_t n = 0;
  if (found) std::from_chars(found->text.data(), found->text.data() + found->text.size(), n);
  return n;
}

} // namespace

std::string identity(const node_identity& who, std::uint64_t link) {
  auto head = json::value::make_object();
  head.set("address", json::value::make_string(who.address));
  head.set("name", json::value::make_string(who.name));
  head.set("cluster", json::value::make_string(who.cluster));
  head.set("version", json::value::make_string(who.version));
  head.set("config", json::value::make_string(who.config));
  head.set("protocol", json::value::make_number(who.protocol));
  head.set("incarnation", json::value::make_string(std::to_string(who.incarnation)));
  head.set("link", json::value::make_number(link));
  return json::to_text(head);
}

std::optional<node_identity> identity_in(const std::string& text) {
  const auto head = json::parse(text, most_values);
  if (!head) return std::nullopt;
  node_identity who;
  who.address = text_in(*head, "address");
  who.name = text_in(*head, "name");
  who.cluster = text_in(*head, "cluster", longest_head); // of up to a thousand addresses
  who.version = text_in(*head, "version");
  who.config = text_in(*head, "config");
  who.protocol = static_cast<std::uint32_t>(number_in(*head, "protocol"));
  who.incarnation = number_in(*head, "incarnation");
  return who;
}

std::uint64_t link_in(const std::string& text) {
  const auto head = json::parse(text, most_values);
  return head ? number_in(*head, "link") : 0;
}

std::string reason(const std::string& why) {
  auto head = json::value::make_object();
  head.set("why", json::value::make_string(why));
  return json::to_text(head);
}

std::string reason_in(const std::string& text) {
  const auto head = json::parse(text, most_values);
  return head ? text_in(*head, "why") : std::string();
}

std::string beat(std::uint64_t number) { return R"({"n":)" + std::to_string(number) + "}"; }

std::uint64_t beat_in(const std::string& text) {
  const auto head = json::parse(text, most_values);
  return head ? number_in(*head, "n") : 0;
}

} // namespace mainstay::words
