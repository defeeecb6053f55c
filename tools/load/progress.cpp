#include "tools/load/progress.hpp"

#include "tools/load/report.hpp"

#include <unistd.h>

#include <cstdio>

namespace mainstay::load {

progress::progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

void progress::show(const tally& t, std::size_t open) {
  auto n = t.seconds_over();
  if (n == 0) return;
  auto row = t.timeline().size() >= n ? t.timeline()[n - 1] : second_row{};
  std::fprintf(stderr,
               "%s%5zu s  started %llu/s  ok %llu/s  errors %llu/s  open %zu  p50 %s  p99 %s  errors so far %llu%s",
               terminal_ ? "\r\x1b[K" : "", n, static_cast<unsigned long long>(row.started),
               static_cast<unsigned long long>(row.ok), static_cast<unsigned long long>(row.errors), open,
               short_text(row.p50).c_str(), short_text(row.p99).c_str(),
               static_cast<unsigned long long>(t.all().errors()), terminal_ ? "" : "\n");
  shown_ = true;
}

void progress::end() {
  if (terminal_ && shown_) std::fprintf(stderr, "\r\x1b[K");
}

} // namespace mainstay::load
