// A real redis-server for one test: on a free port, without persistence, in a temporary directory. Can be killed,
// frozen and restarted. Ends with the test process, whatever happens to that.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace mainstay::test {

/// A port of 127.0.0.1 that was free a moment ago.
inline std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!ok) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

class redis_process {
public:
  explicit redis_process(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string name = (std::filesystem::temp_directory_path() / "mainstay-redis-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    directory_ = name;
    for (int tries = 0; tries < 5 && pid_ < 0; ++tries) {
      port_ = free_port();
      start();
    }
    if (pid_ < 0) throw std::runtime_error("redis-server does not start");
  }
  ~redis_process() {
    kill_hard();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  redis_process(const redis_process&) = delete;
  redis_process& operator=(const redis_process&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }

  /// Returns when it accepts connections, on the port it had before.
  void restart() {
    kill_hard();
    start();
    if (pid_ < 0) throw std::runtime_error("redis-server does not start again");
  }
  void kill_hard() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(output_);
    pid_ = -1;
  }
  /// It keeps its sockets and answers nothing. Returns when it has stopped.
  void freeze() {
    ::kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }
  void thaw() { ::kill(pid_, SIGCONT); }

private:
  void start() {
    std::vector<std::string> words{
        "redis-server", "--port", std::to_string(port_), "--bind",      "127.0.0.1", "--save", "", "--appendonly",
        "no",           "--dir",  directory_.string(),   "--daemonize", "no"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      close(ends[0]);
      close(ends[1]);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
    if (!says_ready()) kill_hard();
  }
  bool says_ready() {
    std::string said;
    char buffer[4096];
    while (said.find("eady to accept connections") == std::string::npos) {
      const auto n = read(output_, buffer, sizeof buffer);
      if (n <= 0) return false;
      said.append(buffer, std::size_t(n));
    }
    return true;
  }

  std::vector<std::string> options_;
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  int output_ = -1;
};

} // namespace mainstay::test
