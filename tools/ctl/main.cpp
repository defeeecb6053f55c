// mainstayctl: sends one command to a node's admin actor over CAF networking and draws the answer; without a command it
// reads them one after the other.
#include "actors/actors.hpp"
#include "tools/ctl/audit.hpp"
#include "tools/ctl/client_hash.hpp"
#include "tools/ctl/compare.hpp"
#include "tools/ctl/connect.hpp"
#include "tools/ctl/drain_watch.hpp"
#include "tools/ctl/drill.hpp"
#include "tools/ctl/node.hpp"
#include "tools/ctl/prompt.hpp"
#include "tools/ctl/report.hpp"
#include "tools/ctl/table.hpp"
#include "tools/ctl/top.hpp"
#include "tools/ctl/warm.hpp"

#include <CLI/CLI.hpp>
#include <caf/io/all.hpp>

#include <csignal>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2;

class console_config : public caf::actor_system_config {
public:
  explicit console_config(const mainstay::ctl::certificate_files& tls) {
    load<caf::io::middleman>();
    use(tls, *this);
    add_message_types<caf::id_block::mainstay>();
    set("scheduler.max-threads", size_t{1});
    set("middleman.app-identifiers", std::vector<std::string>{"mainstay-console-1"});
  }
};

using mainstay::ctl::console_address;

console_address parse_node(const std::string& text) {
  auto colon = text.rfind(':');
  console_address c;
  try {
    std::size_t used = 0;
    auto port = std::stoul(text.substr(colon + 1), &used);
    if (colon == std::string::npos || colon == 0 || used + colon + 1 != text.size() || port == 0 || port > 65535)
      throw std::invalid_argument("");
    c.port = static_cast<std::uint16_t>(port);
  } catch (const std::exception&) { throw CLI::ValidationError("--node", "must be HOST:PORT"); }
  c.host = text.substr(0, colon);
  return c;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string w; in >> std::quoted(w);) out.push_back(w); // "several words" are one
  return out;
}

int ask(caf::actor_system& sys, const console_address& where, mainstay::ctl::node& node, std::vector<std::string> words,
        bool json) {
  if (words.size() > 2 && words[0] == "on" && !node.elsewhere()) {
    auto there = node.at(words[1]);
    const auto name = words[1];
    words.erase(words.begin(), words.begin() + 2);
    if (words == std::vector<std::string>{"drain"}) return mainstay::ctl::watch_drain(there, name, json);
    return ask(sys, where, there, std::move(words), json);
  }
  const bool all = words == std::vector<std::string>{"top", "--all"};
  if (all || words == std::vector<std::string>{"top"}) return mainstay::ctl::show_top(sys, where, node, all, json);
  if (words.size() == 3 && words[0] == "cache" && words[1] == "warm") // the file is here, not there
    return mainstay::ctl::warm_cache(node, words[2], json);
  if (words.size() > 1 && words[0] == "report")
    return mainstay::ctl::report({words.begin() + 1, words.end()}, node, json);
  if (words.size() > 1 && words[0] == "compare")
    return mainstay::ctl::compare({words.begin() + 1, words.end()}, node, json);
  if (words[0] == "audit") return mainstay::ctl::audit(words, json);
  if (mainstay::ctl::is_client_hash(words)) return mainstay::ctl::client_hash(words, json);
  if (mainstay::ctl::begins_drill(words)) return mainstay::ctl::run_drill(node, std::move(words), json);
  const auto reply = node.ask(std::move(words));
  if (!reply) return exit_unreachable;
  if (json)
    std::cout << reply->json << "\n";
  else
    mainstay::ctl::draw(reply->ok ? std::cout : std::cerr, reply->json,
                        isatty(reply->ok ? STDOUT_FILENO : STDERR_FILENO));
  return reply->ok ? 0 : exit_refused;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"The console of a Mainstay node. Without a command it reads commands until `exit`; `help` lists them."};
  std::string node = "127.0.0.1:4242";
  mainstay::ctl::certificate_files tls;
  bool json = false;
  std::string on;
  app.add_option("--node", node, "HOST:PORT of the node's admin door")->capture_default_str();
  app.add_option("--tls-cert", tls.cert, "this console's certificate (PEM), for a node with the section tls")
      ->envname("MAINSTAY_TLS_CERT");
  app.add_option("--tls-key", tls.key, "its key (PEM)")->envname("MAINSTAY_TLS_KEY");
  app.add_option("--tls-ca", tls.ca, "the authority that issued both sides' certificates (PEM)")
      ->envname("MAINSTAY_TLS_CA");
  app.add_option("--on", on, "what is asked is another node of the cluster, by its name or address, through that one");
  app.add_flag("--json", json, "print the answer as JSON");
  app.set_version_flag("--version", "mainstayctl " MAINSTAY_VERSION);
  app.allow_extras(); // the command, its words and its options
  app.footer("COMMAND [WORDS...]  what to ask the node; `help` lists the commands");
  CLI11_PARSE(app, argc, argv);
  const auto words = app.remaining();
  if (!words.empty() && words[0] == "audit") return mainstay::ctl::audit(words, json);      // no node is asked
  if (mainstay::ctl::is_client_hash(words)) return mainstay::ctl::client_hash(words, json); // likewise
  console_address where;
  try {
    where = parse_node(node);
  } catch (const CLI::Error& e) { return app.exit(e); }

  if (const auto faults = faults_of(tls); !faults.empty()) {
    std::cerr << faults << "\n";
    return exit_unreachable;
  }
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to whoever has gone
  console_config config(tls);
  caf::actor_system system(config);
  const auto reached = connect(system, where, tls);
  if (!reached.console) {
    std::cerr << "cannot reach " << node << ": " << reached.why_not << "\n";
    return exit_unreachable;
  }
  mainstay::ctl::node console(system, reached.console);
  const auto addressed = [&on](std::vector<std::string> said) {
    if (!on.empty()) said.insert(said.begin(), {"on", on});
    return said;
  };
  if (!words.empty()) return ask(system, where, console, addressed(words), json);
  // At a terminal lines are edited; a script's are read as they are.
  std::optional<mainstay::ctl::prompt> prompt;
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) prompt.emplace(console);
  const auto next_line = [&prompt]() -> std::optional<std::string> {
    if (prompt) return prompt->read_line();
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  };
  int code = 0;
  while (const auto line = next_line()) {
    auto spoken = words_of(*line);
    if (spoken.empty()) continue;
    if (spoken[0] == "exit" || spoken[0] == "quit") break;
    code = ask(system, where, console, addressed(spoken), json);
  }
  return code;
}
