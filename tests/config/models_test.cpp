// From targets and fallbacks to ladders: order, names, cycles, what is left out.
#include "tests/config/sample.hpp"

#include <random>
#include <set>

namespace models_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

/// "one/a,two/b | one/c": groups and their targets.
std::string show(const model_settings& model) {
  std::string out;
  for (const auto& group : model.ladder) {
    if (!out.empty()) out += " | ";
    for (std::size_t i = 0; i < group.size(); ++i) out += (i ? "," : "") + group[i].provider + "/" + group[i].model;
  }
  return out;
}

std::string ladder_of(const loaded& result, const std::string& name) {
  expect_fine(result);
  const auto* model = result.value->model(name);
  return model ? show(*model) : "no such model";
}

} // namespace

BOOST_AUTO_TEST_SUITE(models_and_ladders)

BOOST_AUTO_TEST_CASE(a_ladder_is_the_targets_and_then_each_fallback_in_order) {
  const auto result =
      load(with_models("models:\n"
                       "  - name: smart\n"
                       "    targets: [ { provider: one, model: a, weight: 3 }, { provider: two, model: b } ]\n"
                       "    fallbacks: [ { provider: two, model: c }, cheap, { provider: one } ]\n"
                       "  - name: cheap\n"
                       "    targets: [ { provider: one, model: d }, { provider: two } ]\n"));
  BOOST_TEST(ladder_of(result, "smart") == "one/a,two/b | two/c | one/d,two/cheap | one/smart");
  BOOST_TEST(result.value->model("smart")->ladder[0][0].weight == 3);
  BOOST_TEST(result.value->model("smart")->ladder[0][1].weight == 1);
  BOOST_TEST(all(result) == "");
}

BOOST_AUTO_TEST_CASE(a_pattern_leaves_the_model_to_the_caller_and_a_fallback_into_it_fills_the_name_in) {
  const auto result =
      load(with_models("models:\n"
                       "  - { name: \"gpt-*\", targets: [ { provider: one } ], fallbacks: [ { provider: two } ] }\n"
                       "  - { name: m, targets: [ { provider: two, model: x } ], fallbacks: [ gpt-4o ] }\n"));
  BOOST_TEST(ladder_of(result, "gpt-4") == "one/ | two/");
  BOOST_TEST(result.value->model("gpt-4")->pattern);
  BOOST_TEST(ladder_of(result, "m") == "two/x | one/gpt-4o");
  BOOST_TEST(!result.value->model("m")->pattern);
}

BOOST_AUTO_TEST_CASE(a_named_fallback_brings_that_models_targets_and_not_its_fallbacks) {
  const auto result = load(with_models("models:\n"
                                       "  - { name: a, targets: [ { provider: one } ], fallbacks: [ b ] }\n"
                                       "  - { name: b, targets: [ { provider: two } ], fallbacks: [ c ] }\n"
                                       "  - { name: c, targets: [ { provider: one } ] }\n"));
  BOOST_TEST(ladder_of(result, "a") == "one/a | two/b");
}

BOOST_AUTO_TEST_CASE(a_cycle_is_allowed_tried_once_and_warned_of) {
  const auto result =
      load(with_models("models:\n"
                       "  - { name: a, targets: [ { provider: one } ], fallbacks: [ b ] }\n"
                       "  - { name: b, targets: [ { provider: two } ], fallbacks: [ c, a ] }\n"
                       "  - { name: c, targets: [ { provider: one }, { provider: two } ], fallbacks: [ c ] }\n"));
  BOOST_TEST(ladder_of(result, "a") == "one/a | two/b");
  BOOST_TEST(ladder_of(result, "b") == "two/b | one/c,two/c | one/a");
  BOOST_TEST(ladder_of(result, "c") == "one/c,two/c");
  const auto found = lines(result.warnings);
  BOOST_TEST_REQUIRE(found.size() == 2u, all(result));
  BOOST_TEST(found[0] ==
             "m.yaml:3:64: models[1].fallbacks[1]: the fallbacks form a cycle (a -> b -> a): each target is tried at "
             "most once");
  BOOST_TEST(found[1] ==
             "m.yaml:4:80: models[2].fallbacks[0]: the fallbacks form a cycle (c -> c): each target is tried at most "
             "once");
}

BOOST_AUTO_TEST_CASE(a_target_written_twice_is_tried_once_and_warned_of) {
  const auto result = load(with_models("models:\n"
                                       "  - { name: a, targets: [ { provider: one }, { provider: two }, { provider: "
                                       "one } ], fallbacks: [ { provider: two, model: a } ] }\n"));
  BOOST_TEST(ladder_of(result, "a") == "one/a,two/a");
  BOOST_TEST_REQUIRE(result.warnings.size() == 2u);
  BOOST_TEST(result.warnings[0].key == "models[0].targets[2]");
  BOOST_TEST(result.warnings[1].key == "models[0].fallbacks[0]");
}

