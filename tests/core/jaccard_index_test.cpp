// The index finds exactly what comparing with every set finds, and soon.
#include "core/jaccard_index.hpp"
#include "core/lexical_answers.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>
#include <random>

namespace jaccard_index_test {

using namespace mainstay;

namespace {

using sets = std::map<std::uint32_t, std::pair<std::uint64_t, std::vector<question::feature>>>; // by id, with its group

struct by_hand {
  std::vector<jaccard_index::match> found;
  by_hand(const sets& all, std::uint64_t group, const std::vector<question::feature>& sought, double threshold) {
    std::map<std::uint64_t, std::size_t> having;
    std::size_t count = 0;
    for (auto& [id, s] : all) {
      if (s.first != group) continue;
      ++count;
      for (auto& f : s.second) ++having[f.what];
    }
    const auto weight = [&](const question::feature& f) {
      const auto h = std::max<std::size_t>(1, having.count(f.what) ? having.at(f.what) : 0);
      return f.base * (1u + static_cast<std::uint32_t>(std::bit_width(count) - std::bit_width(h)));
    };
    for (auto& [id, s] : all) {
      if (s.first != group) continue;
      std::uint64_t both = 0, either = 0;
      for (auto& f : s.second) either += weight(f);
      for (auto& f : sought)
        (std::find(s.second.begin(), s.second.end(), f) != s.second.end() ? both : either) += weight(f);
      const auto score = static_cast<double>(both) / static_cast<double>(either);
      if (score >= threshold) found.push_back({id, score});
    }
  }
};

std::vector<question::feature> some_features(std::mt19937& draw, unsigned vocabulary, unsigned most) {
  std::map<std::uint64_t, std::uint32_t> out;
  const auto n = 1 + draw() % most;
  for (unsigned i = 0; i < n; ++i) { // small numbers are common, as words are
    const auto x = static_cast<double>(draw()) / static_cast<double>(std::mt19937::max());
    const auto what = static_cast<std::uint64_t>(vocabulary * x * x * x);
    out[what] = what % 3 ? 4 : 1;
  }
  std::vector<question::feature> list;
  for (auto& [what, base] : out) list.push_back({what, base});
  return list;
}

} // namespace

BOOST_AUTO_TEST_SUITE(jaccard)

BOOST_AUTO_TEST_CASE(it_finds_exactly_what_comparing_with_all_finds_while_sets_come_and_go) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::mt19937 draw(seed);
    jaccard_index index;
    sets all;
    const unsigned vocabulary = seed % 3 == 0 ? 12 : 200;
    for (int step = 0; step < 1500; ++step) {
      const std::uint32_t id = draw() % 300;
      if (all.count(id)) {
        index.remove(id);
        all.erase(id);
      } else {
        all[id] = {draw() % 3, some_features(draw, vocabulary, 12)};
        index.add(id, all[id].first, all[id].second);
      }
      BOOST_REQUIRE(index.size() == all.size());
      if (step % 5) continue;
      const auto group = draw() % 4;
      const auto sought = some_features(draw, vocabulary, 12);
      const auto threshold = 0.1 + 0.1 * (draw() % 10);
      auto expected = by_hand(all, group, sought, threshold).found;
      auto got = index.find(group, sought, threshold, 1000);
      BOOST_REQUIRE(!index.cut_short());
      BOOST_REQUIRE(std::is_sorted(got.begin(), got.end(), [](auto& a, auto& b) { return a.score > b.score; }));
      const auto by_id = [](auto& a, auto& b) { return a.id < b.id; };
      std::sort(got.begin(), got.end(), by_id);
      std::sort(expected.begin(), expected.end(), by_id);
      BOOST_REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        BOOST_REQUIRE(got[i].id == expected[i].id);
        BOOST_REQUIRE(got[i].score == expected[i].score);
      }
      auto best = index.find(group, sought, threshold, 1);
      BOOST_REQUIRE(best.size() == std::min<std::size_t>(1, expected.size()));
      for (auto& e : expected) BOOST_REQUIRE(best.front().score >= e.score);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_left_of_removed_sets_is_given_back) {
  jaccard_index index;
  std::mt19937 draw(5);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t id = 0; id < 1000; ++id) index.add(id, id % 7, some_features(draw, 500, 20));
    for (std::uint32_t id = 0; id < 1000; ++id) index.remove(id);
  }
  BOOST_TEST(index.size() == 0u);
  BOOST_TEST(index.bytes() <= 1000u * 64);
}

