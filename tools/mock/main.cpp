// mainstay-mock: a scripted fake provider. Reads the command line, listens, and serves until SIGTERM or SIGINT.
#include "tools/mock/exchange.hpp"
#include "tools/mock/peer.hpp"
#include "tools/mock/provider.hpp"
#include "tools/mock/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <CLI/CLI.hpp>

#include <sys/resource.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace mainstay::mock;
using tcp = asio::ip::tcp;
namespace asio = boost::asio;

struct command_line {
  settings given;
  std::string listen = "127.0.0.1:0", port_file, script_file;
};

void describe(CLI::App& app, command_line& line) {
  auto& s = line.given;
  app.add_option("--listen", line.listen, "address and port; port 0 picks a free one")->capture_default_str();
  app.add_option("--port-file", line.port_file, "write the port there once listening");
  app.add_option("--script", line.script_file, "rules to start with (JSON, docs/mock.md)");
  app.add_option("--seed", s.seed, "of everything random")->capture_default_str();
  app.add_option("--words", s.words, "words of an answer")->capture_default_str()->check(CLI::Range(0u, most_words));
  app.add_option("--token-ms", s.token_ms, "pause before each streamed word")->check(CLI::Range(0.0, 600000.0));
  app.add_option("--latency-ms", s.latency_ms, "pause before each answer")->check(CLI::Range(0.0, 600000.0));
  app.add_option("--threads", s.threads, "threads")->capture_default_str()->check(CLI::Range(1u, 64u));
  app.add_option("--name", s.name, "the provider's name, for rules and ids")->capture_default_str();
  app.add_option("--keep-bodies", s.keep_bodies, "keep the last so many request bodies")
      ->check(CLI::Range(0u, 1000000u));
  app.add_option("--idle-ms", s.idle_ms, "close connections that are idle for so long")
      ->check(CLI::Range(0u, 86400000u));
  app.add_flag("--require-key", s.require_key, "answer 401 without a bearer token");
  app.set_version_flag("--version", "mainstay-mock " MAINSTAY_VERSION);
}

tcp::endpoint endpoint_of(const std::string& listen) {
  auto colon = listen.rfind(':');
  auto host = listen.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  unsigned port = 65536;
  if (colon != std::string::npos) {
    auto end = listen.data() + listen.size();
    auto [last, code] = std::from_chars(listen.data() + colon + 1, end, port);
    if (code != std::errc() || last != end) port = 65536;
  }
  boost::system::error_code ec;
  auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, ec);
  if (ec || port > 65535) throw std::runtime_error("--listen " + listen + ": must be ADDRESS:PORT");
  return {address, static_cast<unsigned short>(port)};
}

script script_of(const command_line& line) {
  if (line.script_file.empty()) return {};
  std::ifstream file(line.script_file);
  if (!file) throw std::runtime_error("cannot read " + line.script_file);
  std::stringstream text;
  text << file.rdbuf();
  auto read = read_script(text.str(), line.given.seed);
  std::string wrong;
  for (auto& error : read.errors) wrong += (wrong.empty() ? "" : "\n") + line.script_file + ": " + error;
  if (!wrong.empty()) throw std::runtime_error(wrong);
  return std::move(read.rules);
}

// Thousands of callers must fit: the descriptors the system allows, not the shell's default.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

using loops = std::vector<std::unique_ptr<asio::io_context>>;

// Connections go round the threads in turn, and stay where they are.
asio::awaitable<void> accept_all(tcp::acceptor& acceptor, loops& threads, provider& shared) {
  asio::steady_timer rest(acceptor.get_executor());
  for (std::uint64_t number = 1;; ++number) {
    auto& home = *threads[number % threads.size()];
    boost::system::error_code ec;
    tcp::socket socket(home);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) co_return;
    if (ec) { // out of descriptors: they come back as callers leave
      rest.expires_after(std::chrono::milliseconds(20));
      co_await rest.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    auto caller = std::make_shared<peer>(std::move(socket), number);
    asio::co_spawn(home, serve(std::move(caller), shared), asio::detached);
  }
}

void announce(const tcp::acceptor& acceptor, const std::string& port_file) {
  auto local = acceptor.local_endpoint();
  if (!port_file.empty()) { // renamed into place: whoever sees the file sees the whole number
    auto partial = port_file + ".new";
    std::ofstream(partial) << local.port() << "\n";
    if (std::rename(partial.c_str(), port_file.c_str()) != 0) throw std::runtime_error("cannot write " + port_file);
  }
  std::cout << "listening on " << local << std::endl;
}

void run(const command_line& line) {
  auto endpoint = endpoint_of(line.listen);
  provider shared(line.given, script_of(line));
  raise_descriptor_limit();
  loops threads;
  for (unsigned i = 0; i < line.given.threads; ++i) threads.push_back(std::make_unique<asio::io_context>(1));
  auto& first = *threads.front();
  auto stop = [&threads] {
    for (auto& t : threads) t->stop();
  };
  asio::signal_set signals(first, SIGTERM, SIGINT);
  signals.async_wait([&](auto, int) { stop(); });
  tcp::acceptor acceptor(first, endpoint);
  acceptor.listen(4096);
  announce(acceptor, line.port_file);
  asio::co_spawn(first, accept_all(acceptor, threads, shared), asio::detached);

  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads.size(); ++i)
    others.emplace_back([&loop = *threads[i]] {
      auto keep = asio::make_work_guard(loop);
      loop.run();
    });
  first.run();
}

} // namespace

int main(int argc, char** argv) {
  command_line line;
  CLI::App app("A scripted fake provider for tests, demos and drills.", "mainstay-mock");
  describe(app, line);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    run(line);
    return 0;
  } catch (const std::exception& wrong) {
    std::cerr << "mainstay-mock: " << wrong.what() << "\n";
    return 2;
  }
}
