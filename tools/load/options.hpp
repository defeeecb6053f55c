// The command line, read and checked.
#pragma once

#include "core/clock.hpp"
#include "tools/load/rate_profile.hpp"
#include "tools/load/request_bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mainstay::load {

struct options {
  std::string http, zmq; // empty: not used
  request_shape shape;
  std::optional<rate_profile> rate; // none: closed loop
  std::string rate_text;
  std::size_t connections = 1; // at most so many requests under way
  std::optional<duration> run_time;
  std::optional<std::uint64_t> requests;
  std::uint64_t warmup = 0;
  double stream_share = 0;
  std::size_t prompt_bytes = 200;
  bool same = false;
  bool verify = false;
  std::size_t words = 60;
  duration timeout = 60s;
  std::uint64_t seed = 0;
  std::string json_file; // "-": standard output
  bool quiet = false;
};

/// Reads the command line. On --help, --version and on mistakes it prints what there is to say and ends the program (0
/// or 2).
options read_options(int argc, char** argv);

} // namespace mainstay::load
