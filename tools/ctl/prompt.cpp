#include "tools/ctl/prompt.hpp"

#include <editline/readline.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>
#include <sys/stat.h>

namespace mainstay::ctl {

namespace {

constexpr int lines_kept = 1000;

node* asked = nullptr; // by the completion, which the library calls without a word of whose it is
std::vector<std::string> found;

/// Where the names stand that a command takes: the command to ask, its table, the column.
struct place {
  const char *command, *table, *column;
};
const std::map<std::string, place> names_of{{"keys", {"keys", "keys", "name"}},
                                            {"breakers", {"breakers", "breakers", "provider"}},
                                            {"on", {"nodes", "peers", "node"}},
                                            {"clients rotate", {"clients", "clients", "client"}},
                                            {"clients revoke", {"clients", "clients", "client"}},
                                            {"clients restore", {"clients", "clients", "client"}},
                                            {"drill provider_down", {"breakers", "breakers", "provider"}},
                                            {"drill rate_limit", {"breakers", "breakers", "provider"}},
                                            {"drill slow", {"breakers", "breakers", "provider"}},
                                            {"drill crash", {"actors", "actors", "name"}}};
const std::map<std::string, std::vector<std::string>> words_after{
    {"keys *", {"disable", "enable"}},
    {"breakers *", {"open", "close", "auto"}},
    {"audit", {"verify"}},
    {"audit verify", {"--expect", "--after"}},
    {"cache", {"stats", "clear", "warm", "warming"}},
    {"cache warming", {"stop"}},
    {"clients", {"create", "rotate", "revoke", "restore", "hash"}},
    {"clients hash", {"--new"}},
    {"status", {"--all"}},
    {"top", {"--all"}},
    {"cost", {"--by", "--days"}},
    {"cost --by", {"model", "client", "provider", "hour"}},
    {"drill", {"provider_down", "rate_limit", "slow", "redis_frozen", "crash", "stop"}},
    {"drill redis_frozen", {"--for", "--yes"}}};

std::vector<std::string> column(node& n, const place& p) {
  std::vector<std::string> out;
  const auto reply = n.ask({p.command});
  rapidjson::Document doc;
  if (!reply || !reply->ok || doc.Parse(reply->json.c_str()).HasParseError() || !doc.HasMember(p.table)) return out;
  for (const auto& row : doc[p.table].GetArray())
    if (row.HasMember(p.column) && row[p.column].IsString()) out.emplace_back(row[p.column].GetString());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

char* next_found(const char*, int state) {
  static std::size_t at = 0;
  if (state == 0) at = 0;
  return at < found.size() ? strdup(found[at++].c_str()) : nullptr; // the library's to free
}

char** complete(const char* text, int start, int) {
  rl_attempted_completion_over = 1; // no names of files
  std::istringstream in(std::string(rl_line_buffer, static_cast<std::size_t>(start)));
  std::vector<std::string> words;
  for (std::string w; in >> w;) words.push_back(w);
  words.emplace_back(text);
  found = completions(*asked, words);
  return found.empty() ? nullptr : rl_completion_matches(text, next_found);
}

} // namespace

std::vector<std::string> completions(node& n, const std::vector<std::string>& words) {
  if (words.size() > 2 && words[0] == "on" && !n.elsewhere()) {
    auto there = n.at(words[1]);
    return completions(there, {words.begin() + 2, words.end()});
  }
  std::vector<std::string> all;
  std::string before;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) before += (i ? " " : "") + words[i];
  if (words.size() == 1) {
    all = column(n, {"help", "commands", "command"});
    all.emplace_back("exit");
  } else if (const auto names = names_of.find(before); names != names_of.end()) {
    all = column(n, names->second);
  } else if (const auto w = words_after.find(before); w != words_after.end()) {
    all = w->second;
  } else if (const auto any = words_after.find(words[0] + " *"); words.size() == 3 && any != words_after.end()) {
    all = any->second;
  }
  std::erase_if(all, [&](const std::string& one) { return !one.starts_with(words.back()); });
  return all;
}

std::string history_file() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state && *state)
    folder = state;
  else if (home && *home)
    folder = std::filesystem::path(home) / ".local" / "state";
  else
    return "";
  return (folder / "mainstay" / "history").string();
}

prompt::prompt(node& n) : file_(history_file()) {
  asked = &n;
  rl_readline_name = "mainstayctl";
  rl_initialize();
  rl_attempted_completion_function = complete;
  using_history();
  stifle_history(lines_kept);
  if (!file_.empty()) read_history(file_.c_str()); // the first time there is none
}

prompt::~prompt() {
  rl_attempted_completion_function = nullptr;
  asked = nullptr;
  if (file_.empty()) return;
  std::error_code ignored; // a history that cannot be kept is no reason to complain
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), ignored);
  const auto before = umask(077);
  write_history(file_.c_str());
  umask(before);
}

std::optional<std::string> prompt::read_line() {
  char* line = readline("mainstay> ");
  if (!line) return std::nullopt;
  std::string out = line;
  std::free(line);
  if (out.find_first_not_of(" \t") != out.npos) add_history(out.c_str());
  return out;
}

} // namespace mainstay::ctl
