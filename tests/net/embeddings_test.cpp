// Embeddings: the request, the answer, the search, and what stays apart however near it is.
#include "net/embedded_answers.hpp"
#include "net/embeddings.hpp"
#include "net/similar_question.hpp"
#include "net/vector_index.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

namespace embeddings_test {

using namespace mainstay;

namespace {

std::vector<float> random_vector(std::mt19937& draw, std::size_t dimensions) {
  std::normal_distribution<float> normal;
  std::vector<float> out(dimensions);
  for (auto& x : out) x = normal(draw);
  return out;
}

std::vector<float> near_to(std::vector<float> v, std::mt19937& draw, float by) {
  std::normal_distribution<float> normal;
  for (auto& x : v) x += by * normal(draw);
  return v;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    ab += double(a[i]) * b[i], aa += double(a[i]) * a[i], bb += double(b[i]) * b[i];
  return ab / std::sqrt(aa * bb);
}

const auto now = instant{} + 1h;
auto answer(const char* text) { return std::make_shared<const std::string>(text); }

} // namespace

BOOST_AUTO_TEST_SUITE(embeddings)

BOOST_AUTO_TEST_CASE(a_request_names_model_and_text_and_asks_for_numbers) {
  BOOST_TEST(embeddings_request("m", "a \"b\"\n") == R"({"model":"m","input":"a \"b\"\n","encoding_format":"float"})");
}

BOOST_AUTO_TEST_CASE(an_answer_is_one_vector) {
  const auto got = read_embedding(
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1e-2,3]}],"usage":{"prompt_tokens":7,"total_tokens":7}})");
  BOOST_REQUIRE(got);
  BOOST_TEST(got->values == (std::vector<float>{0.5f, -0.01f, 3.0f}), boost::test_tools::per_element());
  BOOST_TEST(got->tokens == 7u);
  BOOST_TEST(read_embedding(R"({"data":[{"embedding":[1,1e-60]}]})")->values[1] == 0);
}

BOOST_AUTO_TEST_CASE(whatever_else_comes_is_none) {
  for (auto* text :
       {"", "{}", "[]", R"({"data":[]})", R"({"data":[{"embedding":[]}]})", R"({"data":[{"embedding":[0,0]}]})",
        R"({"data":[{"embedding":"AAAA"}]})", R"({"data":[{"embedding":[1,"2"]}]})",
        R"({"data":[{"embedding":[1,null]}]})", R"({"data":[{"embedding":[1]},{"embedding":[1]}]})",
        R"({"error":{"message":"no"}})", R"({"data":[{"embedding":[1e60]}]})", R"({"data":[{"embedding":[1]})"})
    BOOST_TEST(!read_embedding(text), text);
  std::string much = R"({"data":[{"embedding":[1)";
  for (int i = 0; i < 9000; ++i) much += ",1";
  BOOST_TEST(!read_embedding(much + "]}]}"));
}

BOOST_AUTO_TEST_CASE(a_small_group_is_searched_exactly_while_vectors_come_and_go) {
  std::mt19937 draw(3);
  vector_index index(24);
  std::map<std::uint32_t, std::pair<std::uint64_t, std::vector<float>>> all;
  for (int step = 0; step < 3000; ++step) {
    const std::uint32_t id = draw() % 200;
    if (all.count(id)) {
      index.remove(id);
      all.erase(id);
    } else {
      all[id] = {draw() % 3, random_vector(draw, 24)};
      index.add(id, all[id].first, all[id].second);
    }
    if (step % 10) continue;
    const auto group = draw() % 4;
    const auto sought = random_vector(draw, 24);
    std::vector<std::pair<double, std::uint32_t>> expected;
    for (auto& [i, v] : all)
      if (const auto c = cosine(v.second, sought); v.first == group && c >= 0.2) expected.emplace_back(-c, i);
    std::sort(expected.begin(), expected.end());
    const auto got = index.find(group, sought, 0.2, 1000);
    BOOST_REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) BOOST_REQUIRE(got[i].id == expected[i].second);
  }
  BOOST_TEST(index.size() == all.size());
}

