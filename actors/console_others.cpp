#include "actors/console_others.hpp"

#include "actors/console_json.hpp"
#include "net/json_tree.hpp"

#include <array>
#include <cstdlib>

namespace mainstay {

std::optional<others_order> for_others(const std::vector<std::string>& words) {
  using way = others_order::way;
  if (words.empty()) return std::nullopt;
  if (words[0] == "on")
    return others_order{
        way::there,
        words.size() > 1 ? words[1] : "",
        {words.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, words.size())), words.end()}};
  if (words == std::vector<std::string>{"status", "--all"}) return others_order{way::everywhere, "", {"status"}};
  if (words[0] == "trace" && words.size() == 2) return others_order{way::wherever, "", words};
  return std::nullopt;
}

bool hands_out_a_key(const std::vector<std::string>& words) {
  return words.size() > 1 && words[0] == "clients" && (words[1] == "create" || words[1] == "rotate");
}

std::string all_nodes(const std::vector<node_status>& nodes) {
  struct column {
    const char* name;
    bool summed, whole;
  };
  constexpr std::array<column, 10> columns{{{"requests_per_second", true, false},
                                            {"in_flight", true, true},
                                            {"waiting", true, true},
                                            {"accepted", true, true},
                                            {"ok", true, true},
                                            {"failed", true, true},
                                            {"tokens_today", true, true},
                                            {"cost_usd_today", true, false},
                                            {"p99_seconds", false, false},
                                            {"open_circuits", false, true}}};
  const auto number = [](const json::value* v) {
    return v && v->is(json::kind::number) ? std::strtod(v->text.c_str(), nullptr) : 0.0;
  };
  std::vector<std::optional<json::value>> read;
  std::array<double, columns.size()> sums{};
  std::uint64_t answered = 0;
  for (auto& n : nodes) {
    read.push_back(json::parse(n.json, 1000));
    if (!read.back()) continue;
    ++answered;
    for (std::size_t i = 0; i < columns.size(); ++i) sums[i] += number(read.back()->find(columns[i].name));
  }
  console_json j;
  const auto put = [&](const column& c, double v) {
    if (c.whole)
      j.count(c.name, v > 0 ? static_cast<std::uint64_t>(v) : 0);
    else
      j.number(c.name, v);
  };
  j.text("answered", std::to_string(answered) + " of " + std::to_string(nodes.size()) + " nodes");
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].summed) put(columns[i], sums[i]);
  j.table("nodes");
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    const auto& n = nodes[k];
    const auto text = [&](const char* member) {
      const auto* v = read[k] ? read[k]->find(member) : nullptr;
      return std::string(v ? v->string_or_empty() : std::string_view());
    };
    j.row().text("node", n.node).text("state", read[k] ? text("state") : "no answer");
    for (auto& c : columns)
      if (read[k]) put(c, number(read[k]->find(c.name)));
    j.text("version", text("version")).text("address", n.address).text("why", n.why).end_row();
  }
  return j.end_table().done();
}

std::string with_member(const std::string& object, const std::string& name, const std::string& value) {
  if (object.size() < 2 || object.front() != '{') return object;
  auto one = console_json().text(name, value).done();
  one.pop_back();
  return one + (object[1] == '}' ? "" : ",") + object.substr(1);
}

} // namespace mainstay
