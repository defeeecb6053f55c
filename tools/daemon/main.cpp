// mainstayd: reads the command line, checks or serves a configuration, and turns signals into reload and drain.
#include "config/load.hpp"
#include "tools/daemon/daemon.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <iostream>
#include <pthread.h>
#include <sys/resource.h>

namespace {

constexpr int exit_bad_config = 2;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

/// Thousands of callers must fit: the descriptors the system allows, not the shell's default.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// A full or frozen stderr never holds up a request: the oldest lines are dropped.
void set_up_log(const std::string& level) {
  spdlog::init_thread_pool(8192, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto log = std::make_shared<spdlog::async_logger>("mainstay", sink, spdlog::thread_pool(),
                                                    spdlog::async_overflow_policy::overrun_oldest);
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  log->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(log);
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_every(std::chrono::seconds(1));
}

void print(const std::vector<mainstay::config::problem>& problems, const char* kind) {
  for (auto& p : problems) std::cerr << kind << mainstay::config::to_string(p) << "\n";
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Mainstay, the LLM gateway that stays up"};
  std::string file, level = "info";
  bool check = false;
  app.add_option("--config", file, "the configuration (YAML)")->required();
  app.add_flag("--check", check, "validate the configuration and exit: 0 if it is good, 2 if not");
  app.add_option("--log-level", level, "trace, debug, info, warn, error, critical")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical"}));
  app.set_version_flag("--version", "mainstayd " MAINSTAY_VERSION);
  CLI11_PARSE(app, argc, argv);

  auto loaded = mainstay::config::load_file(file);
  print(loaded.warnings, "warning: ");
  print(loaded.errors, "");
  if (!loaded.errors.empty()) return exit_bad_config;
  if (check) {
    std::cout << file << ": good\n";
    return 0;
  }

  auto signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr); // inherited by every thread: only this one takes them
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error to who writes one
  raise_descriptor_limit();
  set_up_log(level);
  int code = 1;
  try {
    mainstay::daemon daemon(file, loaded.value);
    for (;;) {
      int got = 0;
      if (sigwait(&signals, &got) != 0) continue;
      if (got != SIGHUP) break;
      daemon.reload();
    }
    code = daemon.drain();
  } catch (const mainstay::bad_setting& e) {
    spdlog::critical("{}", e.what());
    code = exit_bad_config;
  } catch (const std::exception& e) { spdlog::critical("{}", e.what()); }
  spdlog::shutdown();
  return code;
}

// Read by jemalloc where it is linked. Few threads work here: two arenas do; what a peak left behind goes back to the
// system within seconds.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,tcache_max:4096,dirty_decay_ms:2000,muzzy_decay_ms:0";
}
