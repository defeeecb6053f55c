// mainstayd: reads the command line, checks or serves a configuration, and turns signals into reload and drain.
#include "actors/log.hpp"
#include "actors/request_log.hpp"
#include "config/load.hpp"
#include "tools/daemon/daemon.hpp"
#include "tools/daemon/log_format.hpp"
#include "tools/daemon/service_notify.hpp"

#include <CLI/CLI.hpp>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <iostream>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

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
void set_up_log(const std::string& level, bool json) {
  spdlog::init_thread_pool(8192, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  const auto make = [&](const char* name) {
    auto log = std::make_shared<spdlog::async_logger>(name, sink, spdlog::thread_pool(),
                                                      spdlog::async_overflow_policy::overrun_oldest);
    log->flush_on(spdlog::level::warn);
    return log;
  };
  if (json)
    sink->set_formatter(mainstay::json_log_format(mainstay::request_log::logger));
  else
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  spdlog::set_default_logger(make("mainstay"));
  spdlog::register_logger(make(mainstay::request_log::logger));
  spdlog::set_level(spdlog::level::from_str(level));
  spdlog::flush_every(std::chrono::seconds(1));
}

void print(const std::vector<mainstay::config::problem>& problems, const char* kind) {
  for (auto& p : problems) std::cerr << kind << mainstay::config::to_string(p) << "\n";
}

/// Whoever reads a core reads every key and prompt in memory. The limit is for files, the flag for cores that a program
/// is handed.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Mainstay, the LLM gateway that stays up"};
  std::string file, level = "info", format = "auto";
  bool check = false;
  app.add_option("--config", file, "the configuration (YAML)")->required();
  app.add_flag("--check", check, "validate the configuration and exit: 0 if it is good, 2 if not");
  app.add_option("--log-level", level, "trace, debug, info, warn, error, critical")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical"}));
  app.add_option("--log-format", format, "text, json, or auto: text at a terminal, json otherwise")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "text", "json"}));
  bool core_dumps = false;
  app.add_flag("--core-dumps", core_dumps, "leave a core when it crashes: it holds keys and prompts");
  app.set_version_flag("--version", "mainstayd " MAINSTAY_VERSION);
  CLI11_PARSE(app, argc, argv);

  auto loaded = mainstay::config::load_file(file);
  const bool json = format == "json" || (format == "auto" && !isatty(STDERR_FILENO));
  if (check || !json || !loaded.errors.empty()) print(loaded.warnings, "warning: ");
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
  if (!core_dumps) forbid_core_dumps();
  set_up_log(level, json);
  if (json)
    for (auto& w : loaded.warnings) mainstay::log::warn("{}", mainstay::config::to_string(w));
  int code = 1;
  try {
    mainstay::daemon daemon(file, loaded.value, json);
    const mainstay::service_notify manager([&](mainstay::duration patience) { return daemon.pulse(patience); });
    manager.ready();
    for (;;) {
      int got = 0;
      if (sigwait(&signals, &got) != 0) continue;
      if (got != SIGHUP) break;
      manager.reloading();
      daemon.reload_by_signal();
      manager.ready();
    }
    manager.stopping();
    code = daemon.drain();
  } catch (const mainstay::bad_setting& e) {
    mainstay::log::critical("{}", e.what());
    code = exit_bad_config;
  } catch (const std::exception& e) { mainstay::log::critical("{}", e.what()); }
  spdlog::shutdown();
  return code;
}

// Read by jemalloc where it is linked. Few threads work here: two arenas do; what a peak left behind goes back to the
// system within seconds.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,tcache_max:4096,dirty_decay_ms:2000,muzzy_decay_ms:0";
}
