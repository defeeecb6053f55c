#include "tools/ctl/drill.hpp"

#include "core/drill_book.hpp"
#include "tools/ctl/interruptible.hpp"
#include "tools/ctl/live_line.hpp"
#include "tools/ctl/table.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2;
constexpr auto look_again_after = std::chrono::milliseconds(200);

/// At a terminal, unless the operator has said so already.
bool wanted(const std::vector<std::string>& words) {
  std::cout << "This hurts real callers:";
  for (const auto& w : words) std::cout << " " << w;
  std::cout << "\nBegin? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

std::string text_of(const rapidjson::Value& from, const char* name) {
  return from.HasMember(name) && from[name].IsString() ? from[name].GetString() : "";
}

double number_of(const rapidjson::Value& from, const char* name) {
  return from.HasMember(name) && from[name].IsNumber() ? from[name].GetDouble() : 0;
}

std::string sentence(const rapidjson::Document& now) {
  char text[100];
  std::snprintf(text, sizeof text, "  %.0f requests, %.0f answered", number_of(now, "requests"),
                number_of(now, "answered"));
  std::string out = text_of(now, "drill");
  out += text_of(now, "state") == "watched" ? " has ended, its traces are watched"
                                            : " " + bar(number_of(now, "lasted_seconds") / number_of(now, "seconds"));
  out += text;
  const char* between = ": ";
  if (now.HasMember("sources"))
    for (const auto& s : now["sources"].GetArray()) {
      out += between + text_of(s, "source") + " " + std::to_string(s["answers"].GetUint64());
      between = ", ";
    }
  return out;
}

void print_report(rapidjson::Document& report) {
  for (const char* name : {"id", "state"}) report.EraseMember(name); // which nobody needs any more
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> w(out);
  report.Accept(w);
  draw(std::cout, out.GetString(), isatty(STDOUT_FILENO));
}

} // namespace

bool begins_drill(const std::vector<std::string>& words) {
  if (words.size() < 2 || words[0] != "drill") return false;
  const auto kind = drill_named(words[1]);
  return kind && (kind != drill_kind::crash || std::find(words.begin(), words.end(), "--for") != words.end());
}

int run_drill(node& n, std::vector<std::string> words, bool json) {
  const bool yes = std::erase(words, "--yes") > 0;
  const bool live = !json && isatty(STDOUT_FILENO);
  if (live && !yes && isatty(STDIN_FILENO) && !wanted(words)) {
    std::cout << "not begun\n";
    return exit_refused;
  }
  const auto id = new_id();
  words.insert(words.end(), {"--id", id});
  const interruptible signals;
  live_line line;
  for (bool stopped = false;;) {
    const auto reply = n.ask(words);
    if (!reply) return exit_unreachable;
    rapidjson::Document now;
    now.Parse(reply->json.c_str());
    const bool over = !reply->ok || now.HasParseError() || !now.IsObject() || text_of(now, "state") == "over";
    if (over) {
      line.wipe();
      if (json)
        std::cout << reply->json << "\n";
      else if (reply->ok)
        print_report(now);
      else
        draw(std::cerr, reply->json, isatty(STDERR_FILENO));
      return reply->ok ? 0 : exit_refused;
    }
    if (live) line.show(sentence(now));
    std::this_thread::sleep_for(look_again_after);
    const bool stop = signals.interrupted() && !std::exchange(stopped, signals.interrupted());
    words = {"drill", stop ? "stop" : "look", id};
  }
}

} // namespace mainstay::ctl
