#include "tools/ctl/drain_watch.hpp"

#include "tools/ctl/interruptible.hpp"
#include "tools/ctl/live_line.hpp"
#include "tools/ctl/table.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2, exit_lost = 3;
constexpr auto look_again_after = std::chrono::milliseconds(200);
constexpr auto gone_after = std::chrono::seconds(3); // a link breaks for less

struct sight {
  std::uint64_t in_flight = 0, waiting = 0;
  std::string state;
};

sight read(const std::string& json) {
  rapidjson::Document d;
  if (d.Parse(json.c_str()).HasParseError() || !d.IsObject()) return {};
  const auto number = [&](const char* name) {
    return d.HasMember(name) && d[name].IsUint64() ? d[name].GetUint64() : 0;
  };
  return {number("in_flight"), number("waiting"),
          d.HasMember("state") && d["state"].IsString() ? d["state"].GetString() : ""};
}

/// Why there is no sight. Refusals for other reasons, as too many questions, say nothing of the node.
struct absence {
  bool unreachable = false, closed = false; // closed: nobody listens there
};

absence why_unseen(const std::string& json) {
  rapidjson::Document d;
  if (d.Parse(json.c_str()).HasParseError() || !d.IsObject()) return {};
  const auto flag = [&](const char* name) { return d.HasMember(name) && d[name].IsBool() && d[name].GetBool(); };
  return {flag("unreachable"), flag("closed")};
}

void print(const std::string& name, const char* what, const sight& last, double seconds, bool json) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> w(out);
  w.StartObject();
  w.Key("node"), w.String(name.c_str());
  w.Key("drain"), w.String(what);
  w.Key("in_flight"), w.Uint64(last.in_flight);
  w.Key("waiting"), w.Uint64(last.waiting);
  w.Key("seconds"), w.Double(seconds);
  w.EndObject();
  if (json)
    std::cout << out.GetString() << "\n";
  else
    draw(std::cout, out.GetString(), isatty(STDOUT_FILENO));
}

} // namespace

int watch_drain(node& there, const std::string& name, bool json) {
  using clock = std::chrono::steady_clock;
  const auto begun = clock::now();
  const auto told = there.ask({"drain"});
  if (!told) return exit_unreachable;
  if (!told->ok) {
    if (json)
      std::cout << told->json << "\n";
    else
      draw(std::cerr, told->json, isatty(STDERR_FILENO));
    return exit_refused;
  }
  const bool live = !json && isatty(STDOUT_FILENO);
  const interruptible signals;
  live_line line;
  sight last;
  bool drains = false; // it was seen to
  for (auto heard = begun;;) {
    const auto seconds = std::chrono::duration<double>(clock::now() - begun).count();
    const auto reply = there.ask({"status"});
    if (!reply) return exit_unreachable;
    const auto now = reply->ok ? read(reply->json) : sight{};
    if (reply->ok) heard = clock::now();
    const auto unseen = reply->ok ? absence{} : why_unseen(reply->json);
    const bool gone = unseen.unreachable && clock::now() - heard >= gone_after;
    if (gone && !unseen.closed &&
        (last.in_flight > 0 || !drains)) { // it may be there still, behind a broken link, and answer them
      line.wipe();
      print(name, "lost sight of it", last, seconds, json);
      return exit_lost;
    }
    const bool over = gone || (drains && reply->ok && now.state != "draining"); // or another process is there
    if (reply->ok && !over) last = now, drains = drains || now.state == "draining";
    if (over || signals.interrupted()) {
      line.wipe();
      print(name, over ? "over" : "goes on", last, seconds, json);
      return 0;
    }
    if (live)
      line.show(name + " drains: " + std::to_string(last.in_flight) + " in flight, " + std::to_string(last.waiting) +
                " wait");
    std::this_thread::sleep_for(look_again_after);
  }
}

} // namespace mainstay::ctl