BOOST_AUTO_TEST_CASE(a_model_at_one_provider_alone_is_warned_of) {
  const auto result = load(
      with_models("models:\n"
                  "  - { name: a, targets: [ { provider: one } ], fallbacks: [ { provider: one, model: b } ] }\n"));
  expect_fine(result);
  BOOST_TEST_REQUIRE(result.warnings.size() == 1u);
  BOOST_TEST(to_string(result.warnings[0]) ==
             "m.yaml:2:13: models[0].name: the model a depends on the provider one alone: while "
             "that fails, nothing answers");
}

BOOST_AUTO_TEST_CASE(names_that_lead_nowhere_are_errors) {
  expect_error(load(with_models("models: [ { name: smart, targets: [ { provider: onne } ] } ]\n")),
               "m.yaml:1:49: models[0].targets[0].provider: there is no provider named onne; did you mean one?");
  expect_error(
      load(with_models(
          "models:\n  - { name: smart, targets: [ { provider: one } ], fallbacks: [ smrt, { provider: two } ] }\n")),
      "m.yaml:2:65: models[0].fallbacks[0]: there is no model named smrt; did you mean smart?");
  expect_error(
      load(with_models(
          "models:\n  - { name: smart, targets: [ { provider: one } ], fallbacks: [ { provider: elsewhere } ] }\n")),
      "m.yaml:2:77: models[0].fallbacks[0].provider: there is no provider named elsewhere");
  expect_error(load(with_models("models:\n  - { name: a, targets: [ { provider: one } ], fallbacks: [ \"b-*\" ] }\n"
                                "  - { name: \"b-*\", targets: [ { provider: two } ] }\n")),
               "m.yaml:2:61: models[0].fallbacks[0]: is a pattern: a fallback names one model");
}

BOOST_AUTO_TEST_CASE(a_model_needs_a_name_of_its_own_and_targets) {
  expect_error(load(with_models("models: [ { targets: [ { provider: one } ] } ]\n")),
               "m.yaml:1:11: models[0].name: is missing");
  expect_error(load(with_models("models: [ { name: a } ]\n")), "m.yaml:1:11: models[0].targets: is missing");
  expect_error(load(with_models("models: [ { name: a, targets: [ ] } ]\n")),
               "m.yaml:1:31: models[0].targets: is an empty list: give at least one entry, or leave it out");
  expect_error(load(with_models("models: [ ]\n")),
               "m.yaml:1:9: models: is an empty list: give at least one entry, or leave it out");
  expect_error(load(with_models(models + "  - { name: m, targets: [ { provider: one } ] }\n")),
               "m.yaml:3:13: models[1].name: the model m is already defined in line 2");
  expect_error(
      load(with_models("models: [ { name: a, targets: [ { provider: one, weight: 0 }, { provider: two } ] } ]\n")),
      "m.yaml:1:58: models[0].targets[0].weight: a weight must be a number above 0, at most 1e+06");
  expect_error(
      load(with_models("models: [ { name: \"a\\tb\", targets: [ { provider: one }, { provider: two } ] } ]\n")),
      "m.yaml:1:19: models[0].name: must be printable ASCII without blanks at its ends");
}

BOOST_AUTO_TEST_CASE(where_all_targets_are_left_out_the_ladder_begins_with_the_fallbacks) {
  const auto result = load("providers:\n"
                           "  - { name: one, base_url: \"${ONE:-}\", keys: [ { name: k1, secret: s } ] }\n"
                           "  - { name: two, base_url: http://h, keys: [ { name: k2, secret: s } ] }\n"
                           "models:\n"
                           "  - { name: a, targets: [ { provider: one } ], fallbacks: [ { provider: two } ] }\n"
                           "  - { name: b, targets: [ { provider: one } ] }\n" +
                           doors);
  BOOST_TEST(ladder_of(result, "a") == "two/a");
  BOOST_TEST(!result.value->model("b"));
  BOOST_TEST_REQUIRE(result.warnings.size() == 3u);
  BOOST_TEST(to_string(result.warnings[2]) ==
             "m.yaml:6:13: models[1].name: the model b is left out: none of its providers is in use");
}

BOOST_AUTO_TEST_CASE(with_no_model_left_the_error_says_what_to_set) {
  expect_error(load("providers:\n"
                    "  - { name: one, base_url: \"${ONE:-}\", keys: [ { name: k1, secret: s } ] }\n"
                    "  - { name: two, base_url: http://h, keys: [ { name: k2, secret: s } ] }\n"
                    "models: [ { name: b, targets: [ { provider: one } ] } ]\n" +
                    doors),
               "m.yaml:4:9: models: no model is left, their providers are left out: set ONE");
}