BOOST_AUTO_TEST_CASE(a_large_group_finds_what_is_near_soon_and_what_left_never) {
  std::mt19937 draw(4);
  constexpr std::uint32_t many = 5000, dimensions = 64;
  vector_index index(dimensions, 500);
  std::vector<std::vector<float>> all;
  for (std::uint32_t i = 0; i < many; ++i) {
    all.push_back(random_vector(draw, dimensions));
    index.add(i, 1, all.back());
  }
  const auto found = [&](std::uint32_t who) {
    const auto got = index.find(1, near_to(all[who], draw, 0.1f), 0.95, 16);
    return !got.empty() && got.front().id == who;
  };
  int right = 0;
  for (std::uint32_t i = 0; i < many; i += 10) right += found(i);
  BOOST_TEST(right >= 490);
  for (std::uint32_t i = 0; i < many; i += 2) index.remove(i);
  for (std::uint32_t i = 0; i < many; i += 10) BOOST_TEST(!found(i));
  right = 0;
  for (std::uint32_t i = 1; i < many; i += 10) right += found(i);
  BOOST_TEST(right >= 490);
  for (std::uint32_t i = 0; i < many; i += 2) index.add(i, 1, all[i] = random_vector(draw, dimensions));
  right = 0;
  for (std::uint32_t i = 0; i < many; i += 10) right += found(i);
  BOOST_TEST(right >= 480);
  BOOST_TEST(index.find(2, all[1], 0.1, 16).empty());
  for (std::uint32_t i = 0; i < many; ++i) index.remove(i);
  BOOST_TEST(index.find(1, all[1], 0.1, 16).empty());
}

BOOST_AUTO_TEST_CASE(a_group_that_has_lost_most_of_its_vectors_gives_their_memory_back_bit_by_bit) {
  std::mt19937 draw(5);
  constexpr std::uint32_t many = 5000, dimensions = 32;
  vector_index index(dimensions, 500);
  std::vector<std::vector<float>> all;
  std::vector<bool> there(many, true);
  for (std::uint32_t i = 0; i < many; ++i) {
    all.push_back(random_vector(draw, dimensions));
    index.add(i, 1, all.back());
  }
  const auto before = index.capacity();
  BOOST_TEST(before >= many);
  std::size_t most = before, left = many;
  const auto all_right = [&] { // of some, those that are there, and no others
    int wrong = 0;
    for (std::uint32_t i = 0; i < many; i += 50) {
      const auto got = index.find(1, all[i], 0.99, 4);
      wrong += there[i] != (!got.empty() && got.front().id == i);
    }
    return wrong <= 2; // the graph may miss one in a hundred
  };
  while (left > 200) {
    const auto i = draw() % many;
    if (there[i] && draw() % 5) {
      index.remove(i);
      there[i] = false;
      --left;
    } else if (!there[i] && draw() % 200 == 0) { // some come back meanwhile
      index.add(i, 1, all[i] = random_vector(draw, dimensions));
      there[i] = true;
      ++left;
    }
    most = std::max(most, index.capacity());
    if (left % 500 == 0) BOOST_REQUIRE(all_right());
  }
  BOOST_TEST(index.size() == left);
  BOOST_TEST(index.capacity() <= 2048u);
  BOOST_TEST(most <= before * 3 / 2 + 2048);
  BOOST_TEST(all_right());
  for (std::uint32_t i = 0; i < many; ++i)
    if (!there[i]) index.add(i, 1, all[i]);
  there.assign(many, true);
  BOOST_TEST(all_right());
}

