// What a ZeroMQ client sends: the same frames wherever the bytes are cut, within the limits, and answers that it can
// read.
#include "net/json_tree.hpp"
#include "net/zmq_frames.hpp"
#include "net/zmtp_wire.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;
using namespace mainstay::mq;
using event = wire_reader::event;

namespace {

struct heard {
  std::vector<event> events;
  std::vector<std::vector<std::string>> messages;
  std::vector<std::string> pings;
  std::string_view fault;
  friend bool operator==(const heard&, const heard&) = default;
};

heard read(const std::vector<std::string>& pieces, const wire_limits& limits) {
  wire_reader reader(limits);
  heard all;
  for (const auto& piece : pieces) {
    std::string_view rest = piece;
    while (!rest.empty()) {
      const auto left = rest.size();
      const auto e = reader.feed(rest);
      if (e != event::fault) MUST(reader.held() <= limits.message_bytes);
      if (e == event::more) {
        MUST(rest.empty());
        break;
      }
      MUST(e == event::fault || rest.size() < left);
      all.events.push_back(e);
      if (e == event::message) all.messages.push_back(reader.take_frames());
      if (e == event::ping) all.pings.emplace_back(reader.ping_context());
      if (e != event::fault) continue;
      all.fault = reader.fault().text;
      MUST(!all.fault.empty() && reader.fault().status >= 400);
      MUST(reader.give_up().size() <= limits.kept_frames && reader.held() == 0);
      return all;
    }
  }
  return all;
}

void check_message(const std::vector<std::string>& frames) {
  const std::vector<std::string_view> views(frames.begin(), frames.end());
  const auto m = parse_frames(views, 1000);
  MUST(m.id.size() <= max_id_bytes && m.body.size() <= 1000);
  MUST((m.status == 0) == m.fault.empty());
  for (const auto& [name, value] : m.headers)
    for (unsigned char c : name + value) MUST((c >= 0x20 || c == '\t') && c != 0x7f);
  const auto answer = json::parse(headers_frame(200, m.headers, {{"x-request-id", std::string(m.id)}}));
  MUST(answer && answer->find("status")->whole() == 200u);
  if (m.status) MUST(json::parse(error_body(m.status, m.code, m.fault)));
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const wire_limits limits = draw.coin() ? wire_limits{} : wire_limits{300, 8, 6};
  // Half of them greet properly first, so that there are messages.
  const auto greeted = std::string(greeting()) + std::string(ready_command());
  std::string bytes = draw.coin() ? greeted : "";
  bytes += input;
  const auto whole = read({bytes}, limits);
  MUST(read(cut(bytes, draw), limits) == whole);
  for (const auto& frames : whole.messages) {
    MUST(frames.size() <= limits.kept_frames);
    check_message(frames);
  }
  std::string framed;
  append_frame(framed, input, false);
  const auto own = read({greeted + framed}, {});
  MUST(own.messages.size() == 1 && own.messages[0] == std::vector<std::string>{std::string(input)});
}
