// The state's file over several openings: what was kept is there; what is broken is moved aside, what is foreign is
// not.
#include "net/state_file.hpp"

#include "tests/support/folder.hpp"

#include <boost/test/unit_test.hpp>

namespace state_file_test {

using namespace mainstay;

namespace {

const auto february = std::chrono::year(2027) / 2;
const utc_time noon = std::chrono::sys_days(february / 10) + std::chrono::hours(12);

struct fixture : mainstay::test::folder {
  std::string file = path("state.db");
  state_file open() { return state_file(file, noon, 0s); }
  std::string refused() {
    try {
      open();
    } catch (const sqlite::error& e) { return e.what(); }
    return "";
  }
};

std::string told(state_file f) {
  std::string out;
  for (const auto& c : f.months())
    out += c.provider + "/" + c.key + " " + std::to_string(int(c.month.year())) + "-" +
           std::to_string(unsigned(c.month.month())) + ": " + std::to_string(c.used) + "; ";
  return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(state_file_suite, fixture)

BOOST_AUTO_TEST_CASE(counts_are_there_again_and_the_latest_of_each_key_counts) {
  {
    auto f = open();
    BOOST_TEST(f.months().empty());
    f.keep({{"p", "a", february, 5}, {"p", "b", february, 7}});
    f.keep({{"p", "a", std::chrono::year(2027) / 3, 1}, {"q", "a", february, std::uint64_t{1} << 62}});
    BOOST_TEST(f.found_broken().moved_to.empty());
  }
  BOOST_TEST(told(open()) == "p/a 2027-3: 1; p/b 2027-2: 7; q/a 2027-2: 4611686018427387904; ");
}

BOOST_AUTO_TEST_CASE(the_latest_note_of_a_node_of_a_cluster_is_there_again_until_it_is_deleted) {
  {
    auto f = open();
    BOOST_TEST(!f.quotas());
    f.keep(quota_note{noon, true, {{"key/a/rpm", 7}, {"client/b/tpm", std::uint64_t{1} << 40}}});
  }
  {
    auto f = open();
    const auto note = f.quotas();
    BOOST_REQUIRE(note);
    BOOST_TEST((note->at == noon));
    BOOST_TEST(note->ended);
    BOOST_TEST(note->counted.size() == 2u);
    BOOST_TEST(note->counted.at("client/b/tpm") == std::uint64_t{1} << 40);
    f.keep(quota_note{noon + 1500ms, false, {}});
    BOOST_TEST((f.quotas()->at == noon + 1500ms));
    BOOST_TEST(!f.quotas()->ended);
    BOOST_TEST(f.quotas()->counted.empty());
    f.keep(std::nullopt);
  }
  BOOST_TEST(!open().quotas());
}

BOOST_AUTO_TEST_CASE(the_weeks_load_is_there_again_in_whole_tokens) {
  load_pattern::cells cells{};
  cells[0] = {1234.4, 1};
  cells[167] = {0, 900};
  {
    auto f = open();
    BOOST_TEST(f.load()[0].weeks == 0u);
    f.keep(cells);
    cells[0] = {1500.6, 2};
    f.keep(cells);
  }
  const auto again = open().load();
  BOOST_TEST((again[0].mean == 1501 && again[0].weeks == 2u));
  BOOST_TEST((again[167].mean == 0 && again[167].weeks == 900u));
  BOOST_TEST(again[1].weeks == 0u);
}

BOOST_AUTO_TEST_CASE(a_file_from_before_the_weeks_load_keeps_its_months_and_gets_its_place) {
  open().keep({{"p", "a", february, 5}});
  sqlite::database(file).run("DROP TABLE load_hours; DROP TABLE costs; DROP TABLE clients; DROP TABLE client_keys; "
                             "DROP TABLE quota_note; DROP TABLE quotas; PRAGMA user_version = 1");
  auto f = open();
  load_pattern::cells cells{};
  cells[9] = {7, 1};
  f.keep(cells);
  BOOST_TEST(f.load()[9].mean == 7);
  BOOST_TEST(told(std::move(f)) == "p/a 2027-2: 5; ");
}

BOOST_AUTO_TEST_CASE(costs_are_written_over_those_of_the_same_place_and_the_oldest_go) {
  const auto row = [](int hour, std::string client, double usd) {
    cost_ledger::row r;
    r.where = {std::chrono::sys_time<std::chrono::hours>(std::chrono::hours(500'000 + hour)), std::move(client), "m",
               "p"};
    r.what.usd = usd;
    r.what.saved_usd = usd * 2;
    r.what.calls = 3;
    r.what.unpriced = 1;
    r.what.saved = 4;
    r.what.tokens = {10, 20, 5, 6, 3};
    r.what.batch_usd = usd / 2;
    r.what.batched = 7;
    r.what.answered = 9;
    r.what.rescued = 8;
    r.what.lost = 2;
    return r;
  };
  const auto all = [](state_file f) {
    std::string out;
    for (const auto& r : f.costs())
      out += std::to_string(r.where.hour.time_since_epoch().count() - 500'000) + " " + r.where.client + " " +
             std::to_string(r.what.usd) + "; ";
    return out;
  };
  open().keep({row(0, "shop", 1.5), row(0, "bot", 2)});
  open().keep({row(0, "shop", 2.25), row(1, "shop", 0.1)});
  BOOST_TEST(all(open()) == "0 bot 2.000000; 0 shop 2.250000; 1 shop 0.100000; ");
  const auto first = open().costs()[0];
  BOOST_TEST((first.where == row(0, "bot", 2).where && first.what.saved_usd == 4 && first.what.calls == 3));
  BOOST_TEST((first.what.unpriced == 1u && first.what.saved == 4u && first.what.tokens.input == 10u));
  BOOST_TEST((first.what.tokens.output == 20u && first.what.tokens.cached == 5u && first.what.tokens.reasoning == 6u));
  BOOST_TEST(first.what.tokens.cache_writes == 3u);
  BOOST_TEST((first.what.batch_usd == 1 && first.what.batched == 7u && first.what.answered == 9u));
  BOOST_TEST((first.what.rescued == 8u && first.what.lost == 2u));
  open().keep({row(1 + static_cast<int>(cost_ledger::kept_for.count()), "shop", 3)});
  BOOST_TEST(all(open()) == "1 shop 0.100000; 841 shop 3.000000; ");
}

BOOST_AUTO_TEST_CASE(costs_of_a_file_from_before_cache_writes_were_counted_are_kept) {
  cost_ledger::row r;
  r.where.client = "shop";
  r.what.tokens = {10, 20, 5, 6, 3};
  open().keep({r});
  sqlite::database(file).run(
      "ALTER TABLE costs DROP COLUMN cache_writes; DROP TABLE quota_note; DROP TABLE quotas; PRAGMA user_version = 6");
  auto upgraded = open();
  const auto kept = upgraded.costs();
  BOOST_REQUIRE(kept.size() == 1u);
  BOOST_TEST((kept[0].what.tokens.reasoning == 6u && kept[0].what.tokens.cache_writes == 0u));
  upgraded.keep({r});
  BOOST_TEST(upgraded.costs()[0].what.tokens.cache_writes == 3u);
}

BOOST_AUTO_TEST_CASE(changes_of_clients_are_there_again_the_latest_of_each_and_none_that_says_nothing) {
  client_change made{"made"};
  made.keys = {{"sha256:a", noon + std::chrono::hours(1)}, {"sha256:b", {}}};
  auto& t = made.made.emplace();
  t.models = {"smart", "gpt-*"};
  t.limits.rpm = 6;
  t.limits.tpm = std::uint64_t{1} << 40;
  t.limits.concurrency = 2;
  t.daily_usd = 1.5;
  t.level = priority::low;
  t.highest = priority::normal;
  t.limits.rps = 3;
  t.per_address = {60, 2};
  t.partial.add(feature::json);
  t.canned = true;
  t.region = "eu";
  client_change rotated{"rotated"};
  rotated.keys = {{"sha256:c", {}}};
  rotated.file_key_until = noon;
  const client_change revoked{"revoked", true};
  client_change bare{"bare"};
  bare.keys = {{"sha256:d", {}}};
  bare.made.emplace();
  for (auto& c : {made, rotated, revoked, bare}) open().keep(c);
  BOOST_TEST((open().clients() == std::vector{bare, made, revoked, rotated}));
  rotated.keys = {{"sha256:e", {}}};
  rotated.file_key_until.reset();
  open().keep(rotated);
  open().keep(client_change{"revoked"});
  BOOST_TEST((open().clients() == std::vector{bare, made, rotated}));
}

BOOST_AUTO_TEST_CASE(a_file_from_before_clients_were_changed_keeps_what_it_has) {
  open().keep({{"p", "a", february, 5}});
  sqlite::database(file).run("ALTER TABLE costs DROP COLUMN cache_writes; DROP TABLE clients; DROP TABLE client_keys; "
                             "DROP TABLE quota_note; DROP TABLE quotas; PRAGMA user_version = 4");
  const client_change revoked{"app", true};
  open().keep(revoked);
  BOOST_TEST((open().clients() == std::vector{revoked}));
  BOOST_TEST(told(open()) == "p/a 2027-2: 5; ");
}

BOOST_AUTO_TEST_CASE(a_client_from_before_it_could_have_all_terms_has_those_it_was_given) {
  client_change made{"shop"};
  made.keys = {{"sha256:a", {}}};
  made.made.emplace().limits.rpm = 6;
  open().keep(made);
  for (std::string column : {"rps", "address_rpm", "address_concurrency", "partial", "canned", "region"})
    sqlite::database(file).run(("ALTER TABLE clients DROP COLUMN " + column).c_str());
  sqlite::database(file).run(
      "ALTER TABLE costs DROP COLUMN cache_writes; DROP TABLE quota_note; DROP TABLE quotas; PRAGMA user_version = 5");
  BOOST_TEST((open().clients() == std::vector{made}));
}

BOOST_AUTO_TEST_CASE(costs_from_before_requests_were_counted_are_kept) {
  cost_ledger::row r;
  r.where = {std::chrono::sys_time<std::chrono::hours>(std::chrono::hours(500'000)), "shop", "m", "p"};
  r.what.usd = 1.5;
  r.what.calls = 3;
  r.what.lost = 4;
  open().keep({r});
  for (std::string column : {"batch_usd", "batched", "answered", "rescued", "lost", "cache_writes"})
    sqlite::database(file).run(("ALTER TABLE costs DROP COLUMN " + column).c_str());
  sqlite::database(file).run(
      "DROP TABLE clients; DROP TABLE client_keys; DROP TABLE quota_note; DROP TABLE quotas; PRAGMA user_version = 3");
  const auto kept = open().costs();
  BOOST_REQUIRE(kept.size() == 1u);
  BOOST_TEST((kept[0].what.usd == 1.5 && kept[0].what.calls == 3u && kept[0].what.lost == 0u));
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_moved_aside_and_a_new_one_begun_whatever_log_lies_beside_it) {
  write("state.db", "this is no database, but it is somebody's\n");
  write("state.db-wal", "a log of something else");
  const auto aside = file + ".broken-2027-02-10T12-00-00Z";
  {
    auto f = open();
    BOOST_TEST(f.found_broken().moved_to == aside);
    BOOST_TEST(f.found_broken().what == file + ": file is not a database");
    BOOST_TEST(f.months().empty());
    f.keep({{"p", "a", february, 5}});
  }
  BOOST_TEST(read("state.db.broken-2027-02-10T12-00-00Z") == "this is no database, but it is somebody's\n");
  BOOST_TEST(told(open()) == "p/a 2027-2: 5; ");
  write("state.db", "broken again, within the second");
  BOOST_TEST(open().found_broken().moved_to == aside + "-2");
}

BOOST_AUTO_TEST_CASE(a_damaged_table_is_broken_too) {
  open().keep({{"p", "a", february, 5}});
  auto bytes = read("state.db");
  std::fill(bytes.begin() + 4096, bytes.end(), '\x55');
  write("state.db", bytes);
  auto f = open();
  BOOST_TEST(!f.found_broken().moved_to.empty());
  BOOST_TEST(f.months().empty());
}

BOOST_AUTO_TEST_CASE(another_programs_database_and_a_later_version_are_refused_and_stay_as_they_are) {
  {
    sqlite::database other(path("state.db"));
    other.run("CREATE TABLE t (n); INSERT INTO t VALUES (1)");
  }
  const auto before = read("state.db");
  BOOST_TEST(refused() == file + ": is a database of another program");
  BOOST_TEST(read("state.db") == before);
  std::filesystem::remove(file);
  open();
  sqlite::database(file).run("PRAGMA user_version = 9");
  BOOST_TEST(refused() == file + ": was written by another version of mainstayd");
}

BOOST_AUTO_TEST_CASE(who_finds_it_in_use_changes_nothing) {
  auto f = open();
  f.keep({{"p", "a", february, 5}});
  BOOST_TEST(refused() == file + ": database is locked");
  f.keep({{"p", "a", february, 6}});
  BOOST_TEST(f.months().at(0).used == 6u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace state_file_test
