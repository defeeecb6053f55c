// Clients' keys: what is kept of them, whose they are, and that a thousand clients are found as fast as one.
#include "config/changed_clients.hpp"
#include "config/client_keys.hpp"
#include "tests/config/sample.hpp"

#include <chrono>
#include <set>

namespace client_keys_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;

namespace {

const utc_time noon = std::chrono::sys_days(std::chrono::year(2027) / 2 / 10) + std::chrono::hours(12);
const std::string long_key = "a-key-of-somebodys-own-choosing-0123";

key_hash hash_of(const secret& key) { return parse_key_hash(hash_client_key(key)).value(); }

} // namespace

BOOST_AUTO_TEST_SUITE(client_keys_suite)

BOOST_AUTO_TEST_CASE(keys_that_are_made_differ_and_have_their_form) {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) {
    const auto key = make_client_key().reveal();
    BOOST_TEST(key.size() == 4u + 16 + 1 + 64);
    BOOST_TEST(key.starts_with("msk_"));
    BOOST_TEST(key[20] == '_');
    all.insert(key);
  }
  BOOST_TEST(all.size() == 100u);
}

BOOST_AUTO_TEST_CASE(a_hash_says_nothing_of_the_key_but_its_public_part) {
  const auto key = make_client_key();
  const auto one = hash_client_key(key), other = hash_client_key(key);
  BOOST_TEST(one != other, "each has a salt of its own");
  BOOST_TEST(one.find(key.reveal().substr(21)) == one.npos);
  BOOST_TEST(hash_of(key).id == key.reveal().substr(4, 16));
  BOOST_TEST(hash_of(secret(long_key)).id == "");
  BOOST_TEST(hash_named_key(key).find(key.reveal().substr(4, 16)) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_whole_hashes_are_taken) {
  const auto text = hash_client_key(make_client_key());
  BOOST_TEST(parse_key_hash(text).has_value());
  for (std::size_t n = 0; n < text.size(); ++n)
    if (n != text.size() - 17) // without its id it is one of another key
      BOOST_TEST(!parse_key_hash(text.substr(0, n)), text.substr(0, n));
  for (std::string wrong : {text + "0", "sha512" + text.substr(6), "sha256:" + std::string(32, 'g') + text.substr(39),
                            "sha256:" + std::string(32, 'A') + text.substr(39)})
    BOOST_TEST(!parse_key_hash(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(a_key_is_found_and_none_that_differs_in_one_character) {
  key_ring ring;
  const auto made = make_client_key();
  const secret own(long_key), named("0123456789abcdef");
  ring.add(hash_of(made), 0);
  ring.add(hash_of(own), 1);
  ring.add(parse_key_hash(hash_named_key(named)).value(), 2);
  std::size_t client = 0;
  for (const auto& key : {made, own, named}) {
    const auto& text = key.reveal();
    BOOST_TEST(ring.find(text, noon).value() == client++);
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto wrong = text;
      wrong[i] = wrong[i] == '0' ? '1' : '0';
      BOOST_TEST(!ring.find(wrong, noon));
    }
    BOOST_TEST(!ring.find(text.substr(1), noon));
    BOOST_TEST(!ring.find(text + "0", noon));
  }
  BOOST_TEST(!ring.find("", noon));
  BOOST_TEST(!ring.find(std::string(100'000, 'x'), noon));
}

BOOST_AUTO_TEST_CASE(a_key_with_an_end_is_good_until_then) {
  key_ring ring;
  const auto key = make_client_key();
  ring.add(hash_of(key), 0, noon);
  BOOST_TEST(ring.find(key.reveal(), noon - 1s).has_value());
  BOOST_TEST(!ring.find(key.reveal(), noon));
}

BOOST_AUTO_TEST_CASE(among_a_thousand_clients_one_is_found_within_microseconds) {
  key_ring ring;
  std::vector<secret> keys;
  for (std::size_t i = 0; i < 1000; ++i) {
    keys.push_back(make_client_key());
    ring.add(i % 2 ? hash_of(keys[i]) : parse_key_hash(hash_named_key(keys[i])).value(), i);
  }
  const auto unknown = make_client_key();
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    BOOST_REQUIRE(ring.find(keys[i].reveal(), noon).value() == i);
    BOOST_REQUIRE(!ring.find(unknown.reveal(), noon));
  }
  const auto each = (std::chrono::steady_clock::now() - begin) / (2 * keys.size());
  BOOST_TEST_MESSAGE("a key of 1000 clients is found, or not, in "
                     << std::chrono::duration_cast<std::chrono::nanoseconds>(each).count() << " ns");
  BOOST_TEST((each < 50us), "with room for a busy machine");
}

BOOST_AUTO_TEST_CASE(the_configuration_takes_hashes_and_keeps_no_key) {
  const auto made = make_client_key();
  const auto result = load(with("clients: [ { name: app, key_hash: \"" + hash_client_key(made) +
                                "\" }, { name: bot, key_hash: \"${H}\" }, { name: old, key: " + long_key + "x } ]\n"),
                           {{"H", hash_client_key(secret(long_key))}});
  expect_fine(result);
  const auto& s = *result.value;
  BOOST_TEST(s.ring->find(made.reveal(), noon).value() == 0u);
  BOOST_TEST(s.ring->find(long_key, noon).value() == 1u);
  BOOST_TEST(s.ring->find(long_key + "x", noon).value() == 2u);
  for (auto& c : s.clients) BOOST_TEST(c.keys.at(0).hash.starts_with("sha256:"));
}

BOOST_AUTO_TEST_CASE(what_is_no_hash_and_what_is_said_twice_is_an_error) {
  expect_error(load(with("clients: [ { name: app, key_hash: abc } ]\n")),
               "m.yaml:1:35: clients[0].key_hash: is not the hash of a key: make it with `mainstayctl clients hash`");
  const auto hash = hash_client_key(secret(long_key));
  expect_error(load(with("clients: [ { name: app, key: " + long_key + ", key_hash: \"" + hash + "\" } ]\n")),
               "m.yaml:1:30: clients[0].key: stands beside key_hash: a client has one of them");
  expect_error(
      load(with("clients:\n  - { name: app, key_hash: \"" + hash + "\" }\n  - { name: bot, key: " + long_key + " }\n")),
      "m.yaml:3:23: clients[1].key: is the same key as in line 2: callers could not be told apart");
  expect_error(load(with("clients:\n  - { name: app, key_hash: \"" + hash + "\" }\n  - { name: bot, key_hash: \"" +
                         hash + "\" }\n")),
               "m.yaml:3:28: clients[1].key_hash: is of the same key as in line 2: callers could not be told apart");
}

BOOST_AUTO_TEST_CASE(keys_that_have_to_be_tried_one_by_one_are_bounded_in_number) {
  std::string clients = "clients:\n";
  for (std::size_t i = 0; i <= key_ring::most_salts; ++i)
    clients += "  - { name: c" + std::to_string(i) + ", key_hash: \"" +
               hash_client_key(secret(long_key + std::to_string(i))) + "\" }\n";
  const auto result = load(with(clients));
  BOOST_TEST_REQUIRE(result.errors.size() == 1u, all(result));
  BOOST_TEST(to_string(result.errors[0]).find("more than 16 of those have to be tried with every request") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_priority_has_a_ceiling_and_addresses_their_limits) {
  const auto result =
      load(with("clients: [ { name: a, key: 0123456789abcdef, max_priority: low, per_address: { rpm: 5, "
                "concurrency: 2 } }, { name: b, key: 0123456789abcdeg, priority: high } ]\n"));
  expect_fine(result);
  const auto& c = result.value->clients;
  BOOST_TEST((c[0].highest == priority::low && c[0].level == priority::low));
  BOOST_TEST((c[0].per_address == address_limits{5, 2}));
  BOOST_TEST((c[1].highest == priority::high && c[1].level == priority::high && c[1].per_address.none()));
  BOOST_TEST((governor_view(*result.value).clients[0].per_address == address_limits{5, 2}));
  expect_error(load(with("clients: [ { name: a, key: 0123456789abcdef, max_priority: normal, priority: high } ]\n")),
               "m.yaml:1:78: clients[0].priority: is above max_priority");
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct changed {
  loaded file = load(with("clients: [ { name: app, key: 0123456789abcdef, rpm: 5 }, { name: bot, key: "
                          "0123456789abcdeg } ]\n"));
  std::map<std::string, client_change> changes;
  secret fresh = make_client_key();
  settings_ptr merged() { return with_changes(file.value, changes); }
  std::string who(const std::string& key, utc_time when = noon) {
    const auto s = merged();
    const auto found = s->ring->find(key, when);
    return found ? s->clients[*found].name : "";
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(changed_clients_suite, changed)

BOOST_AUTO_TEST_CASE(without_changes_it_is_the_file) {
  BOOST_TEST((merged() == file.value));
  BOOST_TEST(who("0123456789abcdef") == "app");
}

BOOST_AUTO_TEST_CASE(a_client_that_was_made_stands_behind_the_files) {
  client_change made{"new"};
  made.keys = {{hash_client_key(fresh), {}}};
  made.made.emplace().limits.rpm = 7;
  made.made->highest = priority::low;
  changes["new"] = made;
  BOOST_TEST(who(fresh.reveal()) == "new");
  BOOST_TEST(who("0123456789abcdef") == "app");
  const auto now = merged();
  const auto* c = now->client("new");
  BOOST_REQUIRE(c);
  BOOST_TEST((*c->limits.rpm == 7u && c->level == priority::low && c->made_at_run_time));
}

BOOST_AUTO_TEST_CASE(a_revoked_client_stays_known_and_has_no_key) {
  changes["app"] = {"app", true};
  BOOST_TEST(who("0123456789abcdef") == "");
  BOOST_TEST(who("0123456789abcdeg") == "bot");
  BOOST_TEST(!merged()->client("app"));
  BOOST_TEST(merged()->clients.size() == 2u, "an empty list would ask nobody for a key");
}

BOOST_AUTO_TEST_CASE(a_new_key_beats_the_files_which_may_have_its_grace) {
  client_change rotated{"app"};
  rotated.keys = {{hash_client_key(fresh), {}}};
  changes["app"] = rotated;
  BOOST_TEST(who("0123456789abcdef") == "");
  BOOST_TEST(who(fresh.reveal()) == "app");
  BOOST_TEST(*merged()->client("app")->limits.rpm == 5u);
  changes["app"].file_key_until = noon;
  BOOST_TEST(who("0123456789abcdef", noon - 1s) == "app");
  BOOST_TEST(who("0123456789abcdef") == "");
}

BOOST_AUTO_TEST_CASE(a_change_of_a_client_that_left_the_file_waits_for_it) {
  changes["gone"] = {"gone", true};
  BOOST_TEST(merged()->clients.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace client_keys_test
