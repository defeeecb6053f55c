// A Redis that says whatever it likes: the client on a real connection, after an honest greeting. The input is what
// it answers to GET, SET and SCAN, and behind each '|' to what comes next. Every callback comes once, and what it does
// not understand is no answer.
#include "net/redis_client.hpp"

#include "tests/fuzz/fuzz.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace mainstay;

namespace {

struct descriptor {
  int fd;
  ~descriptor() { close(fd); }
};

/// What the client's thread told.
struct told {
  std::mutex guard;
  std::condition_variable changed;
  bool up = false, down = false;
  int gets = 0, clears = 0;

  template <class Change>
  void note(Change&& change) {
    std::lock_guard lock(guard);
    change();
    changed.notify_all();
  }
  template <class Condition>
  bool wait(Condition&& condition) {
    std::unique_lock lock(guard);
    return changed.wait_for(lock, 10s, condition);
  }
};

/// Where the clients of all tries come to: one port, for there are not that many.
struct listener {
  descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;

  listener() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* address = reinterpret_cast<sockaddr*>(&at);
    MUST(bind(socket.fd, address, size) == 0 && listen(socket.fd, 64) == 0);
    MUST(getsockname(socket.fd, address, &size) == 0);
    port = ntohs(at.sin_port);
  }
};
const listener& door() {
  static const listener only;
  return only;
}

bool comes_something(int fd, int milliseconds) {
  pollfd p{fd, POLLIN, 0};
  int ready = 0;
  do ready = poll(&p, 1, milliseconds);
  while (ready < 0 && errno == EINTR); // libFuzzer's clock
  return ready > 0;
}

void say(int fd, std::string_view text) { (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

void drain(int fd) {
  std::array<char, 4096> bytes;
  while (recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {}
}

/// The next connection that greets. One of an earlier client that came again after its end says nothing.
int greeted() {
  for (;;) {
    MUST(comes_something(door().socket.fd, 10'000));
    const int fd = accept4(door().socket.fd, nullptr, nullptr, SOCK_CLOEXEC);
    std::array<char, 100> ping;
    if (comes_something(fd, 10'000) && recv(fd, ping.data(), ping.size(), 0) > 0) return fd;
    close(fd);
  }
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  told heard;
  redis_settings settings;
  settings.port = door().port;
  settings.command_deadline = settings.connect_deadline = 10s;
  settings.reconnect_min = settings.reconnect_max = 1h;
  settings.on_state = [&](bool up, const std::string& why) {
    if (!up && !heard.up) std::fprintf(stderr, "no connection: %s\n", why.c_str());
    heard.note([&] { (up ? heard.up : heard.down) = true; });
  };
  redis_client client(settings);
  const descriptor peer{greeted()};
  say(peer.fd, "+PONG\r\n");
  MUST(heard.wait([&] { return heard.up; }));

  client.get("k", [&](redis_result result, bytes_ptr value) {
    MUST((result == redis_result::hit) == (value != nullptr));
    heard.note([&] { ++heard.gets; });
  });
  client.set("k", make_bytes("v"), 1s, true);
  client.clear("prefix", [&](long deleted) {
    MUST(deleted >= -1);
    heard.note([&] { ++heard.clears; });
  });
  for (int i = 0; i < 4 && !input.empty(); ++i) {
    (void)comes_something(peer.fd, 2);
    drain(peer.fd);
    const auto part = input.substr(0, input.find('|'));
    say(peer.fd, part);
    input.remove_prefix(std::min(part.size() + 1, input.size()));
  }
  shutdown(peer.fd, SHUT_WR);
  MUST(heard.wait([&] { return heard.down && heard.gets == 1 && heard.clears == 1; }));
  MUST(client.look().pending == 0);
}
