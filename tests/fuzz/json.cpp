// JSON: the reader takes what RapidJSON's own document takes, nested no deeper than the limit, and trees are written as
// they were read.
#include "net/json_reader.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include "tests/fuzz/fuzz.hpp"

#include <rapidjson/document.h>

using namespace mainstay;

namespace {

bool same(const json::value& a, const json::value& b) {
  return a.kind == b.kind && a.name == b.name && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same);
}

int depth_of(const json::value& v) {
  int depth = 0;
  for (const auto& item : v.items) depth = std::max(depth, depth_of(item));
  return depth + (v.is(json::kind::array) || v.is(json::kind::object));
}

struct watcher : json::handler {
  std::string_view text;
  bool lone = false;
  bool key(std::string_view) { return string({}); }
  bool string(std::string_view) {
    MUST(text[at->string_begin()] == '"' && text[at->Tell() - 1] == '"');
    lone |= at->lone_surrogate();
    return true;
  }
  bool number(std::string_view spelled) {
    MUST(spelled == text.substr(at->Tell() - spelled.size(), spelled.size()));
    return true;
  }
};

void check_string(std::string_view input) {
  std::string written;
  json::append_string(written, input);
  const auto back = json::parse(written);
  MUST(back && back->is(json::kind::string));
  const bool is_utf8 = [&] {
    for (auto at = input.data(), end = at + input.size(); at != end;) {
      const auto n = json::sequence_length(at, end);
      if (n == 0) return false;
      at += n;
    }
    return true;
  }();
  if (is_utf8) MUST(back->text == input);
  mainstay::fuzz::draws draw(input);
  const auto limit = draw.below(input.size() + 1), at = json::cut_before(input, limit);
  MUST(at <= limit && limit - at < 4);
  if (is_utf8 && at < input.size()) MUST((static_cast<unsigned char>(input[at]) & 0xc0) != 0x80);
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  check_string(input);
  watcher watch;
  watch.text = input;
  const auto read = json::read(input, watch);
  MUST(read.offset <= input.size());
  const auto tree = json::parse(input);
  if (read.what != json::outcome::too_deep) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(input.data(), input.size());
    // RapidJSON takes a NUL byte for the end, and skips a mark of UTF-8 at the beginning, or a part of one.
    const bool odd = input.find('\0') != input.npos || input.find_first_of("\xef\xbb\xbf") == 0;
    if (!odd && !watch.lone) MUST(document.HasParseError() == !read);
  }
  if (!read) return MUST(!tree);
  MUST(tree);
  if (watch.lone) return; // half a character cannot be written
  MUST(depth_of(*tree) <= json::depth_limit);
  const auto written = json::to_text(*tree);
  const auto again = json::parse(written);
  MUST(again && same(*tree, *again) && json::to_text(*again) == written);
}
