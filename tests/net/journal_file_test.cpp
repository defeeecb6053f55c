// The journal's file: one answer for each request, whole or not at all, there again after a restart.
#include "net/journal_file.hpp"

#include "tests/support/folder.hpp"

#include <boost/test/unit_test.hpp>

namespace journal_file_test {

using namespace mainstay;
using namespace std::chrono_literals;

namespace {

const utc_time noon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 27} + 12h;

struct fixture : mainstay::test::folder {
  std::string where = path("journal.db");

  static journal_request request(const std::string& id, const std::string& client = "app") {
    journal_request r;
    r.client = client;
    r.id = id;
    r.fingerprint = std::string("\0\xff print", 8);
    r.name = "req_" + id;
    r.upstream_key = "the key";
    r.level = priority::low;
    r.cache = 2;
    r.kind = 1;
    r.accepted = noon;
    r.ready = noon + 1s;
    r.expires = noon + 24h;
    r.shape = "0f";
    r.body = make_bytes("{\"n\":1}");
    r.region = "eu";
    r.placeholders = "{\"[EMAIL_1]\":\"bob\"}";
    return r;
  }
  static kept_answer answer(const std::string& text, int status = 200) {
    return {status, {{"x-request-id", "req_1"}, {"x-mainstay-source", "primary"}}, make_bytes(text)};
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(journal_files, fixture)

BOOST_AUTO_TEST_CASE(what_was_committed_is_there_again_word_for_word) {
  const std::string id("any \0 bytes \xff", 13);
  {
    journal_file file(where, noon);
    auto all = file.begin();
    BOOST_TEST(file.add(request(id)) == 1);
    BOOST_TEST(file.add(request("two")) == 2);
    all->commit();
  }
  journal_file file(where, noon);
  BOOST_TEST(file.found_broken().moved_to.empty());
  const auto found = file.find("app", id);
  BOOST_TEST_REQUIRE(!!found);
  BOOST_TEST(found->fingerprint == request("").fingerprint);
  BOOST_TEST(!found->answer);
  BOOST_TEST(found->placeholders == request("").placeholders);
  BOOST_TEST(!file.find("other", id));
  const auto all = file.all_unanswered();
  BOOST_TEST_REQUIRE(all.size() == 2u);
  BOOST_TEST((all[0].level == priority::low && all[0].ready == noon + 1s && all[0].shape == "0f"));
  const auto r = file.unanswered(1);
  BOOST_TEST_REQUIRE(!!r);
  const auto asked = request(id);
  BOOST_TEST(r->id == id);
  BOOST_TEST(*r->body == *asked.body);
  BOOST_TEST(r->name == asked.name);
  BOOST_TEST(r->upstream_key == asked.upstream_key);
  BOOST_TEST((r->shape == asked.shape && r->region == asked.region));
  BOOST_TEST((r->level == asked.level && r->cache == asked.cache && r->kind == asked.kind));
  BOOST_TEST((r->accepted == asked.accepted && r->ready == asked.ready && r->expires == asked.expires));
}

BOOST_AUTO_TEST_CASE(a_file_of_the_first_version_is_brought_up_to_date_and_of_a_later_one_not_touched) {
  {
    journal_file file(where, noon);
    file.add(request("old"));
  }
  {
    sqlite::database db(where, 1s);
    db.run("ALTER TABLE requests DROP COLUMN shape; ALTER TABLE requests DROP COLUMN kind;"
           "ALTER TABLE requests DROP COLUMN region; ALTER TABLE requests DROP COLUMN placeholders;"
           "PRAGMA user_version = 1");
  }
  {
    journal_file file(where, noon);
    BOOST_TEST(file.found_broken().moved_to.empty());
    const auto old = file.unanswered(1);
    BOOST_TEST_REQUIRE(!!old);
    BOOST_TEST((old->shape == "" && old->region == ""));
    BOOST_TEST(old->kind == 0);
    BOOST_TEST(file.find("app", "old")->placeholders == "");
    BOOST_TEST(*old->body == *request("old").body);
    BOOST_TEST(file.unanswered(file.add(request("new")))->shape == "0f");
  }
  {
    sqlite::database db(where, 1s);
    BOOST_TEST(db.number("PRAGMA user_version") == 4);
    db.run("PRAGMA user_version = 5");
  }
  BOOST_CHECK_THROW(journal_file(where, noon), sqlite::error);
}

BOOST_AUTO_TEST_CASE(the_first_answer_stays_and_takes_the_requests_place) {
  journal_file file(where, noon);
  const auto n = file.add(request("a"));
  BOOST_TEST(file.answer(n, answer("first"), noon, noon + 1h));
  BOOST_TEST(!file.answer(n, answer("second"), noon, noon + 1h));
  BOOST_TEST(!file.answer(77, answer("nobody's"), noon, noon + 1h));
  const auto found = file.find("app", "a");
  BOOST_TEST_REQUIRE(!!found);
  BOOST_TEST_REQUIRE(!!found->answer);
  BOOST_TEST(found->answer->status == 200);
  BOOST_TEST(*found->answer->body == "first");
  BOOST_TEST((found->answer->headers == answer("").headers));
  BOOST_TEST(!file.unanswered(n));
  BOOST_TEST(file.all_unanswered().empty());
}

BOOST_AUTO_TEST_CASE(what_was_rolled_back_never_was) {
  journal_file file(where, noon);
  auto all = file.begin();
  file.add(request("a"));
  file.keep_repeated("k", "print", answer("x"), noon, noon + 1h);
  all.reset();
  BOOST_TEST(!file.find("app", "a"));
  BOOST_TEST(!file.find_repeated("k", noon));
}

BOOST_AUTO_TEST_CASE(an_id_belongs_to_its_client_and_is_taken_once) {
  journal_file file(where, noon);
  file.add(request("a"));
  BOOST_CHECK_THROW(file.add(request("a")), sqlite::error);
  BOOST_CHECK_NO_THROW(file.add(request("a", "another")));
}

BOOST_AUTO_TEST_CASE(what_has_expired_goes_and_those_without_an_answer_are_told) {
  journal_file file(where, noon);
  const auto open = file.add(request("open")), done = file.add(request("done")), late = file.add(request("late"));
  file.answer(done, answer("x"), noon, noon + 1h);
  file.answer(late, answer("x"), noon, noon + 48h);
  file.keep_repeated("k", "print", answer("x"), noon, noon + 1h);
  BOOST_TEST(file.expire(noon + 59min, 100).requests == 0u);
  BOOST_TEST(!!file.find_repeated("k", noon + 59min));
  BOOST_TEST(!file.find_repeated("k", noon + 1h));
  const auto gone = file.expire(noon + 24h, 100);
  BOOST_TEST(gone.requests == 2u);
  BOOST_TEST(gone.unanswered == (std::vector<std::int64_t>{open}));
  BOOST_TEST(!file.find("app", "open"));
  BOOST_TEST(!file.find("app", "done"));
  BOOST_TEST(!!file.find("app", "late"));
  BOOST_TEST(file.count().repeats == 0);
  const auto again = file.add(request("open"));
  BOOST_TEST(again > late); // a number is never given twice
}

BOOST_AUTO_TEST_CASE(a_repeated_key_keeps_its_first_answer) {
  journal_file file(where, noon);
  file.keep_repeated(std::string("app\nk\0y", 7), "print", answer("first"), noon, noon + 1h);
  file.keep_repeated(std::string("app\nk\0y", 7), "another", answer("second"), noon, noon + 1h);
  const auto found = file.find_repeated(std::string("app\nk\0y", 7), noon);
  BOOST_TEST_REQUIRE(!!found);
  BOOST_TEST(found->fingerprint == "print");
  BOOST_TEST(*found->answer->body == "first");
  const auto later = noon + 2h;
  BOOST_TEST(!file.find_repeated(std::string("app\nk\0y", 7), later));
  file.keep_repeated(std::string("app\nk\0y", 7), "new print", answer("third"), later, later + 1h); // not dropped yet
  BOOST_TEST(file.find_repeated(std::string("app\nk\0y", 7), later).value().fingerprint == "new print");
}

BOOST_AUTO_TEST_CASE(counts_and_the_latest_rows_tell_what_is_in_it) {
  journal_file file(where, noon);
  BOOST_TEST(!file.count().oldest);
  auto early = request("a");
  early.accepted = noon - 1h;
  file.add(early);
  file.add(request("b"));
  file.answer(file.add(request("c")), answer("x", 404), noon, noon + 1h);
  const auto f = file.count();
  BOOST_TEST(f.requests == 3);
  BOOST_TEST(f.answered == 1);
  BOOST_TEST_REQUIRE(!!f.oldest);
  BOOST_TEST((*f.oldest == noon - 1h));
  BOOST_TEST(f.bytes > 0u);
  const auto rows = file.latest(2);
  BOOST_TEST_REQUIRE(rows.size() == 2u);
  BOOST_TEST((rows[0].id == "c" && rows[0].status == 404));
  BOOST_TEST((rows[1].id == "b" && rows[1].status == 0));
}

BOOST_AUTO_TEST_CASE(a_large_body_and_an_empty_one_come_back_as_they_were) {
  journal_file file(where, noon);
  auto large = request("large"), empty = request("empty");
  large.body = make_bytes(std::string(3 << 20, 'x'));
  empty.body = make_bytes("");
  const auto a = file.add(large), b = file.add(empty);
  BOOST_TEST(file.unanswered(a)->body->size() == std::size_t{3} << 20);
  BOOST_TEST(file.unanswered(b)->body->empty());
  file.answer(a, answer(std::string(1 << 20, 'y')), noon, noon + 1h);
  BOOST_TEST(file.find("app", "large")->answer->body->size() == std::size_t{1} << 20);
}

BOOST_AUTO_TEST_CASE(a_sign_is_written_again_and_again) {
  journal_file file(where, noon);
  for (int i = 0; i < 3; ++i) {
    const auto all = file.begin();
    file.write_a_sign(noon + 1s * i);
    BOOST_CHECK_NO_THROW(all->commit());
  }
}

BOOST_AUTO_TEST_CASE(header_lines_are_read_as_they_were_written) {
  const header_list headers{{"a", "b: c"}, {"empty", ""}, {"x-y", "z"}};
  BOOST_TEST((headers_in(lines_of(headers)) == headers));
  BOOST_TEST(headers_in("").empty());
  BOOST_TEST(headers_in("no colon\n").empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace journal_file_test
