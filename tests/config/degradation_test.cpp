// Canned answers: who may get them, in which languages; when models are degraded; and every way to write it wrong.
#include "tests/config/sample.hpp"

namespace degradation_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

const std::string asked = "clients: [ { name: a, key: 0123456789abcdef, canned: true } ]\n";

loaded canned(const std::string& value) { return load(with(asked + "degradation: { canned: " + value + " }\n")); }

} // namespace

BOOST_AUTO_TEST_SUITE(degradation)

BOOST_AUTO_TEST_CASE(without_the_section_nothing_is_canned_and_clients_take_nothing_canned) {
  const auto result = load(with("clients: [ { name: a, key: 0123456789abcdef } ]\n"));
  expect_fine(result);
  BOOST_TEST(!result.value->degradation.canned);
  BOOST_TEST(!result.value->clients[0].canned);
}

BOOST_AUTO_TEST_CASE(one_sentence_serves_every_language_and_a_mapping_serves_each_its_own) {
  const auto result = canned("{ general: \"Later.\", urgent: { en: \"Call us.\", de: \"Rufen Sie an.\" } }");
  expect_fine(result);
  BOOST_TEST(all(result) == "");
  const auto& answers = *result.value->degradation.canned;
  BOOST_TEST(result.value->clients[0].canned);
  BOOST_TEST(answers.to("Hallo") == "Later.");
  BOOST_TEST(answers.to("Bitte dringend") == "Rufen Sie an.");
  BOOST_TEST(answers.to("срочно") == "Call us.");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_canned_answer_is_told_with_its_place) {
  const std::string at = "m.yaml:2:", key = ": degradation.canned";
  expect_error(canned("{ greeting: hi }"), at + "24" + key + ".general: is missing");
  expect_error(canned("{ general: \"\" }"), at + "35" + key + ".general: is empty");
  expect_error(canned("{ general: [ a ] }"), at + "35" + key + ".general: must be a single value, not a list");
  expect_error(canned("{ general: {} }"),
               at + "35" + key + ".general: is empty: give a text, or one for each language");
  expect_error(canned("{ general: a, other: b }"), at + "38" + key + ".other: unknown key");
  expect_error(canned("{ general: { english: a } }"),
               at + "46" + key + ".general.english: stands under no language: write en, de, zh and so on");
  expect_error(canned("{ general: { en: a, de: \"\" } }"), at + "48" + key + ".general.de: is empty");
  expect_error(canned("{ general: \"" + std::string(16385, 'a') + "\" }"),
               at + "35" + key + ".general: is longer than 16384 bytes");
  expect_error(load(with("clients: [ { name: a, key: 0123456789abcdef, canned: maybe } ]\n")),
               "m.yaml:1:54: clients[0].canned: must be true or false");
}

BOOST_AUTO_TEST_CASE(a_language_nobody_recognises_is_only_good_as_the_first) {
  BOOST_TEST(all(canned("{ general: { fi: a, en: b } }")) == "");
  BOOST_TEST(all(canned("{ general: { en: b, fi: a } }")) ==
             "warning: m.yaml:2:48: degradation.canned.general.fi: is never used: messages in that language are not "
             "recognised\n");
}

BOOST_AUTO_TEST_CASE(canned_answers_that_no_client_takes_are_warned_of) {
  const std::string section = "degradation: { canned: { general: a } }\n";
  BOOST_TEST(all(load(with(section))) == ""); // without clients, whoever wrote the file is the caller
  const auto result = load(with("clients: [ { name: a, key: 0123456789abcdef } ]\n" + section));
  BOOST_TEST(all(result) == "warning: m.yaml:2:24: degradation.canned: is never given: no client has `canned: true`\n");
  BOOST_TEST(all(load(with("clients: [ { name: a, key: 0123456789abcdef } ]\nstate: { path: s.db }\n" + section))) ==
             ""); // the console may make one
}

BOOST_AUTO_TEST_CASE(models_are_ranked_by_the_contracts_numbers_or_the_files_own) {
  BOOST_TEST(!load(with("")).value->degradation.model);
  const auto ranking = [](const std::string& value) {
    const auto result = load(with("degradation: { model: " + value + " }\n"));
    expect_fine(result);
    return *result.value->degradation.model;
  };
  const auto usual = ranking("{}");
  BOOST_TEST((usual.check_interval == duration(60s)));
  BOOST_TEST(usual.min_calls == 50);
  BOOST_TEST(usual.success_rate == 0.9);
  BOOST_TEST((usual.latency == duration(15s)));
  BOOST_TEST(usual.rebalance_every == 100);
  const auto own =
      ranking("{ check_interval: 5s, min_calls: 3, success_rate: 0.5, latency: 800ms, rebalance_every: 3 }");
  BOOST_TEST((own.check_interval == duration(5s)));
  BOOST_TEST(own.min_calls == 3);
  BOOST_TEST(own.success_rate == 0.5);
  BOOST_TEST((own.latency == duration(800ms)));
  BOOST_TEST(own.rebalance_every == 3);
  expect_error(load(with("degradation: { model: { min_calls: 101 } }\n")),
               "m.yaml:1:23: degradation.model: min_calls (101) is more than rebalance_every (100), after which "
               "counting begins anew");
  expect_error(load(with("degradation: { model: { success_rate: 90 } }\n")),
               "m.yaml:1:39: degradation.model.success_rate: must be a number from 0 to 1");
}

BOOST_AUTO_TEST_CASE(a_model_says_how_much_it_holds_and_what_becomes_of_more) {
  const auto with_model = [](const std::string& more) {
    return load(
        with_models("models: [ { name: m, targets: [ { provider: one }, { provider: two } ]" + more + " } ]\n"));
  };
  const auto plain = with_model("");
  expect_fine(plain);
  BOOST_TEST(!plain.value->models[0].context_window);
  BOOST_TEST((plain.value->models[0].truncate == truncate_mode::none));
  const auto told = with_model(", context_window: 128000, truncate: oldest");
  expect_fine(told);
  BOOST_TEST(told.value->models[0].context_window.value() == 128000u);
  BOOST_TEST((told.value->models[0].truncate == truncate_mode::oldest));
  expect_error(with_model(", truncate: newest"), "m.yaml:1:83: models[0].truncate: must be none or oldest");
  expect_error(with_model(", context_window: 128"),
               "m.yaml:1:89: models[0].context_window: must be a whole number from 1000 to 1000000000");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace degradation_test
