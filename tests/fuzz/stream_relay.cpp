// A provider's stream on its way to the caller: the same wherever it is cut, nothing but JSON for the caller, and when
// it breaks anywhere another attempt makes the very text whole.
#include "net/stream_relay.hpp"
#include "net/json_tree.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

struct told {
  std::vector<std::string> events;
  std::vector<bool> for_caller;
  stream_relay::state state = stream_relay::state::going;
  std::uint64_t junk = 0;
  bool differs = false;
  bool odd = false; // it goes on after it said that it is over, or says a thing twice
  std::string text; // of what the caller got
  friend bool operator==(const told&, const told&) = default;
};

/// A member stands twice: readers differ in which one counts.
bool says_twice(const json::value& v) {
  std::vector<std::string_view> names;
  for (const auto& item : v.items) {
    if (says_twice(item)) return true;
    names.push_back(item.name);
  }
  std::ranges::sort(names);
  return v.is(json::kind::object) && std::ranges::adjacent_find(names) != names.end();
}

told relay(const std::vector<std::string>& pieces, stream_memory& memory, stream_relay::request asked,
           bool to_the_end = true) {
  told out;
  int heads = 0;
  bool finished = false;
  const stream_relay::sink to{[&] {
                                MUST(out.events.empty() || !out.for_caller.back());
                                ++heads;
                              },
                              [&](bytes_ptr event, bool for_caller) {
                                MUST(read_chunk(*event).valid);
                                MUST(event->find('\n') == std::string::npos || json::parse(*event));
                                out.events.push_back(*event);
                                out.for_caller.push_back(for_caller);
                                const auto facts = read_chunk(*event);
                                out.odd |= (finished && facts.visible) || says_twice(*json::parse(*event));
                                finished |= facts.finished;
                                if (for_caller) out.text += facts.text;
                              }};
  stream_relay way(memory, asked);
  for (const auto& piece : pieces) way.feed(make_bytes(piece), to);
  if (to_the_end) {
    out.state = way.finish(to);
    MUST(out.state == stream_relay::state::complete || out.state == stream_relay::state::failed);
  }
  MUST(heads <= 1 && (heads == 1) == way.contributed());
  out.junk = way.junk_events();
  out.differs = way.differs();
  return out;
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  stream_relay::request asked;
  asked.wants_usage = draw.coin();
  asked.continuable = draw.below(4) != 0;
  asked.choices = draw.below(4) == 0 ? 2 : 1;
  stream_memory first, second;
  const auto whole = relay({std::string(input)}, first, asked);
  MUST(relay(cut(input, draw), second, asked) == whole);
  MUST(first.text == second.text && first.begun == second.begun && first.text_only == second.text_only);
  if (whole.state != stream_relay::state::complete || !asked.continuable || !first.text_only || whole.odd) return;

  // Cut off, and asked again: by the same words, or by the rest alone.
  stream_memory memory;
  auto begun = relay({std::string(input.substr(0, draw.below(input.size() + 1)))}, memory, asked, false);
  const auto rest = relay(cut(input, draw), memory, asked);
  MUST(rest.state == stream_relay::state::complete);
  MUST(begun.text + rest.text == whole.text);
}
