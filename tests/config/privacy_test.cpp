// The section privacy: the audit, and what is not served yet.
#include "tests/config/sample.hpp"

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

BOOST_AUTO_TEST_CASE(what_is_not_served_is_an_error_and_not_passed_over) {
  expect_error(load(with("privacy: { redact: [ email ], audit: { path: a } }\n")),
               "m.yaml:1:20: privacy.redact: is not served by this version");
  expect_error(load(with("privacy: { deny: [ \"a.*\" ] }\n")),
               "m.yaml:1:18: privacy.deny: is not served by this version");
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