namespace {

// Words as they are in a language: the i-th commonest comes 1/i as often as the commonest. Three kinds of traffic.
struct traffic {
  std::mt19937 draw{17};
  std::vector<double> sums;
  explicit traffic(unsigned words) {
    double sum = 0;
    for (unsigned i = 1; i <= words; ++i) sums.push_back(sum += 1.0 / i);
  }
  std::string word() {
    const auto x = sums.back() * static_cast<double>(draw()) / static_cast<double>(std::mt19937::max());
    auto i = static_cast<unsigned>(std::lower_bound(sums.begin(), sums.end(), x) - sums.begin());
    std::string out;
    for (++i; i; i /= 20) out += "bcdfghjklmnpqrstvwxz"[i % 20], out += "aeiou"[i % 5];
    return out;
  }
  std::string sentence(unsigned length) {
    std::string out;
    for (unsigned i = 0; i < length; ++i) out += word() + " ";
    return out;
  }
  std::string question() { return "how do i " + sentence(4 + draw() % 12); }
  std::string in_a_form() {
    return "please summarise the following report for the board in plain words and keep every figure as it stands in "
           "the "
           "original text about " +
           sentence(3 + draw() % 3);
  }
};

struct times {
  double mean = 0, p99 = 0, worst = 0; // milliseconds
};

template <class Ask>
times measure(Ask ask, int rounds) {
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) {
    const auto began = std::chrono::steady_clock::now();
    ask();
    all.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
  }
  std::sort(all.begin(), all.end());
  times t;
  for (auto x : all) t.mean += x / static_cast<double>(all.size());
  t.p99 = all[all.size() * 99 / 100];
  t.worst = all.back();
  return t;
}

#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
constexpr double slow = 20;
constexpr std::size_t many = 10'000; // or the tests take minutes
#else
constexpr double slow = 1;
constexpr std::size_t many = 100'000;
#endif

void look_up_among_100000(const char* what, std::string (traffic::*make)(), unsigned words) {
  traffic t(words);
  lexical_answers all({});
  const auto answer = std::make_shared<const std::string>(1000, 'x');
  const auto now = instant{} + 1h;
  std::vector<std::string> kept;
  const auto began = std::chrono::steady_clock::now();
  while (all.size() < many) {
    auto q = (t.*make)();
    if (all.put("p", q, answer, now) && kept.size() < 1000) kept.push_back(q);
  }
  const auto each = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count() / many;
  std::size_t hits = 0, i = 0;
  const auto took = measure(
      [&] { // in turn a new question and one that is there in other words
        const auto q = ++i % 2 ? (t.*make)() : kept[i % kept.size()] + " please";
        hits += all.find("p", q, 0.6, now).answer != nullptr;
      },
      2000);
  BOOST_TEST_MESSAGE(what << ": mean " << took.mean << " ms, p99 " << took.p99 << " ms, worst " << took.worst << " ms; "
                          << hits << " of 2000 found, " << all.cut_short() << " cut short; " << each
                          << " us to put one; " << (all.bytes() >> 20) << " MiB");
  BOOST_TEST(hits >= 900u); // of the thousand that are there
  BOOST_TEST(took.mean < 2 * slow);
  BOOST_TEST(took.p99 < 6 * slow); // the machine has others to serve
}

} // namespace

BOOST_AUTO_TEST_CASE(a_look_up_among_100000_questions_takes_less_than_two_milliseconds) {
  look_up_among_100000("questions", &traffic::question, 50'000);
}

BOOST_AUTO_TEST_CASE(also_where_all_words_are_common) { look_up_among_100000("few words", &traffic::question, 300); }

BOOST_AUTO_TEST_CASE(also_where_all_questions_have_one_form) {
  look_up_among_100000("one form", &traffic::in_a_form, 50'000);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace jaccard_index_test
