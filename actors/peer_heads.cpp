#include "actors/peer_heads.hpp"

#include "net/json_tree.hpp"
#include "net/json_writer.hpp"

#include <algorithm>

namespace mainstay::words {

namespace {

constexpr std::size_t most_words = 20'000, largest_order = 4u << 20; // pieces of a file that warms the cache
constexpr std::size_t most_members = 256, largest_head = 256u << 10, most_headers = 64;

std::optional<json::value> read(std::string_view head, std::size_t largest, std::size_t values) {
  if (head.size() > largest) return std::nullopt;
  auto v = json::parse(head, values);
  return v && v->is(json::kind::object) ? std::move(v) : std::nullopt;
}

std::uint64_t number(const json::value& from, std::string_view member) {
  const auto* v = from.find(member);
  return v ? v->whole().value_or(0) : 0;
}

std::string text(const json::value& from, std::string_view member) {
  const auto* v = from.find(member);
  return v ? std::string(v->string_or_empty()) : std::string();
}

bool is_true(const json::value& from, std::string_view member) {
  const auto* v = from.find(member);
  return v && v->is(json::kind::boolean) && v->text == "true";
}

/// Goes to a caller as it is.
bool may_pass(std::string_view s) {
  return std::none_of(s.begin(), s.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

constexpr std::string_view states[] = {"unknown", "pending", "answered"};

} // namespace

std::string head(const console_question& q) {
  json_writer w;
  w.open().member("n", q.n).member("who", q.who);
  w.list("words", q.words, [&](auto& word) { w.value(word); });
  return w.close().text();
}

std::optional<console_question> console_question_in(std::string_view from) {
  const auto v = read(from, largest_order, most_words);
  if (!v) return std::nullopt;
  console_question q{number(*v, "n"), {}, text(*v, "who")};
  const auto* words = v->find("words");
  if (q.n == 0 || !words || !words->is(json::kind::array) || words->items.empty()) return std::nullopt;
  for (auto& word : words->items) {
    if (!word.is(json::kind::string)) return std::nullopt;
    q.words.push_back(word.text);
  }
  constexpr std::size_t longest_name = 100;
  if (!may_pass(q.who) || q.who.size() > longest_name) return std::nullopt;
  return q;
}

std::string head(const console_answer& a) {
  json_writer w;
  return w.open().member("n", a.n).member("ok", a.ok).close().text();
}

std::optional<console_answer> console_answer_in(std::string_view from) {
  const auto v = read(from, largest_head, most_members);
  if (!v) return std::nullopt;
  return console_answer{number(*v, "n"), is_true(*v, "ok")};
}

std::string head(const journal_head& h) {
  json_writer w;
  return w.open().member("n", h.n).member("client", h.client).member("wait_ms", h.wait_ms).close().text();
}

std::optional<journal_head> journal_head_in(std::string_view from) {
  const auto v = read(from, largest_head, most_members);
  if (!v) return std::nullopt;
  return journal_head{number(*v, "n"), text(*v, "client"), number(*v, "wait_ms")};
}

std::string head(const journal_news& a) {
  json_writer w;
  w.open().member("n", a.n).member("state", states[static_cast<std::size_t>(a.what)]).member("status", a.status);
  w.list("headers", a.headers, [&](auto& h) { w.open_list().value(h.first).value(h.second).close_list(); });
  return w.close().text();
}

std::optional<journal_news> journal_news_in(std::string_view from) {
  const auto v = read(from, largest_head, most_members);
  if (!v) return std::nullopt;
  journal_news a;
  a.n = number(*v, "n");
  const auto* state = std::find(std::begin(states), std::end(states), text(*v, "state"));
  if (state == std::end(states)) return std::nullopt;
  a.what = static_cast<journal_news::way>(state - std::begin(states));
  const auto status = number(*v, "status");
  if (a.what == journal_news::way::answered && (status < 200 || status > 599)) return std::nullopt;
  a.status = static_cast<int>(std::min<std::uint64_t>(status, 599));
  const auto* headers = v->find("headers");
  if (!headers || !headers->is(json::kind::array)) return a;
  for (auto& h : headers->items) {
    if (h.items.size() != 2 || a.headers.size() == most_headers) return std::nullopt;
    const auto &name = h.items[0].text, &value = h.items[1].text;
    if (!may_pass(name) || !may_pass(value)) return std::nullopt;
    a.headers.emplace_back(name, value);
  }
  return a;
}

} // namespace mainstay::words
