#include "tools/ctl/report.hpp"

#include "web/embedded_file.hpp"

#include <CLI/CLI.hpp>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>

namespace mainstay::ctl {

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2;

std::string now_text() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char out[32];
  std::strftime(out, sizeof out, "%Y-%m-%d %H:%M UTC", &parts);
  return out;
}

/// JSON that may stand inside a script of a page, whatever names are in it.
std::string for_script(const std::string& json) {
  std::string out;
  for (char c : json)
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

std::string page(const std::string& data) {
  const auto file = [](const char* name) { return std::string(find_embedded(name)->plain); };
  std::string out = file("report.html");
  const std::string place = "<!-- scripts -->";
  std::string scripts;
  for (const auto& script : {file("chart.min.js"), "const data = " + data + ";", file("report.js")})
    scripts += "<script>\n" + script + "\n</script>\n";
  return out.replace(out.find(place), place.size(), scripts);
}

/// Only a page may be written over: a slip of the finger costs nobody a file.
bool may_write(const std::string& file) {
  std::ifstream there(file, std::ios::binary);
  std::string begin(15, '\0');
  if (!there.is_open() || !there.read(begin.data(), 15)) return !there.is_open() || there.gcount() == 0;
  return begin == "<!doctype html>";
}

} // namespace

int report(const std::vector<std::string>& words, node& n, bool json) {
  std::string file;
  int days = 7;
  double value = 0;
  CLI::App app{"writes a page about what calls cost", "report"};
  app.add_option("FILE", file, "to be written")->required();
  app.add_option("--days", days, "up to now")->capture_default_str()->check(CLI::Range(1, 35));
  app.add_option("--value-per-call", value, "what an answer is worth to you, US dollars")
      ->check(CLI::NonNegativeNumber);
  std::vector<std::string> reversed(words.rbegin(), words.rend()); // as CLI11 takes them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) { return app.exit(e) == 0 ? 0 : exit_refused; }

  rapidjson::Document all(rapidjson::kObjectType);
  auto& memory = all.GetAllocator();
  for (const auto* by : {"hour", "model", "client", "provider"}) {
    const auto reply = n.ask({"cost", "--by", by, "--days", std::to_string(days)});
    if (!reply) return exit_unreachable;
    rapidjson::Document said(&memory);
    if (said.Parse(reply->json.c_str()).HasParseError() || !reply->ok) {
      std::cerr << reply->json << "\n";
      return exit_refused;
    }
    all.AddMember(rapidjson::StringRef(by), said, memory);
  }
  const auto status = n.ask({"status"});
  if (!status) return exit_unreachable;
  rapidjson::Document said(&memory);
  said.Parse(status->json.c_str());
  if (said.IsObject() && said.HasMember("node")) all.AddMember("node", said["node"], memory);
  all.AddMember("days", days, memory);
  all.AddMember("made", rapidjson::Value(now_text().c_str(), memory), memory);
  all.AddMember("value_per_call", value, memory);
  rapidjson::StringBuffer data;
  rapidjson::Writer<rapidjson::StringBuffer> w(data);
  all.Accept(w);

  if (!may_write(file)) {
    std::cerr << file << " is there already and is no page\n";
    return exit_unreachable;
  }
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << page(for_script(data.GetString()));
  out.close();
  if (!out) {
    std::cerr << "cannot write " << file << ": " << std::strerror(errno) << "\n";
    return exit_unreachable;
  }
  if (json)
    std::cout << "{\"report\":\"written\"}\n";
  else
    std::cout << "written: " << file << "\n";
  return 0;
}

} // namespace mainstay::ctl
