// getaddrinfo on a thread of its own; the result is left in shared state, whoever is still there to read it.
#include "net/host_lookup.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <mutex>
#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>

namespace mainstay {

struct host_lookup::state {
  std::mutex guard;
  bool running = false;
  std::vector<std::string> addresses;
  std::string error;
};

namespace {

bool is_numeric(const std::string& host) {
  in6_addr unused;
  return inet_pton(AF_INET, host.c_str(), &unused) == 1 || inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

std::string resolve(const std::string& host, std::vector<std::string>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int rc = getaddrinfo(host.c_str(), nullptr, &hints, &found); rc != 0) return gai_strerror(rc);
  for (auto* a = found; a; a = a->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
  freeaddrinfo(found);
  return addresses.empty() ? "no address" : "";
}

} // namespace

host_lookup::host_lookup(std::string host, std::shared_ptr<wakeup> asker)
  : host_(std::move(host)), numeric_(is_numeric(host_)), asker_(std::move(asker)), state_(std::make_shared<state>()) {}

void host_lookup::begin() {
  if (numeric_) return;
  std::lock_guard lock(state_->guard);
  if (state_->running) return;
  state_->running = true;
  try {
    std::thread([s = state_, host = host_, asker = asker_] {
      block_signals_in_this_thread();
      std::vector<std::string> addresses;
      auto error = resolve(host, addresses);
      {
        std::lock_guard lock(s->guard);
        s->addresses = std::move(addresses);
        s->error = std::move(error);
        s->running = false;
      }
      asker->signal();
    }).detach();
  } catch (const std::system_error& e) {
    state_->running = false;
    state_->addresses.clear();
    state_->error = e.what();
  }
}

bool host_lookup::done(std::vector<std::string>& addresses, std::string& error) {
  error.clear();
  if (numeric_) {
    addresses = {host_};
    return true;
  }
  std::lock_guard lock(state_->guard);
  if (state_->running) return false;
  addresses = state_->addresses;
  error = state_->error;
  return true;
}

} // namespace mainstay
