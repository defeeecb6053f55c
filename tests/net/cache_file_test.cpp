// The cache's file over several openings; its bounds; and the form of an answer as one text.
#include "net/cache_file.hpp"

#include "tests/support/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace cache_file_test {

using namespace mainstay;

namespace {

const utc_time noon = std::chrono::sys_days(std::chrono::year(2027) / 2 / 10) + 12h;

cache_file::entry entry(const std::string& key, const std::string& text, utc_time born = noon, std::uint32_t cost = 0) {
  return {key, {make_bytes(text), born, cost}};
}

struct fixture : mainstay::test::folder {
  std::string file = path("cache.db");
  cache_file open() { return cache_file(file, noon, 0s); }
};

std::string text_of(const cached_answer& a) { return a ? *a.completion : "none"; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(cache_file_suite, fixture)

BOOST_AUTO_TEST_CASE(answers_are_there_again_byte_for_byte_with_their_birth_and_cost) {
  const std::string bytes("{\"x\":\"\xff\0 no UTF-8\"}", 18);
  {
    auto f = open();
    f.put({entry("a", "one", noon - 90min, 4'000'000'000), entry("b", bytes), entry("c", "")});
    BOOST_TEST(f.entries() == 3u);
    BOOST_TEST(f.found_broken().moved_to.empty());
  }
  auto f = open();
  BOOST_TEST(f.entries() == 3u);
  const auto a = f.find("a");
  BOOST_TEST(text_of(a) == "one");
  BOOST_TEST((a.born == noon - 90min));
  BOOST_TEST(a.cost == 4'000'000'000u);
  BOOST_TEST(text_of(f.find("b")) == bytes);
  BOOST_TEST(text_of(f.find("c")) == "");
  BOOST_TEST(!f.find("d"));
}

BOOST_AUTO_TEST_CASE(a_newer_answer_replaces_the_older_also_within_one_write) {
  auto f = open();
  f.put({entry("a", "one"), entry("a", "two")});
  f.put({entry("a", "three", noon + 1s)});
  BOOST_TEST(f.entries() == 1u);
  BOOST_TEST(text_of(f.find("a")) == "three");
  BOOST_TEST((f.find("a").born == noon + 1s));
}

BOOST_AUTO_TEST_CASE(what_is_too_old_goes_in_steps) {
  auto f = open();
  std::vector<cache_file::entry> all;
  for (int i = 0; i < 50; ++i) all.push_back(entry("k" + std::to_string(i), "x", noon - i * 1min));
  f.put(all);
  const cache_file::bounds within{1000, 1u << 30, 20min};
  BOOST_TEST(f.prune(within, noon, 10) == 10u);
  BOOST_TEST(!f.find("k49"));
  BOOST_TEST(f.prune(within, noon, 1000) == 20u); // 20 minutes old is too old
  BOOST_TEST(f.entries() == 20u);
  BOOST_TEST(!!f.find("k19"));
  BOOST_TEST(!f.find("k20"));
  BOOST_TEST(f.prune(within, noon, 1000) == 0u);
}

BOOST_AUTO_TEST_CASE(the_oldest_go_where_there_are_too_many_or_they_are_too_large) {
  auto f = open();
  std::vector<cache_file::entry> all;
  for (int i = 0; i < 100; ++i) all.push_back(entry("k" + std::to_string(i), std::string(20'000, 'x'), noon - i * 1s));
  f.put(all);
  BOOST_TEST(f.prune({60, 1u << 30, 1h}, noon, 1000) == 40u);
  BOOST_TEST(f.entries() == 60u);
  BOOST_TEST(!!f.find("k59"));
  BOOST_TEST(!f.find("k60"));
  f.prune({60, 500'000, 1h}, noon, 1000);
  BOOST_TEST(f.bytes() <= 500'000u);
  BOOST_TEST(f.entries() > 15u);
  BOOST_TEST(!!f.find("k0"));
}

BOOST_AUTO_TEST_CASE(room_that_was_freed_is_used_again) {
  auto f = open();
  const cache_file::bounds within{1000, 1u << 20, 1h};
  for (int round = 0; round < 100; ++round) {
    f.put({entry("k" + std::to_string(round), std::string(100'000, 'x'), noon + round * 1s)});
    f.prune(within, noon, 100);
    BOOST_TEST_REQUIRE(f.bytes() <= within.bytes);
  }
  BOOST_TEST(f.entries() >= 7u);
  BOOST_TEST(read("cache.db").size() < 2u << 20);
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_moved_aside_at_once_or_when_a_damaged_page_is_read) {
  write("cache.db", "this is no database");
  BOOST_TEST(!open().found_broken().moved_to.empty());
  open().put({entry("a", std::string(50'000, 'x'))});
  auto bytes = read("cache.db");
  std::fill(bytes.begin() + 4096, bytes.end(), '\x55');
  write("cache.db", bytes);
  const auto damaged = [&] {
    try {
      open().find("a");
    } catch (const sqlite::error& e) { return e.why(); }
    return sqlite::fault::other;
  };
  BOOST_CHECK(damaged() == sqlite::fault::broken);
  BOOST_TEST(sqlite::move_aside(file, noon) == file + ".broken-2027-02-10T12-00-00Z-2");
  BOOST_TEST(open().entries() == 0u);
  sqlite::remove_file(file);
  BOOST_TEST(!std::filesystem::exists(file));
}

BOOST_AUTO_TEST_CASE(the_state_of_a_daemon_is_no_cache) {
  sqlite::database(file).run("PRAGMA application_id = 1299407921; CREATE TABLE months (n)");
  BOOST_CHECK_THROW(open(), sqlite::error);
}

BOOST_AUTO_TEST_CASE(an_answer_as_one_text_is_read_again_and_anything_else_is_none) {
  const cached_answer a{make_bytes("{\"a\":\n1}"), noon, 12};
  const auto text = to_text(a);
  const auto again = read_cached_answer(text);
  BOOST_TEST(text_of(again) == "{\"a\":\n1}");
  BOOST_TEST((again.born == noon));
  BOOST_TEST(again.cost == 12u);
  for (const char* other : {"", "{}", "1", "1 ", "1 2", "-1 2\nx", "1 -2\nx", "a b\nx", "1 99999999999\nx",
                            "9223372036854775807 1\nx", "99999999999999999999 1\nx", "170700000000000 1\nx"})
    BOOST_TEST(!read_cached_answer(other), other);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace cache_file_test
