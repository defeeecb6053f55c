// A small valid configuration to break in one place at a time, a fake environment, and how the tests read the problems.
#pragma once

#include "config/load.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace mainstay::config::testing {

using variables = std::map<std::string, std::string>;

inline environment fake(variables values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto it = values.find(name);
    return it == values.end() ? std::nullopt : std::optional<std::string>(it->second);
  };
}

inline loaded load(const std::string& yaml, variables values = {}) {
  return load_text(yaml, "m.yaml", fake(std::move(values)));
}

inline std::vector<std::string> lines(const std::vector<problem>& problems) {
  std::vector<std::string> out;
  for (const auto& one : problems) out.push_back(to_string(one));
  return out;
}

inline std::string all(const loaded& result) {
  std::string out;
  for (const auto& line : lines(result.errors)) out += line + "\n";
  for (const auto& line : lines(result.warnings)) out += "warning: " + line + "\n";
  return out;
}

/// Exactly this one error, and no settings.
inline void expect_error(const loaded& result, const std::string& line) {
  BOOST_TEST(!result.value);
  BOOST_TEST_REQUIRE(result.errors.size() == 1u, all(result));
  BOOST_TEST(to_string(result.errors[0]) == line);
}

inline void expect_fine(const loaded& result) { BOOST_TEST_REQUIRE(!!result.value, all(result)); }

/// One line each, so that a test that changes a line knows where its error stands.
inline const std::string doors = "doors: { http: { listen: 127.0.0.1:8080 } }\n";
inline const std::string providers =
    "providers:\n"
    "  - { name: one, base_url: https://one.example/v1, keys: [ { name: k1, secret: sk-secret-one } ] }\n"
    "  - { name: two, base_url: https://two.example/v1, keys: [ { name: k2, secret: sk-secret-two } ] }\n";
inline const std::string models = "models:\n"
                                  "  - { name: m, targets: [ { provider: one }, { provider: two } ] }\n";

/// The sample, with more in front of it: `more` begins in line 1.
inline std::string with(const std::string& more) { return more + doors + providers + models; }
inline std::string with_doors(const std::string& d) { return d + providers + models; }
inline std::string with_providers(const std::string& p) { return p + doors + models; }
inline std::string with_models(const std::string& m) { return m + doors + providers; }

} // namespace mainstay::config::testing
