// The section privacy: the audit, what is replaced and denied, and regions.
#include "tests/config/sample.hpp"

namespace privacy_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

BOOST_AUTO_TEST_SUITE(privacy_section)

BOOST_AUTO_TEST_CASE(without_the_section_no_file_is_written) { BOOST_TEST(!load(with("")).value->audit); }

BOOST_AUTO_TEST_CASE(the_audit_has_a_file_that_is_rotated_at_a_size) {
  const auto plain = load(with("privacy: { audit: { path: audit.jsonl } }\n"));
  expect_fine(plain);
  BOOST_TEST(plain.value->audit->path == "audit.jsonl");
  BOOST_TEST(plain.value->audit->rotate == 100u << 20);
  const auto given = load(with("privacy: { audit: { path: /var/log/a.jsonl, rotate: 64KiB, prompts: false } }\n"));
  expect_fine(given);
  BOOST_TEST((given.value->audit->rotate == 64u << 10 && !given.value->audit->prompts));
  const auto wanted = load(with("privacy: { audit: { path: a, prompts: true } }\n"));
  BOOST_REQUIRE(wanted.value);
  BOOST_TEST((wanted.value->audit->prompts && !wanted.warnings.empty()));
}

namespace {

std::string names(const std::vector<named_pattern>& all) {
  std::string out;
  for (auto& p : all) out += p.name + " ";
  return out;
}

/// with(), with these members of its only client.
std::string with_client(const std::string& section, const std::string& members) {
  return with(section + "clients: [ { name: app, key: key-app-0123456789, " + members + " } ]\n");
}

} // namespace

BOOST_AUTO_TEST_CASE(what_is_replaced_and_denied_is_compiled_once) {
  BOOST_TEST(!load(with("")).value->privacy);
  const auto given =
      load(with("privacy: { redact: [ email, iban, { name: ticket, pattern: 'T-\\d+' } ], deny: [ 'apollo', "
                "{ pattern: 'x+y', on: in, name: xy }, { pattern: z, on: out } ] }\n"));
  expect_fine(given);
  const auto& rules = *given.value->privacy;
  BOOST_TEST((rules.kinds.has(personal_kind::email) && rules.kinds.has(personal_kind::iban)));
  BOOST_TEST(!rules.kinds.has(personal_kind::phone));
  BOOST_TEST(names(rules.custom) == "ticket ");
  BOOST_TEST(names(rules.deny_in) == "deny_1 xy ");
  BOOST_TEST(names(rules.deny_out) == "deny_1 deny_3 ");
  BOOST_TEST(given.value->privacy_of(nullptr) == given.value->privacy);
}

BOOST_AUTO_TEST_CASE(a_client_has_its_own_list_of_what_is_replaced_and_more_that_is_denied) {
  const std::string section = "privacy: { redact: [ email, { name: ticket, pattern: 'T-1' } ], deny: [ apollo ] }\n";
  const auto of = [&](const std::string& members) {
    const auto r = load(with_client(section, members));
    expect_fine(r);
    return r.value->privacy_of(&r.value->clients.at(0));
  };
  BOOST_TEST(of("rpm: 5")->kinds.has(personal_kind::email));
  const auto none = of("redact: none");
  BOOST_TEST((!none->redacts() && names(none->deny_in) == "deny_1 "));
  const auto other = of("redact: [ phone, ticket, { name: own, pattern: 'O' } ]");
  BOOST_TEST((other->kinds.has(personal_kind::phone) && !other->kinds.has(personal_kind::email)));
  BOOST_TEST(names(other->custom) == "ticket own ");
  const auto more = of("deny: [ gemini ]");
  BOOST_TEST((more->kinds.has(personal_kind::email) && names(more->deny_out) == "deny_1 client_deny_1 "));
}

BOOST_AUTO_TEST_CASE(a_wrong_pattern_is_told_with_its_place) {
  expect_error(load(with("privacy: { deny: [ 'a', 'b(c' ] }\n")),
               "m.yaml:1:25: privacy.deny[1]: is no pattern of RE2: missing ): b(c (at character 1 of the pattern)");
  expect_error(
      load(with("privacy: { redact: [ { name: t, pattern: 'x**' } ] }\n")),
      "m.yaml:1:42: privacy.redact[0].pattern: is no pattern of RE2: bad repetition operator: ** (at character 2 of "
      "the pattern)");
  expect_error(load(with("privacy: { deny: [ 'a*' ] }\n")),
               "m.yaml:1:20: privacy.deny[0]: matches where nothing stands: it would be found everywhere");
  expect_error(load(with("privacy: { redact: [ e-mail ] }\n")),
               "m.yaml:1:22: privacy.redact[0]: must be email, phone, card, id_number, iban, or { name, pattern }");
  expect_error(load(with("privacy: { redact: [ email, email ] }\n")),
               "m.yaml:1:29: privacy.redact[1]: is in this list already");
  expect_error(load(with("privacy: { redact: [ { name: Ticket, pattern: x } ] }\n")),
               "m.yaml:1:30: privacy.redact[0].name: must be 1 to 64 of a-z, 0-9 and _");
  expect_error(load(with("privacy: { redact: [ { name: email, pattern: x } ] }\n")),
               "m.yaml:1:22: privacy.redact[0]: the name email is taken");
  expect_error(load(with("privacy: { deny: [ { name: d, pattern: x }, { name: d, pattern: y } ] }\n")),
               "m.yaml:1:45: privacy.deny[1]: the name d is taken");
}

BOOST_AUTO_TEST_CASE(a_client_stays_in_a_region_that_some_provider_stands_in) {
  const auto r = load(with_client("", "region: eu"));
  expect_error(r, to_string(r.errors.at(0)));
  BOOST_TEST(to_string(r.errors.at(0)).find("no provider in use stands in eu") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_models_ladder_within_a_region_has_the_targets_there_in_their_order) {
  settings s;
  for (auto [name, region] : {std::pair("a", "eu"), {"b", "us"}, {"c", "eu"}, {"d", ""}}) {
    s.providers.emplace_back();
    s.providers.back().name = name;
    s.providers.back().ways.emplace_back().region = region;
  }
  model_settings m;
  m.ladder = {{{"a", "1"}, {"b", "1"}}, {{"b", "2"}, {"d", "2"}}, {{"c", "3"}}};
  m.prefill_of_rung = {prefill_mode::yes, prefill_mode::automatic, prefill_mode::no};
  const auto eu = within(s, m, "eu");
  BOOST_REQUIRE((eu && eu->ladder.size() == 2u));
  BOOST_TEST((eu->ladder[0].size() == 1u && eu->ladder[0][0].provider == "a" && eu->ladder[1][0].provider == "c"));
  BOOST_TEST((eu->prefill_of_rung == std::vector{prefill_mode::yes, prefill_mode::no}));
  BOOST_TEST(!within(s, m, "cn"));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_with_its_place) {
  expect_error(load(with("privacy: { audit: { rotate: 1MiB } }\n")), "m.yaml:1:19: privacy.audit.path: is missing");
  expect_error(load(with("privacy: {}\n")), "m.yaml:1:10: privacy: is empty: fill it, or leave it out");
  expect_error(load(with("privacy: { audit: { path: a, rotate: 1KiB } }\n")),
               "m.yaml:1:38: privacy.audit.rotate: must be from 4KiB to 1024GiB");
  expect_error(load(with("privacy: { audit: { path: same.db } }\nstate: { path: same.db }\n")),
               "m.yaml:1:10: privacy: audit.path is the file of state.path: each needs one of its own");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace privacy_test