BOOST_AUTO_TEST_CASE(near_vectors_answer_each_other_but_not_where_what_matters_differs) {
  embedded_answers all({});
  const std::vector<float> one{1, 0.01f, 0, 0}, other{1, 0, 0.02f, 0}, far{0, 1, 0, 0};
  BOOST_TEST(all.put("p", "Is 17 prime?", one, answer("yes"), now));
  BOOST_TEST(*all.find("p", "can you check whether 17 is a prime number", other, 0.95, now).answer == "yes");
  BOOST_TEST(!all.find("p", "can you check whether 17 is a prime number", far, 0.95, now).answer);
  BOOST_TEST(!all.find("p", "Is 19 prime?", one, 0.95, now).answer);
  BOOST_TEST(!all.find("q", "Is 17 prime?", one, 0.95, now).answer);
  BOOST_TEST(all.put("p", "How do I prepare rice?", one, answer("boil it"), now));
  BOOST_TEST(*all.find("p", "what is the best way of cooking rice", other, 0.95, now).answer == "boil it");
  BOOST_TEST(!all.find("p", "why do I cook rice", other, 0.95, now).answer);
  BOOST_TEST(!all.find("p", "how do I not cook rice", other, 0.95, now).answer);
  BOOST_TEST(!all.find("p", "how do I cook rice like Mary", other, 0.95, now).answer);
  BOOST_TEST(all.size() == 2u);
  BOOST_TEST(!all.put("p", "How do I peel an orange?", std::vector<float>{0, 0, 0, 0}, answer("so"), now));
  BOOST_TEST(all.put("p", "How do I peel an orange?", std::vector<float>{1, 0, 0}, answer("so"), now));
  BOOST_TEST(all.size() == 1u, "those of another length went");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(similar_requests)

namespace {

std::string body(const std::string& messages, const std::string& more = "") {
  return R"({"model":"m","messages":[)" + messages + "]" + more + "}";
}
auto read(const std::string& text, const char* scope = "s") { return read_similar_question(make_bytes(text), scope); }

} // namespace

BOOST_AUTO_TEST_CASE(the_last_users_text_is_apart_and_all_else_is_one_digest) {
  const auto one = read(body(R"({"role":"system","content":"brief"},{"role":"user","content":"a \"q\""})"));
  BOOST_REQUIRE(one);
  BOOST_TEST(one->text == "a \"q\"");
  const auto same =
      read(body(R"({"content":"brief","role":"system"}, {"content":"other","role":"user"})", R"(,"stream":true)"));
  BOOST_REQUIRE(same);
  BOOST_TEST(same->partition == one->partition);
  const auto system = R"({"role":"system","content":"brief"},)", user = R"({"role":"user","content":"x"})";
  for (auto& text : {body(user), body(std::string(system) + user, R"(,"temperature":0.5)"),
                     body(R"({"role":"system","content":"long"},)" + std::string(user)),
                     body(std::string(system) + R"({"role":"user","content":"x","name":"bob"})"),
                     body(std::string(system) + user, R"(,"x":1)")}) {
    const auto got = read(text);
    BOOST_REQUIRE(got);
    BOOST_TEST(got->partition != one->partition, text);
  }
  BOOST_TEST(read(body(R"({"role":"system","content":"brief"},{"role":"user","content":"a"})"), "t")->partition !=
             one->partition);
}

BOOST_AUTO_TEST_CASE(parts_of_text_are_text_and_anything_else_is_no_question) {
  const auto parts = read(body(R"({"role":"user","content":[{"type":"text","text":"a"},{"text":"b","type":"text"}]})"));
  BOOST_REQUIRE(parts);
  BOOST_TEST(parts->text == "a\nb");
  for (auto& text :
       {body(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]})"),
        body(R"({"role":"user","content":[]})"), body(R"({"role":"user","content":null})"), body(R"({"role":"user"})"),
        body(R"({"role":"assistant","content":"a"})"), body(R"({"role":"user","content":"a"})", R"(,"n":2)"),
        body(R"({"role":"user","content":"a"})", R"(,"tools":[{"type":"function"}])"),
        body(R"({"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]})"), std::string("{}"),
        std::string("no json")})
    BOOST_TEST(!read(text), text);
}

BOOST_AUTO_TEST_CASE(only_one_whole_choice_of_text_may_answer_another_question) {
  const auto choice = [](const char* message, const char* finish = "stop") {
    return std::string(R"({"choices":[{"index":0,"message":)") + message + R"(,"finish_reason":")" + finish + "\"}]}";
  };
  BOOST_TEST(may_answer_similar(choice(R"({"role":"assistant","content":"a","tool_calls":null,"refusal":null})")));
  BOOST_TEST(!may_answer_similar(choice(R"({"role":"assistant","content":"a"})", "length")));
  BOOST_TEST(!may_answer_similar(choice(R"({"role":"assistant","content":""})")));
  BOOST_TEST(!may_answer_similar(choice(R"({"role":"assistant","content":null})")));
  BOOST_TEST(!may_answer_similar(choice(R"({"role":"assistant","content":"a","tool_calls":[{"id":"1"}]})")));
  BOOST_TEST(!may_answer_similar(choice(R"({"role":"assistant","content":"a","refusal":"no"})")));
  BOOST_TEST(!may_answer_similar("{}"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace embeddings_test
