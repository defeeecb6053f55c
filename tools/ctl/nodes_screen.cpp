#include "tools/ctl/nodes_screen.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <cstdio>

namespace mainstay::ctl {

namespace {

double number(const rapidjson::Value& of, const char* name) {
  return of.HasMember(name) && of[name].IsNumber() ? of[name].GetDouble() : 0;
}
std::string text(const rapidjson::Value& of, const char* name) {
  return of.HasMember(name) && of[name].IsString() ? of[name].GetString() : "";
}
std::string shown(const char* how, double n) {
  char out[64];
  std::snprintf(out, sizeof out, how, n);
  return out;
}
std::string count_text(double n) {
  return n >= 1e9   ? shown("%.1fG", n / 1e9)
         : n >= 1e6 ? shown("%.1fM", n / 1e6)
         : n >= 1e4 ? shown("%.1fk", n / 1e3)
                    : shown("%.0f", n);
}

/// Cells side by side, as long as there is room.
class cells {
public:
  explicit cells(std::size_t columns) : left_(columns) {}
  cells& put(std::string_view what, std::size_t width, tone how, bool right) {
    if (width + 1 > left_) width = left_ > 1 ? left_ - 1 : 0;
    if (width == 0) return *this;
    auto cell = fitted(what, width);
    const std::string pad(width - display_width(cell), ' ');
    out_.push_back({(right ? pad + cell : cell + pad) + " ", how});
    left_ -= width + 1;
    return *this;
  }
  std::size_t left() const noexcept { return left_; }
  screen_line done() { return std::move(out_); }

private:
  std::size_t left_;
  screen_line out_;
};

constexpr std::size_t state_width = 11, figure_width = 9;

} // namespace

double nodes_screen::rate_of(const std::string& node, double over, double own_rate, time_point at) {
  auto& c = counts_[node];
  if (c.at == at) return c.rate;
  const auto seconds = std::chrono::duration<double>(at - c.at).count();
  const bool first = c.at == time_point{} || over < c.over; // or another process
  c = {over, first ? own_rate : (over - c.over) / seconds, at};
  return c.rate;
}

std::vector<screen_line> nodes_screen::draw(const std::string& json, screen_size size, std::chrono::seconds silent,
                                            time_point at) {
  rapidjson::Document doc;
  if (doc.Parse(json.c_str()).HasParseError() || !doc.IsObject() || !doc.HasMember("nodes") || !doc["nodes"].IsArray())
    return {{{fitted("this node's answer cannot be read", size.columns), tone::bad}}};
  struct row {
    const rapidjson::Value* node;
    double rate = 0;
  };
  std::vector<row> rows;
  double rate = 0;
  for (auto& n : doc["nodes"].GetArray()) {
    if (!n.IsObject()) continue;
    row r{&n, 0};
    if (text(n, "why").empty())
      r.rate = rate_of(text(n, "address"), number(n, "ok") + number(n, "failed"), number(n, "requests_per_second"), at);
    rate += r.rate;
    rows.push_back(r);
  }
  std::stable_partition(rows.begin(), rows.end(), [](auto& r) { return !text(*r.node, "why").empty(); });

  std::vector<screen_line> out;
  const auto sum = text(doc, "answered") + "  req/s " + shown("%.1f", rate) + "  in flight " +
                   count_text(number(doc, "in_flight")) + "  waiting " + count_text(number(doc, "waiting")) +
                   "  today " + count_text(number(doc, "tokens_today")) + " tokens, " +
                   shown("$%.2f", number(doc, "cost_usd_today"));
  out.push_back({{fitted(sum, size.columns), tone::title}});
  if (silent.count() > 0)
    out.push_back({{fitted("no answer for " + std::to_string(silent.count()) + " s", size.columns), tone::bad}});
  const auto name_width = std::clamp<std::size_t>(size.columns / 5, 8, 30);
  cells head(size.columns);
  head.put("NODE", name_width, tone::quiet, false).put("STATE", state_width, tone::quiet, false);
  for (const char* c : {"REQ/S", "IN FLIGHT", "WAITING", "REQUESTS", "FAILED", "P99 MS", "TOKENS", "USD"})
    head.put(c, figure_width, tone::quiet, true);
  out.push_back(head.done());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (out.size() + 1 >= size.rows && i + 1 < rows.size()) {
      out.push_back({{fitted("and " + std::to_string(rows.size() - i) + " more", size.columns), tone::quiet}});
      break;
    }
    const auto& n = *rows[i].node;
    const auto name = text(n, "node").empty() ? text(n, "address") : text(n, "node");
    const auto state = text(n, "state"), why = text(n, "why");
    cells line(size.columns);
    line.put(name, name_width, tone::plain, false)
        .put(state, state_width,
             !why.empty()       ? tone::bad
             : state == "ready" ? tone::good
                                : tone::warn,
             false);
    if (!why.empty()) {
      line.put(why, line.left(), tone::bad, false);
    } else {
      line.put(shown("%.1f", rows[i].rate), figure_width, tone::plain, true);
      for (const char* c : {"in_flight", "waiting", "accepted", "failed"})
        line.put(count_text(number(n, c)), figure_width, tone::plain, true);
      line.put(shown("%.0f", 1e3 * number(n, "p99_seconds")), figure_width, tone::plain, true);
      line.put(count_text(number(n, "tokens_today")), figure_width, tone::plain, true);
      line.put(shown("%.2f", number(n, "cost_usd_today")), figure_width, tone::plain, true);
    }
    out.push_back(line.done());
  }
  if (out.size() > size.rows) out.resize(size.rows);
  return out;
}

} // namespace mainstay::ctl
