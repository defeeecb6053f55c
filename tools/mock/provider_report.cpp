// The provider's books as JSON, for the admin surface.
#include "tools/mock/json_text.hpp"
#include "tools/mock/provider.hpp"

#include <algorithm>

namespace mainstay::mock {

std::string provider::log_json(const log_query& query) const {
  auto hold = guard();
  return log_.as_json(query);
}

std::string provider::stats_json() const {
  auto hold = guard();
  std::string out = "{";
  append_json_field(out, "name", settings_.name);
  out += ",\"now\":";
  append_decimal(out, seconds(std::chrono::steady_clock::now()));
  out += ",\"connections_now\":" + std::to_string(connections_now_);
  out += ",\"connections_ever\":" + std::to_string(connections_ever_);
  out += ",\"tokens_sent\":" + std::to_string(tokens_sent_) + ",";
  traffic_.append_json(out);
  return out + "}";
}

std::string provider::bodies_json(std::size_t most) const {
  auto hold = guard();
  std::string out = "[";
  for (auto i = bodies_.size() - std::min(most, bodies_.size()); i < bodies_.size(); ++i) {
    auto& kept = bodies_[i];
    out += (out.size() > 1 ? ",\n{\"n\":" : "{\"n\":") + std::to_string(kept.n) + ",";
    append_json_field(out, "model", kept.model);
    out += ',';
    append_json_field(out, "key", kept.key);
    out += ",\"headers\":" + kept.headers + ",";
    append_json_field(out, "body", kept.body);
    out += '}';
  }
  return out + "]";
}

std::string provider::script_json() const {
  auto hold = guard();
  std::string out = "{\"elapsed\":";
  append_decimal(out, std::chrono::duration<double>(std::chrono::steady_clock::now() - script_.loaded).count());
  out += ",\"rules\":[";
  for (std::size_t i = 0; i < script_.rules.size(); ++i) {
    auto& r = script_.rules[i];
    out += (i ? ",\n{\"rule\":" : "{\"rule\":") + r.source;
    out += ",\"matched\":" + std::to_string(r.matched) + ",\"fired\":" + std::to_string(r.fired) + "}";
  }
  return out + "]}";
}

std::vector<std::string> provider::model_names() const {
  auto hold = guard();
  std::vector<std::string> names = {"mock-small", "mock-large"};
  for (auto& r : script_.rules) {
    if (!r.model || r.model->find_first_of("*?") != std::string::npos) continue;
    if (std::find(names.begin(), names.end(), *r.model) == names.end()) names.push_back(*r.model);
  }
  return names;
}

} // namespace mainstay::mock
