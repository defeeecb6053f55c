// mainstay-load: reads the command line, runs, reports. Exit code 0: every request was answered well; 1: not; 2: bad
// usage.
#include "tools/load/progress.hpp"
#include "tools/load/report.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>

namespace {

using namespace mainstay::load;

constexpr int all_well = 0, not_all_well = 1, bad_usage = 2;

void write_json(const options& o, const run_result& r) {
  if (o.json_file == "-") {
    std::cout << report_json(o, r) << std::flush;
    return;
  }
  std::ofstream file(o.json_file);
  file << report_json(o, r);
  if (!file.flush()) throw std::runtime_error("cannot write " + o.json_file);
}

} // namespace

int main(int argc, char** argv) {
  auto o = read_options(argc, argv);
  try {
    progress shown;
    generator g(o, [&](const tally& t, std::size_t open) {
      if (!o.quiet) shown.show(t, open);
    });
    auto r = g.run();
    shown.end();
    if (!o.quiet) (o.json_file == "-" ? std::cerr : std::cout) << report_text(o, r) << std::flush;
    if (!o.json_file.empty()) write_json(o, r);
    auto& all = r.counted.all();
    auto well = all.errors() == 0 && r.unfinished == 0 && r.counted.surplus_answers() == 0;
    return well ? all_well : not_all_well;
  } catch (const std::exception& e) {
    std::cerr << "mainstay-load: " << e.what() << "\n";
    return bad_usage;
  }
}
