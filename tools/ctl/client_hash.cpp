#include "tools/ctl/client_hash.hpp"

#include "actors/console_json.hpp"
#include "config/client_keys.hpp"
#include "tools/ctl/table.hpp"

#include <algorithm>
#include <iostream>
#include <termios.h>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr int failed = 1;

/// What is typed is not shown.
class quiet_terminal {
public:
  quiet_terminal() : at_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!at_terminal_) return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    std::cerr << "key: " << std::flush;
  }
  ~quiet_terminal() {
    if (!at_terminal_) return;
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    std::cerr << "\n";
  }
  quiet_terminal(const quiet_terminal&) = delete;
  quiet_terminal& operator=(const quiet_terminal&) = delete;

private:
  termios before_{};
  const bool at_terminal_;
};

int refuse(const std::string& why) {
  std::cerr << "clients hash: " << why << "\n";
  return failed;
}

} // namespace

bool is_client_hash(const std::vector<std::string>& words) {
  return words.size() > 1 && words[0] == "clients" && words[1] == "hash";
}

int client_hash(const std::vector<std::string>& words, bool json) {
  const bool makes = words.size() == 3 && words[2] == "--new";
  if (words.size() > 2 && !makes) return refuse("takes --new or nothing; the key comes from the standard input");
  std::string text;
  if (makes) {
    text = config::make_client_key().reveal();
  } else {
    const quiet_terminal quiet;
    std::getline(std::cin, text);
  }
  const auto visible = [](unsigned char c) { return c > ' ' && c <= '~'; };
  if (!std::all_of(text.begin(), text.end(), visible)) return refuse("a key is visible ASCII characters on one line");
  if (text.size() < config::shortest_hashed_key || text.size() > config::longest_client_key)
    return refuse("a key has " + std::to_string(config::shortest_hashed_key) + " to " +
                  std::to_string(config::longest_client_key) + " characters; --new makes one");
  const auto hash = config::hash_client_key(secret(text));
  if (!json && !makes) {
    std::cout << hash << "\n";
    return 0;
  }
  console_json out;
  if (makes) out.text("key", text);
  const auto answer = out.text("key_hash", hash).done();
  if (json)
    std::cout << answer << "\n";
  else
    draw(std::cout, answer, false);
  return 0;
}

} // namespace mainstay::ctl
