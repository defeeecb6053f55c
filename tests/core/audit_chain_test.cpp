// The audit's chain: what its lines look like, and that nothing can be done to them unseen.
#include "core/audit_chain.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <random>

namespace audit_chain_test {

using namespace mainstay;

namespace {

/// In place of SHA-256, which the core does not have: as long, and other for every other text (FNV-1a, four times).
std::string digest(std::string_view text) {
  std::string out;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    std::uint64_t hash = 14695981039346656037u * seed;
    for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    out += digits;
  }
  return out;
}

const utc_time noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 4) + 12h + 5ms;

audit_entry entry(int i = 0) {
  audit_entry e;
  e.time = noon + std::chrono::seconds(i);
  e.request_id = "r-" + std::to_string(i);
  e.client = "app";
  e.model = "smart";
  e.provider = "openai";
  e.source = "primary";
  e.outcome = "ok";
  e.status = 200;
  e.input_tokens = 10 + static_cast<std::uint64_t>(i);
  e.output_tokens = 20;
  e.cost_usd = 0.00015;
  return e;
}

using files = std::vector<std::string>;

/// So many lines in each file.
files chain(const std::vector<int>& sizes) {
  files out;
  audit_head head;
  int i = 0;
  for (int n : sizes) {
    auto& f = out.emplace_back();
    for (int k = 0; k < n; ++k, ++i) {
      auto e = entry(i);
      if (i == 4) e.lost = 3;
      if (i == 5) e.cost_usd.reset();
      f += audit_line(e, head, digest) + "\n";
    }
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from < file.size();) {
    const auto end = file.find('\n', from);
    out.push_back(file.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

std::vector<std::string> verify(const files& all, std::size_t piece = 1u << 20,
                                audit_verifier v = audit_verifier(digest)) {
  std::vector<std::string> out;
  for (std::size_t n = 0; n < all.size(); ++n) {
    const auto told = [&](const audit_fault& f) { out.push_back(std::to_string(n) + " " + to_string(f)); };
    for (std::size_t at = 0; at < all[n].size(); at += piece) v.read(std::string_view(all[n]).substr(at, piece), told);
    v.end_file(told);
  }
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (auto& l : lines) out += l + "\n";
  return out;
}

using said = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(a_line_has_the_contracts_members_in_its_order) {
  audit_head head{41, std::string(64, 'a')};
  auto e = entry();
  const auto line = audit_line(e, head, digest);
  const std::string without = R"({"seq":42,"time":"2026-03-04T12:00:00.005Z","request_id":"r-0","client":"app",)"
                              R"("model":"smart","provider":"openai","source":"primary","outcome":"ok","status":200,)"
                              R"("input_tokens":10,"output_tokens":20,"cost_usd":0.00015,"prev":")" +
                              std::string(64, 'a') + R"("})";
  BOOST_TEST(line == without.substr(0, without.size() - 1) + R"(,"hash":")" + digest(without) + R"("})");
  BOOST_TEST(head.seq == 42u);
  BOOST_TEST(head.hash == digest(without));
}