BOOST_AUTO_TEST_CASE(a_clients_model_may_be_left_out_for_now) {
  const auto result = load("providers:\n"
                           "  - { name: one, base_url: \"${ONE:-}\", keys: [ { name: k1, secret: s } ] }\n"
                           "  - { name: two, base_url: http://h, keys: [ { name: k2, secret: s } ] }\n"
                           "models:\n"
                           "  - { name: a, targets: [ { provider: two } ] }\n"
                           "  - { name: b, targets: [ { provider: one } ] }\n"
                           "clients: [ { name: app, key: 0123456789abcdef, models: [ b ] } ]\n" +
                           doors);
  expect_fine(result);
}

// Any graph of names over any set of missing providers: no target twice on a ladder, none at a provider left out, no
// empty group, no empty ladder, and what is neither exact nor there is not there.
BOOST_AUTO_TEST_CASE(any_graph_of_fallbacks_gives_ladders_without_repetition) {
  std::mt19937 random(42);
  int loaded_files = 0, rungs = 0;
  for (int round = 0; round < 300; ++round) {
    std::string yaml = doors + "providers:\n";
    variables env;
    for (int p = 0; p < 4; ++p) {
      const auto n = std::to_string(p);
      yaml +=
          "  - { name: p" + n + ", base_url: http://h, keys: [ { name: k" + n + ", secret: \"${K" + n + ":-}\" } ] }\n";
      if (random() % 3) env["K" + n] = "s";
    }
    yaml += "models:\n";
    const auto count = 1 + random() % 6;
    for (std::size_t m = 0; m < count; ++m) {
      const auto any_target = [&] {
        return "{ provider: p" + std::to_string(random() % 4) + ", model: x" + std::to_string(random() % 3) + " }";
      };
      yaml += "  - { name: m" + std::to_string(m) + ", targets: [ " + any_target();
      for (auto more = random() % 3; more > 0; --more) yaml += ", " + any_target();
      yaml += " ], fallbacks: [ m" + std::to_string(random() % count);
      for (auto more = random() % 4; more > 0; --more)
        yaml += ", " + (random() % 2 ? any_target() : "m" + std::to_string(random() % count));
      yaml += " ] }\n";
    }
    const auto result = load(yaml, env);
    if (!result.value) {
      BOOST_TEST_REQUIRE(result.errors.size() == 1u, all(result));
      BOOST_TEST_REQUIRE(result.errors[0].what.find(": set K") != std::string::npos, all(result));
      continue;
    }
    ++loaded_files;
    for (const auto& model : result.value->models) {
      std::set<std::string> seen;
      BOOST_TEST_REQUIRE(!model.ladder.empty());
      for (const auto& group : model.ladder) {
        BOOST_TEST_REQUIRE(!group.empty());
        ++rungs;
        for (const auto& one : group) {
          BOOST_TEST_REQUIRE(seen.insert(one.provider + "/" + one.model).second, yaml);
          BOOST_TEST_REQUIRE(!!result.value->provider(one.provider), yaml);
        }
      }
    }
  }
  BOOST_TEST(loaded_files > 200);
  BOOST_TEST(rungs > 1000);
}

BOOST_AUTO_TEST_CASE(each_rung_of_a_ladder_has_the_prefill_of_the_model_it_belongs_to) {
  const auto result = load(with_models("models:\n"
                                       "  - name: smart\n"
                                       "    prefill: true\n"
                                       "    hedge_after: 10s\n"
                                       "    targets: [ { provider: one, model: a } ]\n"
                                       "    fallbacks: [ cheap, { provider: two, model: c }, plain ]\n"
                                       "  - name: cheap\n"
                                       "    prefill: false\n"
                                       "    targets: [ { provider: one, model: d } ]\n"
                                       "  - name: plain\n"
                                       "    targets: [ { provider: two, model: e } ]\n"));
  expect_fine(result);
  const auto& smart = *result.value->model("smart");
  const std::vector<prefill_mode> expected{prefill_mode::yes, prefill_mode::no, prefill_mode::yes,
                                           prefill_mode::automatic};
  BOOST_TEST((smart.prefill_of_rung == expected));
  BOOST_TEST((smart.hedge_after == 10s));
  BOOST_TEST(!result.value->model("plain")->hedge_after);
}

BOOST_AUTO_TEST_CASE(prefill_is_true_false_or_auto_and_hedging_takes_a_time) {
  const auto result = load(with_models("models:\n"
                                       "  - name: smart\n"
                                       "    prefill: perhaps\n"
                                       "    hedge_after: 0s\n"
                                       "    targets: [ { provider: one, model: a } ]\n"));
  BOOST_TEST(!result.value);
  BOOST_TEST(result.errors.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace models_test
