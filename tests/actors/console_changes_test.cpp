// Which of an operator's words are changes, and what the audit says of them.
#include "actors/console_changes.hpp"

#include <boost/test/unit_test.hpp>

namespace console_changes_test {

using namespace mainstay;

namespace {

/// "what|name|with"; empty: they only look.
std::string asked(const std::vector<std::string>& words) {
  const auto c = change_asked(words);
  return c ? c->what + "|" + c->name + "|" + c->with : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(console_changes)

BOOST_AUTO_TEST_CASE(every_change_is_one_with_its_name_and_how_it_is_made) {
  BOOST_TEST(asked({"clients", "create", "shop", "--rpm", "5", "--models", "a,b"}) ==
             "clients create|shop|--rpm 5 --models a,b");
  BOOST_TEST(asked({"clients", "rotate", "shop", "--keep", "10m"}) == "clients rotate|shop|--keep 10m");
  BOOST_TEST(asked({"clients", "revoke", "shop"}) == "clients revoke|shop|");
  BOOST_TEST(asked({"clients", "restore", "shop"}) == "clients restore|shop|");
  BOOST_TEST(asked({"keys", "main", "disable"}) == "keys disable|main|");
  BOOST_TEST(asked({"keys", "main", "enable"}) == "keys enable|main|");
  for (std::string way : {"open", "close", "auto"})
    BOOST_TEST(asked({"breakers", "openai", way}) == "breakers " + way + "|openai|");
  BOOST_TEST(asked({"cache", "clear"}) == "cache clear||");
  BOOST_TEST(asked({"cache", "warming", "begin", "7"}) == "cache warming begin||");
  BOOST_TEST(asked({"cache", "warming", "stop", "7"}) == "cache warming stop||");
  BOOST_TEST(asked({"drill", "slow", "openai", "--for", "10s", "--id", "7", "--by", "1s"}) ==
             "drill slow|openai|--for 10s --by 1s");
  BOOST_TEST(asked({"drill", "redis_frozen", "--for", "10s"}) == "drill redis_frozen||--for 10s");
  BOOST_TEST(asked({"drill", "crash", "admin"}) == "drill crash|admin|");
  BOOST_TEST(asked({"drill", "stop", "7"}) == "drill stop||");
  BOOST_TEST(asked({"reload"}) == "reload||");
  BOOST_TEST(asked({"drain"}) == "drain||");
}

BOOST_AUTO_TEST_CASE(who_only_looks_changes_nothing) {
  const std::vector<std::vector<std::string>> looks{
      {},        {"status"}, {"clients"},         {"clients", "hash"},    {"keys"},
      {"cache"}, {"drill"},  {"cache", "stats"},  {"drill", "look", "7"}, {"breakers"},
      {"help"},  {"cost"},   {"audit", "verify"}, {"cache", "warming"},   {"cache", "warming", "lines", "7"}};
  for (const auto& words : looks) BOOST_TEST(asked(words) == "");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace console_changes_test
