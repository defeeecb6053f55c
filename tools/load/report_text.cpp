#include "tools/load/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace mainstay::load {
namespace {

constexpr std::size_t bar_width = 50, most_rows = 40;
constexpr double wanted_rows = 16, fewest_per_doubling = 2, most_per_doubling = 32; // of the latency plot

template <class... Parts>
void print(std::string& out, const char* format, Parts... parts) {
  char line[512];
  auto length = std::snprintf(line, sizeof line, format, parts...);
  out.append(line, static_cast<std::size_t>(std::clamp<int>(length, 0, sizeof line - 1)));
}

unsigned long long number(std::uint64_t n) { return n; }

double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

// A list such as "primary 900, backup 12".
template <class Counts, class Name>
std::string listed(const Counts& counts, Name name) {
  std::string out;
  for (auto& [what, count] : counts) {
    if (!count) continue;
    if (!out.empty()) out += ", ";
    out += name(what) + " " + std::to_string(count);
  }
  return out.empty() ? "none" : out;
}

std::string faults(const counts& c) {
  std::vector<std::pair<std::size_t, std::uint64_t>> kinds;
  for (std::size_t i = 1; i < fault_count; ++i) kinds.emplace_back(i, c.faults[i]);
  return listed(kinds, [](std::size_t i) { return std::string(name_of(static_cast<fault>(i))); });
}

void durations(std::string& out, const char* name, const histogram& h) {
  if (!h.count()) return;
  print(out, "%-14s %10llu", name, number(h.count()));
  for (auto d : {h.min(), h.quantile(0.5), h.quantile(0.9), h.quantile(0.99), h.quantile(0.999), h.max()})
    print(out, " %10s", short_text(d).c_str());
  out += '\n';
}

void summary(std::string& out, const options& o, const run_result& r) {
  auto& t = r.counted;
  auto elapsed = std::max(seconds(t.elapsed()), 1e-9);
  auto finished = static_cast<double>(std::max<std::uint64_t>(t.all().requests, 1));
  print(out, "requests  %llu in %.2f s: %.0f a second; ok %llu, errors %llu\n", number(t.all().requests), elapsed,
        static_cast<double>(t.all().requests) / elapsed, number(t.all().ok), number(t.all().errors()));
  out += "errors    " + faults(t.all()) + "\n";
  out += "statuses  " + listed(t.statuses(), [](int status) { return std::to_string(status); }) + "\n";
  out += "sources   " + listed(t.sources(), [](const std::string& name) { return name; }) + "\n";
  if (t.surplus_answers()) print(out, "surplus   %llu answers nobody asked for\n", number(t.surplus_answers()));
  if (r.unfinished) print(out, "cut off   %llu requests were under way\n", number(r.unfinished));
  print(out, "this tool %.1f us of CPU a request; seed %llu\n\n", static_cast<double>(r.cpu.count()) / 1e3 / finished,
        number(o.seed));
}

void tables(std::string& out, const options& o, const tally& t) {
  print(out, "%-14s %10s %10s %10s %10s %10s %10s %10s\n", "", "count", "min", "p50", "p90", "p99", "p99.9", "max");
  durations(out, "latency", t.latency());
  if (!o.http.empty() && !o.zmq.empty()) {
    durations(out, "  http", t.latency(door_kind::http));
    durations(out, "  zmq", t.latency(door_kind::zmq));
  }
  durations(out, "first token", t.first_token());
  durations(out, "between tokens", t.gap());
  if (o.rate) durations(out, "sent late", t.lateness());
  if (o.rate && t.lateness().quantile(0.99) > 10ms)
    out += "Requests left late: no connection was free (see --connections), or this tool had too little CPU.\n";
}

std::string bar(double share, char c = '#') {
  return std::string(static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * bar_width)), c);
}

