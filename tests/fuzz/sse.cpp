// Server-sent events: the same ones wherever the stream is cut, and what we write is what is read.
#include "net/sse.hpp"
#include "net/http_wire.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

struct heard {
  std::vector<std::pair<std::string, std::string>> events;
  bool overflowed = false;
  friend bool operator==(const heard&, const heard&) = default;
};

heard read(const std::vector<std::string>& pieces, std::size_t limit) {
  heard out;
  const auto hear = [&](std::string_view type, std::string_view data) {
    MUST(data.size() <= limit);
    out.events.emplace_back(type, data);
  };
  sse_parser parser(limit);
  for (const auto& piece : pieces)
    if (!parser.feed(piece, hear)) break;
  if (!parser.overflowed()) parser.finish(hear);
  out.overflowed = parser.overflowed();
  return out;
}

std::string on_the_wire(const http::wire_piece& piece) { return piece.lead + *piece.body + std::string(piece.tail); }

/// An event's data in the form that a reader sees: every line end is a line feed.
std::string with_line_feeds(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const std::size_t limit = draw.below(4) == 0 ? 64 : 4u << 20;
  const auto whole = read({std::string(input)}, limit);
  MUST(read(cut(input, draw), limit) == whole);

  const auto written =
      on_the_wire(http::event_piece(make_bytes(std::string(input)), http::stream_framing::until_close));
  const auto again = read({written}, 4u << 20);
  MUST(again.events.size() == 1 && again.events[0].second == with_line_feeds(input));
}
