#include "tools/ctl/warm_progress.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr std::size_t problems_listed = 1000; // in the JSON
using namespace std::chrono_literals;

std::string rounded(double v) {
  char text[32];
  std::snprintf(text, sizeof text, v < 10 ? "%.1f" : "%.0f", v);
  return text;
}

} // namespace

warm_progress::warm_progress(std::string file, bool json)
  : file_(std::move(file)), json_(json), live_(!json && isatty(STDOUT_FILENO)) {}

void warm_progress::add_problem(problem p) {
  if (!json_) say(file_ + ":" + std::to_string(p.line) + ": " + p.what);
  ++problems_;
  if (json_ && listed_.size() < problems_listed) listed_.push_back(std::move(p));
}

void warm_progress::add_failed(problem p) {
  ++failed_here_;
  add_problem(std::move(p));
}

void warm_progress::say(const std::string& what) {
  line_.wipe();
  std::cerr << what << "\n";
}

/// Of the last few seconds.
double warm_progress::rate() {
  const auto now = clock::now();
  lately_.emplace_back(now, finished());
  while (lately_.size() > 2 && lately_.front().first < now - 5s) lately_.pop_front();
  const auto [since, before] = lately_.front();
  const std::chrono::duration<double> took = now - since;
  return took.count() > 0 ? double(finished() - before) / took.count() : 0;
}

std::string warm_progress::sentence() {
  const auto speed = rate();
  std::string out = "warmed " + std::to_string(now_.warmed) + "  skipped " + std::to_string(now_.skipped) +
                    "  failed " + std::to_string(failed()) + "  " + rounded(speed) + "/s";
  if (total_) {
    const auto left = *total_ - std::min(*total_, finished());
    out += "  remaining " + std::to_string(left);
    if (speed > 0 && left > 0) out += " (" + rounded(double(left) / speed) + " s)";
  }
  if (!now_.pause.empty()) out += "  waiting: " + now_.pause;
  return out;
}

void warm_progress::show() {
  const auto now = clock::now();
  if (json_ || now - shown_ < (live_ ? 200ms : 5s)) return;
  const bool first = shown_ == clock::time_point{};
  shown_ = now;
  if (!live_) {
    if (!first) std::cout << sentence() << std::endl;
    return;
  }
  const auto done = total_ && *total_ > 0 ? bar(double(finished()) / double(*total_)) + "  " : "";
  line_.show(done + sentence());
}

void warm_progress::end(bool interrupted) {
  if (json_) return print_json(interrupted);
  line_.wipe();
  const std::chrono::duration<double> took = clock::now() - began_;
  std::cout << (interrupted ? "interrupted: " : "") << "warmed " << now_.warmed << ", skipped " << now_.skipped
            << ", failed " << failed();
  if (total_) std::cout << " of " << *total_ << " lines";
  std::cout << " in " << rounded(took.count()) << " s" << std::endl;
}

void warm_progress::print_json(bool interrupted) const {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> w(out);
  w.StartObject();
  w.Key("file");
  w.String(file_.c_str());
  if (total_) {
    w.Key("lines");
    w.Uint64(*total_);
  }
  w.Key("warmed");
  w.Uint64(now_.warmed);
  w.Key("skipped");
  w.Uint64(now_.skipped);
  w.Key("failed");
  w.Uint64(failed());
  w.Key("interrupted");
  w.Bool(interrupted);
  w.Key("seconds");
  w.Double(std::chrono::duration<double>(clock::now() - began_).count());
  w.Key("problems");
  w.StartArray();
  for (auto& p : listed_) {
    w.StartObject();
    w.Key("line");
    w.Uint64(p.line);
    w.Key("problem");
    w.String(p.what.c_str());
    w.EndObject();
  }
  w.EndArray();
  w.Key("problems_left_out");
  w.Uint64(problems_ - listed_.size());
  w.EndObject();
  std::cout << out.GetString() << std::endl;
}

} // namespace mainstay::ctl
