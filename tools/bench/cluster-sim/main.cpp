// cluster-sim: what limits that hold over a whole cluster cost and how well they are used, from 3 to 1,000 nodes, by
// the gateway's own code on a simulated clock. The numbers and plots of docs/scale.md come from here.
#include "tools/bench/cluster-sim/cluster.hpp"
#include "tools/bench/cluster-sim/plot.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>

namespace {

using namespace mainstay;
using namespace mainstay::sim;

struct row {
  std::string demand;
  node_index nodes = 0;
  std::uint64_t limit = 0;
  double used = 0, worst = 0;       // of the limit, in the windows of the last two minutes: mean and least
  double per_node = 0, busiest = 0; // messages a second
  double cpu_us = 0;                // of all nodes together, for a second, by node
  double again = -1;                // seconds after the failure until nine tenths are used again
  bool held = true;
  line over_time;
};

/// Who wants how much: one and a half times the limit in all.
void want(cluster& c, const std::string& how, std::uint64_t limit, unsigned turn) {
  const auto all = 1.5 * static_cast<double>(limit);
  const auto hot = how == "even" ? c.size() : std::max<node_index>(1, c.size() / 10);
  for (node_index n = 0; n < c.size(); ++n) {
    const auto place = (n + c.size() - (turn * hot) % c.size()) % c.size();
    c.demand(n, place < hot ? all / hot : 0);
  }
}

row run(const std::string& how, node_index nodes, std::uint64_t limit, duration each) {
  const auto limited = static_cast<double>(limit);
  cluster c(nodes, {limit, 60s, false}, 1);
  const auto fails = how == "crash" || how == "split";
  const auto end = instant{fails ? 420s : 300s};
  auto turn = 0u;
  want(c, how, limit, turn);
  row r{.demand = how, .nodes = nodes, .limit = limit, .worst = 1, .over_time = {std::to_string(nodes) + " nodes", {}}};
  std::vector<std::uint64_t> before(nodes);
  auto samples = 0;
  const auto owner = c.owner();
  auto broken = false, mended = false;
  const auto cpu = std::clock();
  for (auto next = instant{1s}; c.now() < end;) {
    c.step(each);
    if (c.now() < next) continue;
    const auto second = static_cast<int>(std::chrono::duration<double>(c.now().time_since_epoch()).count());
    next += 1s;
    const auto used = static_cast<double>(c.in_window()) / limited;
    r.over_time.points.emplace_back(second, 100 * used);
    if (how == "moving" && second % 20 == 0) want(c, how, limit, ++turn);
    if (fails && !broken && second >= 120) {
      broken = true;
      how == "crash" ? c.crash(owner) : c.split(true);
    }
    if (fails && !mended && second >= (how == "crash" ? 125 : 180)) {
      mended = true;
      how == "crash" ? c.restart(owner) : c.split(false);
      r.again = -1;
    }
    if (mended && used < 0.9) r.again = second - (how == "crash" ? 125 : 180);
    if (c.now() + 120s < end) continue;
    if (samples++ == 0)
      for (node_index n = 0; n < nodes; ++n) before[n] = c.messages(n);
    r.used += used;
    r.worst = std::min(r.worst, used);
  }
  r.cpu_us = 1e6 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC / nodes /
             std::chrono::duration<double>(end.time_since_epoch()).count();
  r.used /= samples;
  for (node_index n = 0; n < nodes; ++n) {
    const auto rate = static_cast<double>(c.messages(n) - before[n]) / (samples - 1);
    r.per_node += rate / nodes;
    r.busiest = std::max(r.busiest, rate);
  }
  r.again = fails ? r.again + 1 : -1;
  r.held = !c.exceeded();
  return r;
}

void print(const row& r) {
  std::printf("| %-7s | %5u | %6llu | %5.1f %% | %5.1f %% | %8.1f | %8.1f | %7.1f | %s |\n", r.demand.c_str(), r.nodes,
              static_cast<unsigned long long>(r.limit), 100 * r.used, 100 * r.worst, r.per_node, r.busiest, r.cpu_us,
              r.again < 0 ? "" : (std::to_string(static_cast<int>(r.again)) + " s").c_str());
  std::fflush(stdout);
}

std::string to_json(const std::vector<row>& rows) {
  std::ostringstream s;
  s << "[";
  for (const auto& r : rows)
    s << (&r == rows.data() ? "\n" : ",\n") << "{\"demand\":\"" << r.demand << "\",\"nodes\":" << r.nodes
      << ",\"limit\":" << r.limit << ",\"used\":" << r.used << ",\"least_used\":" << r.worst
      << ",\"messages_per_node_and_second\":" << r.per_node << ",\"messages_of_the_busiest\":" << r.busiest
      << ",\"cpu_us_per_node_and_second\":" << r.cpu_us << ",\"seconds_to_recover\":" << r.again << "}";
  s << "\n]\n";
  return s.str();
}

void draw(const std::vector<row>& rows, const std::string& folder) {
  const auto save = [&](const char* name, const chart& c) { std::ofstream(folder + "/" + name) << to_svg(c); };
  const std::vector<std::string> steady{"even", "uneven", "moving"};
  chart messages{
      "Messages for one limit with more demand than it allows", "nodes", "messages a second", true, true, {}};
  chart use{"Use of a limit", "nodes", "% of the limit", true, false, {}};
  for (const auto& how : steady) {
    line busiest{how + ", busiest", {}}, mean{how + ", mean", {}}, used{how, {}};
    for (const auto& r : rows) {
      if (r.demand != how || r.limit != std::max<std::uint64_t>(600, r.nodes * 60)) continue;
      busiest.points.emplace_back(r.nodes, std::max(0.01, r.busiest));
      mean.points.emplace_back(r.nodes, std::max(0.01, r.per_node));
      used.points.emplace_back(r.nodes, 100 * r.used);
    }
    messages.lines.push_back(busiest);
    messages.lines.push_back(mean);
    use.lines.push_back(used);
  }
  save("scale-messages.svg", messages);
  save("scale-use.svg", use);
  for (const std::string how : {"crash", "split"}) {
    chart c{how == "crash" ? "The owner dies at 120 s and is back at 125 s"
                           : "Two halves are cut apart from 120 s to 180 s",
            "seconds",
            "% of the limit, in the last 60 s",
            false,
            false,
            {}};
    for (const auto& r : rows)
      if (r.demand == how) c.lines.push_back(r.over_time);
    if (!c.lines.empty()) save(how == "crash" ? "scale-crash.svg" : "scale-split.svg", c);
  }
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates the limits of a cluster of 3 to 1,000 nodes with the gateway's own code");
  auto short_run = false;
  std::string json, svg;
  node_index most = 1000;
  app.add_flag("--short", short_run, "few nodes; fails if a limit is exceeded or badly used");
  app.add_option("--nodes", most, "the largest cluster")->check(CLI::Range(3, 1000));
  app.add_option("--json", json, "file for the numbers");
  app.add_option("--svg", svg, "folder for the plots");
  CLI11_PARSE(app, argc, argv);

  std::printf("| demand  | nodes |  limit |    used |   least | msg/s, ~ | msg/s, ^ | CPU, us | again |\n"
              "| ------- | ----- | ------ | ------- | ------- | -------- | -------- | ------- | ----- |\n");
  std::vector<row> rows;
  auto good = true;
  const auto go = [&](const char* how, node_index nodes, std::uint64_t limit) {
    rows.push_back(run(how, nodes, limit, nodes > 300 ? 100ms : nodes > 100 ? 50ms : 20ms));
    const auto& r = rows.back();
    print(r);
    good = good && r.held && r.used >= 0.9 && r.again <= 120;
  };
  for (const node_index nodes : {3, 10, 30, 100, 300, 1000}) {
    if (nodes > most || (short_run && nodes > 10)) continue;
    for (const auto* how : {"even", "uneven", "moving", "crash", "split"}) {
      const auto breaks = std::string_view(how) == "crash" || std::string_view(how) == "split";
      if (nodes > 300 && breaks) continue; // takes long, and shows nothing new
      go(how, nodes, std::max<std::uint64_t>(600, std::uint64_t{nodes} * 60));
    }
    if (nodes >= 100) go("uneven", nodes, 600);
  }
  if (!json.empty()) std::ofstream(json) << to_json(rows);
  if (!svg.empty()) draw(rows, svg);
  if (short_run && !good) std::cerr << "a limit was exceeded, or less than nine tenths of it used\n";
  return short_run && !good ? 1 : 0;
}
