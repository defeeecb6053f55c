// What a console's orders come to: made, rotated, revoked, restored; and what cannot be.
#include "core/client_changes.hpp"

#include <boost/test/unit_test.hpp>

namespace client_changes_test {

using namespace mainstay;
using way = client_order::way;

namespace {

const utc_time noon = std::chrono::sys_days(std::chrono::year(2027) / 2 / 10) + std::chrono::hours(12);

struct fixture {
  client_changes book;
  utc_time now = noon;
  int hashes = 0;

  std::string order(way what, std::string name, bool in_file, duration keep = {}) {
    client_order o{what, std::move(name)};
    o.hash = "h" + std::to_string(++hashes);
    o.keep = keep;
    o.terms.models = {"smart"};
    auto out = book.judge(o, in_file, now);
    if (auto* no = std::get_if<std::string>(&out)) return *no;
    book.take(std::get<client_change>(out));
    return "";
  }
  std::string create(std::string n, bool in_file = false) { return order(way::create, std::move(n), in_file); }
  std::string keys(const std::string& name) const {
    std::string out;
    const auto& c = book.all().at(name);
    const auto add = [&](const std::string& what, const std::optional<utc_time>& until) {
      out += (out.empty() ? "" : ", ") + what;
      if (until) out += " " + std::to_string(std::chrono::duration_cast<std::chrono::minutes>(*until - noon).count());
    };
    for (auto& k : c.keys) add(k.hash, k.until);
    if (c.file_key_until) add("file", c.file_key_until);
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(client_changes_suite, fixture)

BOOST_AUTO_TEST_CASE(a_client_is_made_once_and_anew_after_it_was_revoked) {
  BOOST_TEST(create("app") == "");
  BOOST_TEST(create("app") == "there is app already: rotate gives it a new key");
  BOOST_TEST(order(way::revoke, "app", false) == "");
  BOOST_TEST((book.all().at("app").revoked && book.all().at("app").keys.empty() && book.all().at("app").made));
  BOOST_TEST(order(way::rotate, "app", false) == "app is revoked: create makes it anew");
  BOOST_TEST(order(way::restore, "app", false) == "app was made here: create makes it anew");
  BOOST_TEST(create("app") == "");
  BOOST_TEST(keys("app") == "h6");
  BOOST_TEST(!book.all().at("app").revoked);
}

BOOST_AUTO_TEST_CASE(a_client_of_the_configuration_is_not_made_but_revoked_and_restored) {
  BOOST_TEST(create("file", true).starts_with("file is in the configuration: "));
  BOOST_TEST(order(way::revoke, "file", true) == "");
  BOOST_TEST(order(way::revoke, "file", true) == "", "said again it is as true");
  BOOST_TEST(order(way::rotate, "file", true) == "file is revoked: restore brings it back");
  BOOST_TEST(order(way::restore, "file", true) == "");
  BOOST_TEST(book.all().empty());
}

BOOST_AUTO_TEST_CASE(nobody_is_rotated_revoked_or_restored_who_is_not_there) {
  BOOST_TEST(order(way::rotate, "who", false) == "no client is named who");
  BOOST_TEST(order(way::revoke, "who", false) == "no client is named who");
  BOOST_TEST(order(way::restore, "who", false) == "who is not in the configuration");
}

BOOST_AUTO_TEST_CASE(rotated_without_grace_only_the_new_key_is_good) {
  create("app");
  order(way::rotate, "app", false);
  BOOST_TEST(keys("app") == "h2");
  order(way::rotate, "file", true);
  BOOST_TEST(keys("file") == "h3");
}

BOOST_AUTO_TEST_CASE(with_grace_those_of_before_stay_and_nobodys_end_is_put_off) {
  create("app");
  order(way::rotate, "app", false, 10min);
  BOOST_TEST(keys("app") == "h2, h1 10");
  now += 5min;
  order(way::rotate, "app", false, 30min);
  BOOST_TEST(keys("app") == "h3, h2 35, h1 10");
  now += 5min;
  order(way::rotate, "app", false, 1min);
  BOOST_TEST(keys("app") == "h4, h3 11, h2 11", "the first is over");
}

BOOST_AUTO_TEST_CASE(the_configurations_key_has_its_grace_too_and_then_none) {
  order(way::rotate, "file", true, 10min);
  BOOST_TEST(keys("file") == "h1, file 10");
  now += 1min;
  order(way::rotate, "file", true, 30min);
  BOOST_TEST(keys("file") == "h2, h1 31, file 10");
  order(way::rotate, "file", true);
  BOOST_TEST(keys("file") == "h3");
  order(way::rotate, "file", true, 5min);
  BOOST_TEST(keys("file") == "h4, h3 6", "what has been taken away does not come back");
}

BOOST_AUTO_TEST_CASE(a_client_has_a_bounded_number_of_keys) {
  create("app");
  for (std::size_t i = 1; i < client_changes::most_keys; ++i) BOOST_TEST(order(way::rotate, "app", false, 1h) == "");
  BOOST_TEST(order(way::rotate, "app", false, 1h) == "app has 8 good keys: rotate without --keep, or wait");
  BOOST_TEST(order(way::rotate, "app", false) == "");
}

BOOST_AUTO_TEST_CASE(the_number_of_clients_is_bounded) {
  std::vector<client_change> many(client_changes::most_clients);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = {std::to_string(i), true};
  book = client_changes(many);
  BOOST_TEST(create("app") == "no more than 10000 are kept");
  BOOST_TEST(order(way::revoke, "7", true) == "");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace client_changes_test