BOOST_AUTO_TEST_CASE(a_change_stands_in_the_chain_as_a_request_does_with_who_what_and_how_it_ended) {
  audit_head head{41, std::string(64, 'a')};
  audit_entry e;
  e.time = noon;
  e.outcome = "ok";
  e.cost_usd = 0;
  const auto of = [](audit_change c) { return std::make_shared<const audit_change>(std::move(c)); };
  e.change = of({"console", "clients create", "shop", "--rpm 5", ""});
  const std::string without = R"({"seq":42,"time":"2026-03-04T12:00:00.005Z","request_id":"","client":"","model":"",)"
                              R"("provider":"","source":"","outcome":"ok","status":0,"input_tokens":0,)"
                              R"("output_tokens":0,"cost_usd":0,"who":"console","change":"clients create",)"
                              R"("name":"shop","with":"--rpm 5","prev":")" +
                              std::string(64, 'a') + R"("})";
  const auto first = audit_line(e, head, digest);
  BOOST_TEST(first == without.substr(0, without.size() - 1) + R"(,"hash":")" + digest(without) + R"("})");
  e.change = of({"signal", "reload", "", "", "line 3:\nis wrong"});
  e.lost = 2;
  const auto second = audit_line(e, head, digest);
  BOOST_TEST(second.find(R"("cost_usd":0,"who":"signal","change":"reload","name":"",)"
                         R"("why":"line 3:\u000ais wrong","lost":2,"prev":)") != second.npos);
  const auto all = first + "\n" + second + "\n" + audit_line(entry(), head, digest) + "\n";
  BOOST_TEST(verify({all}, 7, audit_verifier(digest, {41, std::string(64, 'a')})) == said{},
             boost::test_tools::per_element());
  auto forged = all;
  forged.replace(forged.find("--rpm 5"), 7, "--rpm 9");
  BOOST_TEST(verify({forged}, 100, audit_verifier(digest, {41, std::string(64, 'a')})).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_change_of_the_longest_texts_is_a_line_that_can_be_verified) {
  audit_head head;
  audit_entry e;
  const std::string longest(longest_of_change, '\x01'); // an escape takes six times its character
  e.change = std::make_shared<const audit_change>(audit_change{longest, longest, longest, longest, longest});
  BOOST_TEST(verify({audit_line(e, head, digest) + "\n"}).empty());
}

BOOST_AUTO_TEST_CASE(a_cost_that_nobody_knows_is_null_and_lost_lines_are_told) {
  audit_head head;
  auto e = entry();
  e.cost_usd.reset();
  e.lost = 7;
  const auto line = audit_line(e, head, digest);
  BOOST_TEST(line.find(R"("cost_usd":null,"lost":7,"prev":"","hash":")") != line.npos);
  const auto marks = read_audit_line(line);
  BOOST_REQUIRE(marks);
  BOOST_TEST(marks->lost == 7u);
  BOOST_TEST(marks->seq == 1u);
  BOOST_TEST(marks->prev == "");
  BOOST_TEST(marks->hash == head.hash);
}

BOOST_AUTO_TEST_CASE(whatever_stands_in_a_name_the_line_is_one_and_is_found_whole) {
  audit_head head;
  auto e = entry();
  e.client = "a\"b\\c\nd\xff,\"hash\":\"";
  e.model = R"(","prev":"","lost":9)";
  const auto line = audit_line(e, head, digest);
  BOOST_TEST(line.find('\n') == line.npos);
  BOOST_TEST(line.find(R"("client":"a\"b\\c\u000ad?,\"hash\":\"",)") != line.npos);
  BOOST_TEST(verify({line + "\n"}) == said{}, boost::test_tools::per_element());
  BOOST_TEST(read_audit_line(line)->lost == 0u);
}

BOOST_AUTO_TEST_CASE(a_whole_chain_has_no_fault_over_files_and_in_pieces_of_any_size) {
  const auto all = chain({5, 4, 0, 3});
  for (std::size_t piece : {1, 2, 7, 100, 1'000'000}) BOOST_TEST(verify(all, piece).empty());
  audit_verifier v(digest);
  for (auto& f : all) {
    v.read(f, [](auto&) {});
    v.end_file([](auto&) {});
  }
  BOOST_TEST(v.lines() == 12u);
  BOOST_TEST(v.first_seq() == 1u);
  BOOST_TEST(v.head().seq == 12u);
  BOOST_TEST(v.lost() == 3u);
  BOOST_TEST(v.first_time() == "2026-03-04T12:00:00.005Z");
  BOOST_TEST(v.last_time() == "2026-03-04T12:00:11.005Z");
}

BOOST_AUTO_TEST_CASE(every_change_of_a_byte_is_found_in_its_line) {
  const auto all = chain({3, 2, 2});
  for (std::size_t n = 0; n < all.size(); ++n) {
    std::uint64_t line = 1;
    for (std::size_t at = 0; at < all[n].size(); ++at) {
      std::string others;
      for (int bit = 0; bit < 8; ++bit) others += static_cast<char>(all[n][at] ^ (1 << bit));
      others += std::string("\0\n\"0fZ", 6);
      for (const char other : others) {
        if (other == all[n][at]) continue;
        auto changed = all;
        changed[n][at] = other;
        const auto found = verify(changed);
        const auto place = std::to_string(n) + " line " + std::to_string(line) + ": ";
        if (found.empty() || !found[0].starts_with(place))
          BOOST_ERROR("byte " << at << " of file " << n << ": " << (found.empty() ? "not found" : found[0]));
      }
      if (all[n][at] == '\n') ++line;
    }
  }
}

BOOST_AUTO_TEST_CASE(every_byte_that_is_gone_or_added_is_found) {
  const auto all = chain({3, 2});
  for (std::size_t n = 0; n < all.size(); ++n)
    for (std::size_t at = 0; at < all[n].size(); ++at) {
      auto shorter = all, longer = all;
      shorter[n].erase(at, 1);
      longer[n].insert(at, 1, all[n][at] == '\n' ? '\n' : '0');
      BOOST_TEST_REQUIRE(!verify(shorter).empty());
      BOOST_TEST_REQUIRE(!verify(longer).empty());
    }
}

/// The end of a chain is seen by nobody who has only the chain.
BOOST_AUTO_TEST_CASE(lines_that_were_removed_are_found_and_counted_but_for_the_last_ones) {
  const auto all = chain({4, 3, 3});
  for (std::size_t n = 0; n < all.size(); ++n) {
    const auto lines = lines_of(all[n]);
    for (std::size_t from = 0; from < lines.size(); ++from)
      for (std::size_t count = 1; from + count <= lines.size(); ++count) {
        auto cut = all;
        auto left = lines;
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(from),
                   left.begin() + static_cast<std::ptrdiff_t>(from + count));
        cut[n] = joined(left);
        const auto found = verify(cut);
        if (n + 1 == all.size() && from + count == lines.size()) {
          BOOST_TEST(found.empty());
          continue;
        }
        const bool at_end = from + count == lines.size();
        const auto place = at_end ? std::to_string(n + 1) + " line 1: "
                                  : std::to_string(n) + " line " + std::to_string(from + 1) + ": ";
        const auto what =
            count == 1 ? "the line before it is missing" : std::to_string(count) + " lines before it are missing";
        BOOST_TEST(found == said{place + what}, boost::test_tools::per_element());
      }
  }
}

