#include "tools/ctl/top_screen.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>

namespace mainstay::ctl {

namespace {

using json = rapidjson::Value;

// -- reading: what is not there is nothing

const json& member(const json& of, const char* name) {
  static const json nothing;
  if (!of.IsObject()) return nothing;
  const auto it = of.FindMember(name);
  return it == of.MemberEnd() ? nothing : it->value;
}
double number(const json& of, const char* name) {
  const auto& v = member(of, name);
  return v.IsNumber() ? v.GetDouble() : 0;
}
std::string text(const json& of, const char* name) {
  const auto& v = member(of, name);
  return v.IsString() ? std::string(v.GetString(), v.GetStringLength()) : "";
}
std::vector<const json*> list(const json& of, const char* name) {
  std::vector<const json*> out;
  const auto& v = member(of, name);
  if (v.IsArray())
    for (const auto& x : v.GetArray()) out.push_back(&x);
  return out;
}

// -- words

template <class... Args>
std::string format(const char* how, Args... args) {
  char out[64];
  std::snprintf(out, sizeof out, how, args...);
  return out;
}
std::string count(double n) {
  if (n >= 1e9) return format("%.1fG", n / 1e9);
  if (n >= 1e6) return format("%.1fM", n / 1e6);
  if (n >= 1e4) return format("%.1fk", n / 1e3);
  return format("%.0f", n);
}
std::string percent(double x) { return format(x > 0 && x < 0.0995 ? "%.1f%%" : "%.0f%%", 100 * x); }
/// Never rounded up to all.
std::string success(double x) { return x >= 1 ? "100%" : format("%.2f%%", std::floor(1e4 * x + 1e-6) / 100); }
std::string took(double s) {
  if (s <= 0) return "-";
  if (s < 0.001) return format("%.0fµs", s * 1e6);
  return s < 1 ? format("%.0fms", s * 1e3) : format("%.2fs", s);
}
std::string usd(double x) { return x > 0 && x < 0.01 ? format("$%.5f", x) : format("$%.2f", x); }
std::string span(double seconds) {
  const auto s = static_cast<long long>(seconds + 0.5);
  if (s < 60) return format("%llds", s);
  if (s < 3600) return format("%lldm%02llds", s / 60, s % 60);
  if (s < 86400) return format("%lldh%02lldm", s / 3600, s % 3600 / 60);
  return format("%lldd%02lldh", s / 86400, s % 86400 / 3600);
}
std::string clock_text(double unix_seconds) { // of UTC's day, as the log has it
  const auto s = static_cast<long long>(unix_seconds) % 86400;
  return format("%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}
std::string plain(std::string word) {
  std::replace(word.begin(), word.end(), '_', ' ');
  return word;
}

tone tone_of(const std::string& state) {
  static const std::map<std::string, tone> tones{
      {"closed", tone::good}, {"usable", tone::good},    {"up", tone::good},
      {"ready", tone::good},  {"half-open", tone::warn}, {"resting", tone::warn},
      {"open", tone::bad},    {"disabled", tone::bad},   {"down", tone::bad}};
  const auto it = tones.find(state);
  return it == tones.end() ? tone::warn : it->second;
}
tone fullness(double used) { return used >= 1 ? tone::bad : used >= 0.8 ? tone::warn : tone::bar; }

// -- drawing

std::string times(std::string_view what, std::size_t n) {
  std::string out;
  while (n-- > 0) out += what;
  return out;
}

/// A share of `width` columns, to an eighth of one.
std::vector<piece> bar(double share, std::size_t width, tone how) {
  static const char* const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto parts =
      static_cast<std::size_t>(std::lround(8 * static_cast<double>(width) * std::clamp(share, 0.0, 1.0)));
  const auto full = parts / 8, rest = parts % 8;
  return {{times("█", full) + eighths[rest], how}, {times("·", width - full - (rest > 0)), tone::quiet}};
}

/// Puts pieces side by side, as long as there is room.
class line_of {
public:
  explicit line_of(std::size_t columns) : left_(columns) {}

  line_of& add(std::string_view what, tone how = tone::plain) {
    auto shown = fitted(what, left_);
    left_ -= display_width(shown);
    if (!shown.empty()) out_.push_back({std::move(shown), how});
    return *this;
  }
  /// In exactly so many columns, or in none.
  line_of& column(std::string_view what, std::size_t width, tone how = tone::plain, bool right = false) {
    if (width > left_) return end();
    const auto shown = fitted(what, width);
    const std::string pad(width - display_width(shown), ' ');
    return add(right ? pad + shown : shown + pad, how);
  }
  line_of& pieces(const std::vector<piece>& all) {
    std::size_t width = 0;
    for (const auto& p : all) width += display_width(p.text);
    if (width > left_) return end();
    for (const auto& p : all) add(p.text, p.how);
    return *this;
  }
  /// At the right edge, if there is room.
  line_of& right(std::string_view what, tone how) {
    const auto width = display_width(what);
    if (width + 1 > left_) return *this;
    return add(std::string(left_ - width, ' ')).add(what, how);
  }
  screen_line done() { return std::move(out_); }

private:
  line_of& end() {
    left_ = 0;
    return *this;
  }
  std::size_t left_;
  screen_line out_;
};

class screen {
public:
  screen(const json& o, screen_size size, std::chrono::seconds silent) : o_(o), size_(size), silent_(silent) {}

  std::vector<screen_line> draw() {
    head();
    verdict();
    numbers();
    traffic();
    sources();
    queue();
    tables();
    if (lines_.size() > size_.rows) lines_.resize(size_.rows);
    return std::move(lines_);
  }

private:
  line_of line() const { return line_of(size_.columns); }
  void put(line_of& l) { lines_.push_back(l.done()); }
  bool narrow() const { return size_.columns < 60; }
  std::size_t rows_left() const { return size_.rows > lines_.size() ? size_.rows - lines_.size() : 0; }

  void head() {
    const auto state = text(o_, "state");
    auto l = line();
    l.add(text(o_, "node"), tone::title).add("  ");
    if (silent_.count() > 0)
      l.add("no answer for " + std::to_string(silent_.count()) + " s", tone::bad);
    else
      l.add(state, tone_of(state));
    if (!narrow()) l.add("  Mainstay " + text(o_, "version") + ", up " + span(number(o_, "up_seconds")), tone::quiet);
    l.right(clock_text(number(o_, "time")) + " UTC", tone::quiet);
    put(l);
  }

  struct trouble {
    std::string what, command;
    tone how;
  };
  std::vector<trouble> troubles() const {
    std::vector<trouble> out;
    const auto& drill = member(o_, "drill");
    if (drill.IsObject())
      out.push_back({"drill " + plain(text(drill, "name")) + " " + text(drill, "whom") + ": over in " +
                         span(number(drill, "seconds_left")),
                     "drill stop", tone::warn});
    for (const auto* m : list(o_, "models"))
      if (text(*m, "state") == "down") out.push_back({text(*m, "name") + " has no provider left", "models", tone::bad});
    for (const auto* p : list(o_, "providers"))
      for (const auto* c : list(*p, "circuits")) {
        if (text(*c, "state") != "open") continue;
        const auto& forced = member(*c, "forced");
        const auto whom = text(*p, "name") + (text(*c, "model").empty() ? "" : "/" + text(*c, "model"));
        const bool by_hand = forced.IsBool() && forced.GetBool();
        out.push_back({whom + (by_hand ? " is held open by hand"
                                       : " is left alone, " + count(number(*c, "failures")) + " failures in a row"),
                       "breakers " + text(*p, "name") + " auto", by_hand ? tone::warn : tone::bad});
      }
    for (const auto* k : list(o_, "keys"))
      if (text(*k, "state") == "disabled")
        out.push_back({"key " + text(*k, "name") + " is disabled: " + plain(text(*k, "why")),
                       "keys " + text(*k, "name") + " enable", tone::bad});
    for (const auto* c : list(o_, "clients"))
      if (member(*c, "daily_usd").IsNumber() && number(*c, "usd_today") >= number(*c, "daily_usd"))
        out.push_back({"client " + text(*c, "name") + " has spent its budget", "cost --by client", tone::warn});
    for (const auto* a : list(o_, "alerts"))
      out.push_back({plain(text(*a, "signal")), "alerts", text(*a, "severity") == "critical" ? tone::bad : tone::warn});
    std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.how == tone::bad && b.how != tone::bad; });
    return out;
  }

  void verdict() {
    const auto all = troubles();
    auto l = line();
    if (all.empty()) {
      l.add("all is well", tone::good);
      return put(l);
    }
    const auto command = "mainstayctl " + all[0].command;
    const auto others = all.size() > 1 ? " (and " + std::to_string(all.size() - 1) + " more)" : "";
    const bool beside = display_width(all[0].what + others + command) < size_.columns;
    l.add(all[0].what, all[0].how).add(others, tone::quiet);
    if (beside) l.right(command, tone::title);
    put(l);
    if (beside) return;
    l = line();
    l.add("try: ", tone::quiet).add(command, tone::title);
    put(l);
  }

  /// Names and figures, side by side in as many lines as they need.
  void numbers() {
    const auto& f = member(o_, "five_minutes");
    const auto& cost = member(o_, "cost");
    const auto& cache = member(o_, "cache");
    const auto hits = number(cache, "hits"), asked = hits + number(cache, "misses");
    const auto ok = number(f, "success");
    const auto& request = member(f, "request");
    const auto& first = member(f, "first_token");
    struct figure {
      std::string name, value;
      tone how;
    };
    const bool any = number(f, "requests") > 0;
    const auto& priced = member(cost, "priced");
    const std::vector<figure> all{
        {"req/s", format("%.1f", number(o_, "requests_per_second")), tone::title},
        {"ok", any ? success(ok) : "-",
         !any         ? tone::quiet
         : ok < 0.99  ? tone::bad
         : ok < 0.999 ? tone::warn
                      : tone::good},
        {"p50", took(number(request, "p50")), tone::title},
        {"p99", took(number(request, "p99")), tone::title},
        {"first token", took(number(first, "p50")) + "/" + took(number(first, "p99")), tone::title},
        {"in flight", count(number(o_, "in_flight")), tone::title},
        {"cache", asked > 0 ? percent(hits / asked) : "-", tone::title},
        {"load", count(number(member(o_, "forecast"), "now")) + "/min " + text(member(o_, "forecast"), "level"),
         tone::title},
        {"today", priced.IsBool() && priced.GetBool() ? usd(number(cost, "usd_today")) : "-", tone::title},
    };
    auto l = line();
    std::size_t used = 0;
    for (const auto& a : all) {
      const auto width = display_width(a.name) + 1 + display_width(a.value);
      if (used > 0 && used + 2 + width > size_.columns) {
        put(l);
        l = line();
        used = 0;
      }
      l.add(used > 0 ? "  " : "").add(a.name + " ", tone::quiet).add(a.value, a.how);
      used += width + (used > 0 ? 2 : 0);
    }
    put(l);
  }

  /// One column a second, the latest at the right.
  void traffic() {
    static const char* const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const auto cells = list(o_, "history");
    const auto width = size_.columns > 20 ? size_.columns - 20 : 0;
    const auto shown = std::min(cells.size(), width);
    double most = 0;
    for (auto c = cells.end() - static_cast<std::ptrdiff_t>(shown); c != cells.end(); ++c)
      most = std::max(most, number(**c, "requests"));
    std::vector<piece> plot{{std::string(width - shown, ' '), tone::bar}};
    for (auto c = cells.end() - static_cast<std::ptrdiff_t>(shown); c != cells.end(); ++c) {
      const auto share = most > 0 ? number(**c, "requests") / most : 0;
      const auto level = share > 0 ? std::max<long>(1, std::lround(8 * share)) : 0;
      const auto how = number(**c, "failed") > 0 ? tone::bad : tone::bar;
      if (plot.back().how != how) plot.push_back({"", how});
      plot.back().text += levels[level];
    }
    auto l = line();
    l.column("requests", 9, tone::quiet).pieces(plot).add(" max " + count(most) + "/s", tone::quiet);
    put(l);
  }

  void sources() {
    static const char* const names[] = {"primary", "backup",  "fallback", "cache",
                                        "stale",   "similar", "canned",   "failed"};
    std::map<std::string, double> of;
    double all = 0;
    for (const auto* c : list(o_, "history"))
      for (const std::string n : names) {
        const auto requests = number(n == "failed" ? *c : member(*c, "sources"), n.c_str());
        of[n] += requests;
        all += requests;
      }
    auto l = line();
    l.column("sources", 9, tone::quiet);
    if (all == 0) l.add("no requests in the last minutes", tone::quiet);
    std::size_t used = 9;
    for (const auto* n : names) {
      if (of[n] == 0) continue;
      const auto share = of[n] / all;
      const auto width = std::size_t(narrow() ? 4 : 8);
      const auto label = std::string(n) + " " + percent(share);
      const auto needed = display_width(label) + width + 3;
      if (used + needed > size_.columns && used > 9) {
        put(l);
        l = line();
        l.column("", 9);
        used = 9;
      }
      const bool is_bad = std::string_view(n) == "failed";
      l.add(label + " ", is_bad ? tone::bad : tone::plain)
          .pieces(bar(share, width, is_bad ? tone::bad : tone::bar))
          .add("  ");
      used += needed;
    }
    put(l);
  }

  void queue() {
    const auto& waiting = member(o_, "waiting");
    const double high = number(waiting, "high"), normal = number(waiting, "normal"), low = number(waiting, "low"),
                 all = high + normal + low;
    auto l = line();
    l.column("queue", 9, tone::quiet);
    const auto width = std::size_t(narrow() ? 0 : 8);
    for (const auto& [name, n] : {std::pair("high", high), std::pair("normal", normal), std::pair("low", low)})
      l.add(std::string(name) + " " + count(n) + " ", n > 0 ? tone::warn : tone::plain)
          .pieces(bar(all > 0 ? n / all : 0, width, tone::warn))
          .add(width ? "  " : " ");
    put(l);
  }

  // What is in trouble first; the rest as it is configured.
  template <class Bad>
  static std::vector<const json*> worst_first(std::vector<const json*> all, Bad bad) {
    std::stable_partition(all.begin(), all.end(), [&](auto* x) { return bad(*x); });
    return all;
  }

  void tables() {
    const auto providers = worst_first(list(o_, "providers"), [](auto& p) { return text(p, "state") != "closed"; });
    const auto keys = worst_first(list(o_, "keys"), [](auto& k) { return text(k, "state") != "usable"; });
    const auto requests = list(o_, "requests");
    // Each has a heading. The first two have a third and a half of what is left, and on a small screen a little more.
    const auto part = [this](std::size_t whole, std::size_t at_least) {
      return std::max(rows_left() / whole, std::min(at_least, rows_left()));
    };
    table(
        providers, std::min(part(3, 4), part(2, 0)), [this](auto& p) { return provider_row(p); },
        [this](const std::string& s) { return provider_head(s); });
    table(
        keys, part(2, 4), [this](auto& k) { return key_row(k); }, [this](const std::string& s) { return key_head(s); });
    table(
        requests, rows_left(), [this](auto& r) { return request_row(r); },
        [this](const std::string&) { return request_head(); });
  }

  /// `head` is told how many are shown of how many, where it is not all of them.
  template <class Row, class Head>
  void table(const std::vector<const json*>& all, std::size_t most, Row row, Head head) {
    most = std::min(most, rows_left());
    if (most < 2 || all.empty()) return;
    const auto shown = std::min(all.size(), most - 1);
    auto l = head(shown == all.size() ? "" : " " + std::to_string(shown) + " of " + std::to_string(all.size()));
    put(l);
    for (std::size_t i = 0; i < shown; ++i) {
      l = row(*all[i]);
      put(l);
    }
  }

  std::size_t name_width() const { return std::clamp<std::size_t>(size_.columns / 4, 10, 40); }
  std::size_t bar_width() const { return narrow() ? 6 : size_.columns > 120 ? 20 : 10; }

  line_of provider_head(const std::string& how_many) const {
    auto l = line();
    l.column("PROVIDER" + how_many, name_width(), tone::quiet)
        .column(" BREAKER", 11, tone::quiet)
        .column(" SLOTS", bar_width() + 9, tone::quiet);
    l.column("CALLS", 8, tone::quiet, true).column("FAILED", 9, tone::quiet, true).add("  NEXT TRY", tone::quiet);
    return l;
  }
  line_of provider_row(const json& p) const {
    const auto state = text(p, "state");
    const auto slots = number(p, "slots"), used = number(p, "slots_used"), calls = number(p, "calls");
    const auto share = slots > 0 ? used / slots : 0;
    double next = 0;
    for (const auto* c : list(p, "circuits")) next = std::max(next, number(*c, "seconds_left"));
    auto l = line();
    l.column(text(p, "name"), name_width())
        .add(" ")
        .column(state, 10, tone_of(state))
        .add(" ")
        .pieces(bar(share, bar_width(), fullness(share)));
    l.column(" " + count(used) + "/" + count(slots), 8).column(count(calls), 8, tone::plain, true);
    l.column(calls > 0 ? percent(number(p, "failed_calls") / calls) : "-", 9, tone::plain, true);
    if (next > 0) l.add("  in " + span(next), tone::warn);
    return l;
  }

  line_of key_head(const std::string& how_many) const {
    auto l = line();
    l.column("KEY" + how_many, name_width(), tone::quiet)
        .column(" STATE", 11, tone::quiet)
        .column(" HEALTH", bar_width() + 2, tone::quiet)
        .add("LIMITS USED", tone::quiet);
    return l;
  }
  line_of key_row(const json& k) const {
    const auto state = text(k, "state");
    const auto health = number(k, "health");
    auto l = line();
    l.column(text(k, "name"), name_width()).add(" ").column(state, 10, tone_of(state)).add(" ");
    l.pieces(bar(health, bar_width(), health < 0.5 ? tone::bad : health < 0.9 ? tone::warn : tone::bar)).add(" ");
    if (state != "usable")
      l.add(plain(text(k, "why")) + (number(k, "seconds_left") > 0 ? " " + span(number(k, "seconds_left")) : "") + "  ",
            tone::warn);
    for (const auto* limit : list(k, "limits")) {
      const auto used = number(*limit, "used");
      auto cell = bar(used, 6, fullness(used));
      cell.insert(cell.begin(), {text(*limit, "kind") + " ", tone::quiet});
      cell.push_back({" " + percent(used) + "  ", tone::plain});
      l.pieces(cell);
    }
    return l;
  }

  static constexpr std::size_t id_width = 26; // of the ids that Mainstay gives
  std::size_t model_width() const { return std::min<std::size_t>(name_width(), size_.columns < 120 ? 16 : 30); }

  line_of request_head() const {
    auto l = line();
    l.column("LAST AT", 9, tone::quiet)
        .column("OUTCOME", 15, tone::quiet)
        .column("TOOK", 7, tone::quiet, true)
        .add("  ");
    l.column("MODEL", model_width(), tone::quiet).column("FROM", 22, tone::quiet).column("ID", id_width, tone::quiet);
    return l;
  }
  line_of request_row(const json& r) const {
    const auto outcome = text(r, "outcome");
    const auto& degraded = member(r, "degraded");
    const bool ok = outcome == "ok", less = degraded.IsBool() && degraded.GetBool();
    auto l = line();
    l.column(clock_text(number(r, "at")), 9)
        .column(ok && less ? "ok, degraded" : plain(outcome), 15,
                !ok    ? tone::bad
                : less ? tone::warn
                       : tone::good);
    l.column(took(number(r, "seconds")), 7, tone::plain, true).add("  ").column(text(r, "model"), model_width());
    l.column(text(r, "source") + " " + text(r, "provider"), 22);
    if (const auto id = text(r, "id"); display_width(id) <= id_width)
      l.column(id, id_width, tone::quiet); // whole: it is to be copied
    return l;
  }

  const json& o_;
  const screen_size size_;
  const std::chrono::seconds silent_;
  std::vector<screen_line> lines_;
};

} // namespace

std::vector<screen_line> draw_top(const std::string& overview_json, screen_size size, std::chrono::seconds silent) {
  rapidjson::Document o;
  if (o.Parse(overview_json.data(), overview_json.size()).HasParseError() || !o.IsObject())
    return {{{fitted("what the node said is no overview", size.columns), tone::bad}}};
  return screen(o, size, silent).draw();
}

} // namespace mainstay::ctl