void latency_plot(std::string& out, const histogram& h) {
  if (!h.count()) return;
  auto doublings = std::log2(static_cast<double>(h.max().count() + 1) / static_cast<double>(h.min().count() + 1));
  auto steps_per_doubling =
      std::clamp(std::round(wanted_rows / std::max(doublings, 0.01)), fewest_per_doubling, most_per_doubling);
  std::vector<std::pair<duration, std::uint64_t>> rows; // upper end, count
  for (auto& b : h.buckets()) {
    auto step = std::ceil(std::log2(static_cast<double>(b.upper.count() + 1) / 1e3) * steps_per_doubling);
    auto upper = duration(static_cast<std::int64_t>(std::exp2(step / steps_per_doubling) * 1e3));
    if (rows.empty() || rows.back().first < upper) rows.emplace_back(upper, 0);
    rows.back().second += b.count;
  }
  std::uint64_t most = 0, seen = 0;
  for (auto& row : rows) most = std::max(most, row.second);
  out += "\nlatency up to    answers   so far\n";
  for (auto& [upper, count] : rows) {
    seen += count;
    print(out, "%12s %11llu %7.2f%% |%s\n", short_text(upper).c_str(), number(count),
          100 * static_cast<double>(seen) / static_cast<double>(h.count()),
          bar(static_cast<double>(count) / static_cast<double>(most)).c_str());
  }
}

// Seconds are drawn together where there are more than fit.
void time_plot(std::string& out, const std::vector<second_row>& timeline) {
  auto together = (timeline.size() + most_rows - 1) / most_rows;
  std::vector<second_row> rows;
  for (std::size_t i = 0; i < timeline.size(); ++i) {
    if (i % together == 0) rows.emplace_back();
    auto& row = rows.back();
    row.started += timeline[i].started;
    row.ok += timeline[i].ok;
    row.errors += timeline[i].errors;
    row.p50 = std::max(row.p50, timeline[i].p50);
    row.p99 = std::max(row.p99, timeline[i].p99);
  }
  std::uint64_t most = 1;
  for (auto& row : rows) most = std::max({most, row.started, row.ok + row.errors});
  print(out, "\n%6s %9s %9s %9s %10s %10s  # ok, ! error, . started and not ended in that time\n", "second", "started",
        "ok", "errors", "p50", "p99");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& row = rows[i];
    auto share = [&](std::uint64_t n) { return static_cast<double>(n) / static_cast<double>(most); };
    auto line = bar(share(row.ok)) + bar(share(row.errors), '!');
    if (auto all = bar(share(row.started), '.'); all.size() > line.size()) line += all.substr(line.size());
    print(out, "%6zu %9llu %9llu %9llu %10s %10s |%s\n", i * together, number(row.started), number(row.ok),
          number(row.errors), short_text(row.p50).c_str(), short_text(row.p99).c_str(), line.c_str());
  }
}

void complaints(std::string& out, const std::vector<complaint>& all) {
  if (all.empty()) return;
  out += "\nfirst error of each kind\n";
  for (auto& c : all) {
    auto text = c.text;
    std::replace_if(
        text.begin(), text.end(), [](char letter) { return static_cast<unsigned char>(letter) < ' '; }, ' ');
    out += "  " + std::string(name_of(c.what)) + (c.status ? " " + std::to_string(c.status) : "") +
           (text.empty() ? "" : ": " + text) + "\n";
  }
}

} // namespace

std::string short_text(duration d) {
  auto us = static_cast<double>(d.count()) / 1e3;
  struct unit {
    double size;
    const char* name;
  };
  auto u = us < 999.5 ? unit{1, "us"} : us < 999.5e3 ? unit{1e3, "ms"} : unit{1e6, "s"};
  auto value = us / u.size;
  std::string out;
  print(out,
        u.size == 1     ? "%.0f %s"
        : value < 9.995 ? "%.2f %s"
        : value < 99.95 ? "%.1f %s"
                        : "%.0f %s",
        value, u.name);
  return out;
}

std::string report_text(const options& o, const run_result& r) {
  std::string out;
  summary(out, o, r);
  tables(out, o, r.counted);
  latency_plot(out, r.counted.latency());
  time_plot(out, r.counted.timeline());
  complaints(out, r.counted.complaints());
  return out;
}

} // namespace mainstay::load