BOOST_AUTO_TEST_CASE(lines_that_changed_places_or_stand_there_twice_are_found) {
  const auto all = chain({4, 4});
  const auto first = lines_of(all[0]), second = lines_of(all[1]);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j) {
      auto lines = first;
      lines.insert(lines.end(), second.begin(), second.end());
      const auto half = [&](std::size_t from, std::size_t to) {
        return joined(
            {lines.begin() + static_cast<std::ptrdiff_t>(from), lines.begin() + static_cast<std::ptrdiff_t>(to)});
      };
      if (i != j) {
        std::swap(lines[i], lines[j]);
        BOOST_TEST(!verify({half(0, 4), half(4, 8)}).empty());
        std::swap(lines[i], lines[j]);
      }
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(j), lines[i]);
      BOOST_TEST(!verify({half(0, 4), half(4, 9)}).empty());
    }
  BOOST_TEST(verify({all[0] + first[3] + "\n", all[1]}) == said{"0 line 5: stood here before, or belongs further up"},
             boost::test_tools::per_element());
  BOOST_TEST(!verify({all[1], all[0]}).empty());
}

/// Who knows the rule can make a line anew, but not what follows it.
BOOST_AUTO_TEST_CASE(a_line_made_anew_does_not_fit_the_next_one) {
  const auto all = chain({5});
  auto lines = lines_of(all[0]);
  audit_head head{2, std::string(read_audit_line(lines[1])->hash)};
  auto e = entry(2);
  e.cost_usd = 0;
  lines[2] = audit_line(e, head, digest);
  BOOST_TEST(verify({joined(lines)}) == said{"0 line 4: does not follow the line before it: one of them was replaced"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_line_without_an_end_is_told_and_so_is_what_is_no_line_at_all) {
  const auto all = chain({3});
  BOOST_TEST(verify({all[0].substr(0, all[0].size() - 1)}) == said{"0 line 3: is not whole: it has no end"},
             boost::test_tools::per_element());
  BOOST_TEST(verify({all[0] + "\n"}) == said{"0 line 4: is no line of an audit"}, boost::test_tools::per_element());
  const std::string long_one(200'000, 'x');
  BOOST_TEST(verify({long_one + "\n" + all[0]}, 1000) ==
                 (said{"0 line 1: is no line of an audit", "0 line 2: stood here before, or belongs further up"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(several_faults_are_all_told_once_each) {
  const auto all = chain({8});
  auto lines = lines_of(all[0]);
  lines[1][20] ^= 1;
  lines[4] = "{}";
  lines.erase(lines.begin() + 6);
  BOOST_TEST(verify({joined(lines)}) ==
                 (said{"0 line 2: was changed: its hash is another", "0 line 5: is no line of an audit",
                       "0 line 7: the line before it is missing"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_chain_whose_beginning_is_elsewhere_follows_the_hash_that_is_given) {
  const auto all = chain({4, 4});
  const auto before = std::string(read_audit_line(lines_of(all[0])[3])->hash);
  BOOST_TEST(verify({all[1]}) == said{"0 line 1: 4 lines before it are missing"}, boost::test_tools::per_element());
  BOOST_TEST(verify({all[1]}, 100, audit_verifier::after(digest, before)).empty());
  auto lines = lines_of(all[1]);
  lines.erase(lines.begin() + 1);
  BOOST_TEST(verify({joined(lines)}, 100, audit_verifier::after(digest, before)) ==
                 said{"0 line 2: the line before it is missing"},
             boost::test_tools::per_element());
  BOOST_TEST(verify({all[1]}, 100, audit_verifier::after(digest, std::string(64, '0'))) ==
                 said{"0 line 1: does not follow the line before it: one of them was replaced"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_request_stands_in_its_line_whatever_it_says) {
  auto e = entry();
  e.request = "{\"a\":\"\\n\",\"prev\":\"x\",\"lost\":9}\x01 \xc3\xa4 \xe6\xbc\xa2 \xff.";
  audit_head head;
  const auto line = audit_line(e, head, digest);
  BOOST_TEST(line.find(R"(,"request":"{\"a\":\"\\n\",\"prev\":\"x\",\"lost\":9}\u0001 )"
                       "\xc3\xa4 \xe6\xbc\xa2 ?.\",\"prev\":") != line.npos);
  const auto marks = read_audit_line(line);
  BOOST_REQUIRE(marks.has_value());
  BOOST_TEST((marks->seq == 1u && marks->lost == 0u && marks->prev.empty() && marks->hash == head.hash));
  audit_verifier judge(digest);
  std::vector<audit_fault> faults;
  const auto told = [&](const audit_fault& f) { faults.push_back(f); };
  e.request = std::string(16u << 10, '\x01'); // the longest there is
  judge.read(line + "\n" + audit_line(e, head, digest) + "\n", told);
  judge.end_file(told);
  BOOST_TEST((faults.empty() && judge.lines() == 2u));
}

BOOST_AUTO_TEST_CASE(a_long_request_is_cut_between_two_characters) {
  const std::string sign = "\xe6\xbc\xa2";
  std::string text;
  while (text.size() <= 20'000) text += sign;
  const auto cut = audit_text(text);
  BOOST_TEST((cut.size() <= (16u << 10) && cut.size() > (16u << 10) - 3 && cut.size() % 3 == 0));
  BOOST_TEST(audit_text("short") == "short");
}

BOOST_AUTO_TEST_CASE(nothing_that_is_read_makes_the_verifier_fall_over) {
  std::mt19937 random(7);
  const auto all = chain({6})[0];
  for (int i = 0; i < 2000; ++i) {
    auto text = all;
    for (int k = 0; k < 20; ++k) {
      const auto at = random() % text.size();
      if (random() % 3 == 0) text.erase(at, random() % 40);
      if (text.empty()) break;
      text[std::min(at, text.size() - 1)] = static_cast<char>(random());
    }
    BOOST_TEST_REQUIRE((text.empty() || text == all || !verify({text}, 1 + random() % 500).empty()));
  }
}

} // namespace audit_chain_test
