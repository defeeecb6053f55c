#include "tools/ctl/table.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

namespace mainstay::ctl {

namespace {

std::string number_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, v >= 100 ? "%.0f" : v >= 1 ? "%.2f" : "%.4g", v);
  return text;
}

std::string cell(const rapidjson::Value& v) {
  if (v.IsString()) return v.GetString();
  if (v.IsBool()) return v.GetBool() ? "yes" : "no";
  if (v.IsUint64()) return std::to_string(v.GetUint64());
  if (v.IsNumber()) return number_text(v.GetDouble());
  return "";
}

/// Names of columns are the JSON's, readable.
std::string heading(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::size_t width_of(const std::string& utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

const char* colour_of(const std::string& word) {
  static const std::map<std::string, const char*> colours = {{"open", "\033[31m"},      {"open (forced)", "\033[31m"},
                                                             {"down", "\033[31m"},      {"firing", "\033[31m"},
                                                             {"disabled", "\033[31m"},  {"unreachable", "\033[31m"},
                                                             {"refused", "\033[31m"},   {"connecting", "\033[33m"},
                                                             {"half-open", "\033[33m"}, {"resting", "\033[33m"},
                                                             {"draining", "\033[33m"},  {"closed (forced)", "\033[33m"},
                                                             {"closed", "\033[32m"},    {"up", "\033[32m"},
                                                             {"healthy", "\033[32m"},   {"ready", "\033[32m"}};
  auto it = colours.find(word);
  return it == colours.end() ? nullptr : it->second;
}

class painter {
public:
  painter(std::ostream& out, bool colours) : out_(out), colours_(colours) {}

  void word(const std::string& text, std::size_t width, bool right = false) {
    auto pad = std::string(width > width_of(text) ? width - width_of(text) : 0, ' ');
    auto* colour = colours_ ? colour_of(text) : nullptr;
    if (right) out_ << pad;
    if (colour)
      out_ << colour << text << "\033[0m";
    else
      out_ << text;
    if (!right) out_ << pad;
  }
  void bold(const std::string& text) {
    if (colours_)
      out_ << "\033[1m" << text << "\033[0m";
    else
      out_ << text;
  }

private:
  std::ostream& out_;
  bool colours_;
};

void draw_table(std::ostream& out, painter& paint, const rapidjson::Value& rows) {
  std::vector<std::string> columns;
  for (auto& row : rows.GetArray())
    for (auto& m : row.GetObject())
      if (std::find(columns.begin(), columns.end(), m.name.GetString()) == columns.end())
        columns.emplace_back(m.name.GetString());
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (auto& c : columns) {
    auto w = width_of(heading(c));
    bool number = true;
    for (auto& row : rows.GetArray())
      if (row.HasMember(c.c_str())) {
        w = std::max(w, width_of(cell(row[c.c_str()])));
        number = number && row[c.c_str()].IsNumber();
      }
    widths.push_back(w);
    numeric.push_back(number);
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto pad = std::string(widths[i] - width_of(heading(columns[i])), ' ');
    out << (i ? "  " : "");
    if (numeric[i]) out << pad;
    paint.bold(heading(columns[i]));
    if (!numeric[i] && i + 1 < columns.size()) out << pad;
  }
  out << "\n";
  for (auto& row : rows.GetArray()) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      auto* name = columns[i].c_str();
      out << (i ? "  " : "");
      bool last = i + 1 == columns.size();
      paint.word(row.HasMember(name) ? cell(row[name]) : "", last && !numeric[i] ? 0 : widths[i], numeric[i]);
    }
    out << "\n";
  }
}

} // namespace

void draw(std::ostream& out, const std::string& json, bool colours) {
  rapidjson::Document doc;
  if (doc.Parse(json.c_str()).HasParseError() || !doc.IsObject()) {
    out << json << "\n";
    return;
  }
  painter paint(out, colours);
  std::size_t widest = 0;
  for (auto& m : doc.GetObject())
    if (!m.value.IsArray()) widest = std::max(widest, width_of(heading(m.name.GetString())));
  bool tables = false;
  for (auto& m : doc.GetObject()) {
    if (m.value.IsArray()) {
      tables = true;
      continue;
    }
    paint.word(heading(m.name.GetString()), widest + 2);
    paint.word(cell(m.value), 0);
    out << "\n";
  }
  bool first = widest == 0;
  std::size_t count = 0;
  for (auto& m : doc.GetObject()) count += m.value.IsArray();
  if (!tables) return;
  for (auto& m : doc.GetObject()) {
    if (!m.value.IsArray()) continue;
    if (!first) out << "\n";
    first = false;
    if (count > 1) out << heading(m.name.GetString()) << "\n";
    if (m.value.Empty())
      out << "(none)\n";
    else
      draw_table(out, paint, m.value);
  }
}

} // namespace mainstay::ctl
