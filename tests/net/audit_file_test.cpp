// The audit's file: where it goes on, and that a line is in it whole and once.
#include "net/audit_file.hpp"

#include "tests/support/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

namespace audit_file_test {

using namespace mainstay;

namespace {

const utc_time noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 4) + 12h;

std::vector<audit_entry> entries(int n) {
  std::vector<audit_entry> out;
  for (int i = 0; i < n; ++i) {
    auto& e = out.emplace_back();
    e.time = noon;
    e.request_id = "r-" + std::to_string(i);
    e.cost_usd = 0.25;
  }
  return out;
}

/// Faults of what is in the file and the rotated ones; `lines` is how many there are.
std::vector<std::string> verify(const std::string& path, std::uint64_t& lines) {
  audit_verifier v(audit_file::digest);
  std::vector<std::string> out;
  const auto told = [&](const audit_fault& f) { out.push_back(to_string(f)); };
  auto all = audit_file::rotated(path);
  all.push_back(path);
  for (auto& name : all) {
    std::ifstream in(name, std::ios::binary);
    v.read(std::string(std::istreambuf_iterator<char>(in), {}), told);
    v.end_file(told);
  }
  lines = v.lines();
  return out;
}

void check(const std::string& path, std::uint64_t expected) {
  std::uint64_t lines = 0;
  const auto found = verify(path, lines);
  BOOST_TEST(found.empty(), (found.empty() ? "" : found[0]));
  BOOST_TEST(lines == expected);
}

/// No file may be larger, as on a full disk.
class file_limit {
public:
  explicit file_limit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~file_limit() { setrlimit(RLIMIT_FSIZE, &before_); }

private:
  rlimit before_{};
};

} // namespace

BOOST_AUTO_TEST_CASE(the_digest_is_the_one_of_the_contract) {
  BOOST_TEST(audit_file::digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_CASE(a_new_file_is_its_owners_alone_and_another_process_may_not_write_it) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  audit_file f(path, noon);
  f.append(entries(3));
  struct stat found {};
  BOOST_REQUIRE(::stat(path.c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 0777) == 0600u);
  BOOST_CHECK_EXCEPTION(audit_file(path, noon), audit_file_error, [](auto& e) {
    return std::string(e.what()).find("another process is writing it") != std::string::npos;
  });
  check(path, 3);
}

BOOST_AUTO_TEST_CASE(who_opens_it_again_goes_on_with_the_chain) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  for (int i = 0; i < 4; ++i) {
    audit_file f(path, noon);
    BOOST_TEST(f.head().seq == static_cast<std::uint64_t>(2 * i));
    f.append(entries(2));
  }
  check(path, 8);
}

BOOST_AUTO_TEST_CASE(the_chain_goes_on_over_rotated_files_also_when_the_new_one_is_still_empty) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  {
    audit_file f(path, noon);
    f.append(entries(2));
    f.rotate();
    f.append(entries(3));
    f.rotate();
    BOOST_TEST(f.size() == 0u);
  }
  BOOST_TEST(audit_file::rotated(path) == (std::vector<std::string>{path + ".000001", path + ".000002"}),
             boost::test_tools::per_element());
  std::filesystem::remove(path); // a crash between the two steps of a rotation
  audit_file f(path, noon);
  BOOST_TEST(f.head().seq == 5u);
  f.append(entries(1));
  check(path, 6);
}

BOOST_AUTO_TEST_CASE(other_files_beside_it_are_none_of_its) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  for (auto* name : {"audit.jsonl.1", "audit.jsonl.gz", "audit.jsonl.torn-2026", "audit.jsonl.00000x", "b.000001"})
    dir.write(name, "?\n");
  BOOST_TEST(audit_file::rotated(path).empty());
  audit_file f(path, noon);
  BOOST_TEST(f.head().seq == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_of_a_line_is_cut_off_and_kept) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  { audit_file(path, noon).append(entries(3)); }
  const auto whole = dir.read("audit.jsonl");
  const auto last = whole.rfind('\n', whole.size() - 2) + 1;
  for (auto cut = last; cut < whole.size(); cut += 13) {
    dir.write("audit.jsonl", whole.substr(0, cut));
    audit_file f(path, noon);
    BOOST_TEST(f.head().seq == 2u);
    BOOST_TEST(f.torn_part() == (cut == last ? "" : path + ".torn-2026-03-04T12-00-00Z"));
    if (cut != last) BOOST_TEST(dir.read("audit.jsonl.torn-2026-03-04T12-00-00Z") == whole.substr(last, cut - last));
    f.append(entries(1));
    check(path, 3);
    std::filesystem::remove(path + ".torn-2026-03-04T12-00-00Z");
  }
}

BOOST_AUTO_TEST_CASE(a_first_line_that_is_torn_leaves_a_new_chain) {
  const test::folder dir;
  dir.write("audit.jsonl", R"({"seq":1,"ti)");
  audit_file f(dir.path("audit.jsonl"), noon);
  BOOST_TEST(f.head().seq == 0u);
  f.append(entries(1));
  check(dir.path("audit.jsonl"), 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_audit_is_not_touched) {
  const test::folder dir;
  for (const std::string text : {"a letter to my aunt\n",
                                 R"({"seq":1})"
                                 "\n",
                                 "\n",
                                 R"({"seq":1,"hash":"x"})"
                                 "\n"}) {
    dir.write("audit.jsonl", text);
    BOOST_CHECK_THROW(audit_file(dir.path("audit.jsonl"), noon), audit_file_error);
    BOOST_TEST(dir.read("audit.jsonl") == text);
  }
  BOOST_CHECK_THROW(audit_file(dir.path("no/such/folder/audit.jsonl"), noon), audit_file_error);
  BOOST_CHECK_THROW(audit_file("/dev/null", noon), audit_file_error);
}

BOOST_AUTO_TEST_CASE(a_batch_that_does_not_fit_leaves_nothing_and_is_written_when_there_is_room) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  audit_file f(path, noon);
  f.append(entries(2));
  const auto size = f.size();
  {
    const file_limit full(size + 500); // a line and a half
    BOOST_CHECK_THROW(f.append(entries(3)), audit_file_error);
    BOOST_TEST(std::filesystem::file_size(path) == size);
    BOOST_CHECK_THROW(f.append(entries(3)), audit_file_error);
  }
  f.append(entries(3));
  f.sync();
  check(path, 5);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_taken_away_is_noticed_and_a_new_one_goes_on) {
  const test::folder dir;
  const auto path = dir.path("audit.jsonl");
  audit_file f(path, noon);
  f.append(entries(2));
  BOOST_TEST(f.in_place());
  std::filesystem::rename(path, path + ".000001"); // as logrotate does
  BOOST_TEST(!f.in_place());
  f.append(entries(1));
  f.open_again();
  BOOST_TEST(f.in_place());
  f.append(entries(1));
  check(path, 4);
}

} // namespace audit_file_test
