// Real database files: what is committed stays, what is not goes, one process has the file, and faults say which.
#include "net/sqlite.hpp"

#include "tests/support/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

namespace sqlite_test {

using namespace mainstay;
using namespace std::chrono_literals;
using sqlite::database;

namespace {

struct fixture : mainstay::test::folder {
  std::string file = path("a.db");
};

sqlite::error error_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const sqlite::error& e) { return e; }
  return {"nothing", "was thrown"};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(sqlite_suite, fixture)

BOOST_AUTO_TEST_CASE(what_was_committed_is_there_when_the_file_is_opened_again) {
  {
    database db(file);
    db.run("CREATE TABLE t (name TEXT, n INTEGER)");
    sqlite::transaction all(db);
    auto put = db.prepare("INSERT INTO t VALUES (?, ?)");
    put.run("one", 1);
    put.run(std::string("größer \0 als", 13), std::int64_t{1} << 60);
    all.commit();
  }
  database db(file);
  auto rows = db.prepare("SELECT name, n FROM t ORDER BY n");
  for (int again = 0; again < 2; ++again) {
    rows.begin();
    BOOST_TEST_REQUIRE(rows.next());
    BOOST_TEST(rows.text(0) == "one");
    BOOST_TEST(rows.number(1) == 1);
    BOOST_TEST_REQUIRE(rows.next());
    BOOST_TEST(rows.text(0) == std::string("größer \0 als", 13));
    BOOST_TEST(rows.number(1) == std::int64_t{1} << 60);
    BOOST_TEST(!rows.next());
  }
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_left_by_an_exception_leaves_nothing) {
  database db(file);
  db.run("CREATE TABLE t (n INTEGER PRIMARY KEY)");
  auto put = db.prepare("INSERT INTO t VALUES (?)");
  const auto e = error_of([&] {
    sqlite::transaction all(db);
    put.run(1);
    put.run(1);
  });
  BOOST_TEST(e.what() == file + ": UNIQUE constraint failed: t.n");
  BOOST_CHECK(e.why() == sqlite::fault::other);
  BOOST_TEST(db.number("SELECT count(*) FROM t") == 0);
  sqlite::transaction all(db); // and the next one begins
  put.run(2);
  all.commit();
  BOOST_TEST(db.number("SELECT count(*) FROM t") == 1);
}

BOOST_AUTO_TEST_CASE(a_file_is_one_owners_until_it_is_closed) {
  auto first = std::make_unique<database>(file);
  const auto began = clock::now();
  const auto e = error_of([&] { database second(file, 50ms); });
  BOOST_CHECK(e.why() == sqlite::fault::locked);
  BOOST_TEST(e.what() == file + ": database is locked");
  BOOST_TEST((clock::now() - began >= 50ms));
  first->run("CREATE TABLE t (n)"); // who tried has not disturbed it
  first.reset();
  BOOST_TEST(database(file).number("SELECT count(*) FROM t") == 0);
}

BOOST_AUTO_TEST_CASE(a_new_file_is_its_owners_alone_to_read) {
  database db(file);
  db.run("CREATE TABLE t (n)");
  for (const auto& name : {file, file + "-wal"}) {
    struct stat facts {};
    BOOST_TEST_REQUIRE(::stat(name.c_str(), &facts) == 0, name);
    BOOST_TEST((facts.st_mode & 0777) == 0600u, name);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_database_or_a_damaged_one_is_called_broken) {
  write("no.db", std::string(5000, 'x'));
  write("short.db", "short");
  for (const char* name : {"no.db", "short.db"}) {
    const auto e = error_of([&] { database db(path(name)); });
    BOOST_CHECK(e.why() == sqlite::fault::broken);
    BOOST_TEST(e.what() == path(name) + ": file is not a database");
  }
  {
    database db(file);
    db.run("CREATE TABLE t (n); INSERT INTO t VALUES (1)");
    BOOST_CHECK_NO_THROW(db.check());
  }
  auto bytes = read("a.db");
  BOOST_TEST_REQUIRE(bytes.size() == 8192u);
  std::fill(bytes.begin() + 4096, bytes.end(), '\xff'); // the table's page
  write("a.db", bytes);
  BOOST_CHECK(error_of([&] { database(file).check(); }).why() == sqlite::fault::broken);
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_an_empty_database) {
  write("empty.db", "");
  BOOST_TEST(database(path("empty.db")).number("SELECT count(*) FROM sqlite_schema") == 0);
}

BOOST_AUTO_TEST_CASE(where_there_is_no_file_to_be_had_the_error_says_why) {
  BOOST_TEST(error_of([&] { database db(path("no/a.db")); }).what() == path("no/a.db") + ": No such file or directory");
  write("file", "");
  BOOST_TEST(error_of([&] { database db(path("file/a.db")); }).what() == path("file/a.db") + ": Not a directory");
  std::filesystem::create_directory(path("folder"));
  BOOST_TEST(error_of([&] { database db(path("folder")); }).what() == path("folder") + ": is not a regular file");
}

BOOST_AUTO_TEST_CASE(names_that_sqlite_gives_a_meaning_are_names_of_files) {
  enter();
  for (const char* name : {":memory:", "file:b.db?mode=memory"}) {
    database(name).run("CREATE TABLE t (n)");
    BOOST_TEST(database(name).number("SELECT count(*) FROM sqlite_schema") == 1);
    BOOST_TEST(!read(name).empty());
  }
}

BOOST_AUTO_TEST_CASE(wrong_sql_is_an_error_without_the_values) {
  database db(file);
  BOOST_TEST(error_of([&] { db.prepare("SELEC 1"); }).what() == file + ": near \"SELEC\": syntax error");
  auto s = db.prepare("SELECT ?");
  const auto e = error_of([&] { s.run("a secret", "another"); });
  BOOST_TEST(e.what() == file + ": column index out of range");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sqlite_test
