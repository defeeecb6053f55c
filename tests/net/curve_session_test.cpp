// CURVE as bytes: the handshake, what is refused in each of its steps, boxes that are altered, repeated or cut.
#include "tests/net/curve_peer.hpp"

#include <random>

namespace curve_session_test {

using namespace mainstay::mq;
using namespace mainstay::mq::test;
using namespace std::string_literals;
using verdict = curve_session::verdict;

namespace {

struct door {
  key_pair own, client;
  std::shared_ptr<const curve_keys> keys = make_curve_keys(own.secret_key, {client.public_key});
  curve_session session{keys};
  curve_peer peer{own.public_key, client};
  std::string welcome, metadata;

  void shake_hands() {
    BOOST_TEST_REQUIRE(session.hello(peer.hello(), welcome));
    BOOST_TEST_REQUIRE(peer.take_welcome(welcome));
    BOOST_TEST_REQUIRE((session.initiate(peer.initiate("what it is"), metadata) == verdict::fine));
  }
};

bool is(curve_session::verdict a, curve_session::verdict b) { return a == b; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(curve_session_, door)

BOOST_AUTO_TEST_CASE(the_doors_public_key_follows_from_its_secret_one) {
  BOOST_TEST(keys->public_key == own.public_key);
  BOOST_CHECK_THROW(make_curve_keys("short", {}), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(after_the_handshake_both_sides_understand_each_other_and_know_the_client) {
  shake_hands();
  BOOST_TEST(metadata == "what it is");
  BOOST_TEST(session.client_key() == client.public_key);
  BOOST_TEST(peer.take_ready(session.ready("a router")) == "a router");
  for (const std::string& text : {""s, "a"s, std::string(100'000, 'x')})
    for (unsigned char flags : {0, 1, 2}) {
      auto in = peer.message(text, flags);
      BOOST_TEST(in.size() == text.size() + curve_session::overhead);
      unsigned char got = 9;
      BOOST_TEST_REQUIRE(session.open(in, got));
      BOOST_TEST(int(got) == int(flags));
      BOOST_TEST((in == text));
      std::string out;
      session.seal(out, flags, text);
      BOOST_TEST((peer.take_message(out) == static_cast<char>(flags) + text));
    }
}

BOOST_AUTO_TEST_CASE(a_hello_for_another_server_key_or_bent_anywhere_is_none) {
  curve_peer lost(key_pair().public_key, client);
  BOOST_TEST(!curve_session(keys).hello(lost.hello(), welcome));
  const auto good = peer.hello();
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (i >= 8 && i < 80) continue; // padding, which says nothing
    auto bent = good;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    curve_session fresh(keys);
    BOOST_TEST(!fresh.hello(bent, welcome), i);
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    BOOST_TEST(!curve_session(keys).hello(good.substr(0, size), welcome));
  BOOST_TEST(!curve_session(keys).hello(good + "x", welcome));
  BOOST_TEST(session.hello(good, welcome));
  BOOST_TEST(!session.hello(good, welcome)); // once
}

BOOST_AUTO_TEST_CASE(an_initiate_bent_or_cut_anywhere_is_none) {
  for (std::size_t i = 0; i < 280; ++i) {
    curve_session fresh(keys);
    curve_peer there(own.public_key, client);
    BOOST_TEST_REQUIRE(fresh.hello(there.hello(), welcome));
    BOOST_TEST_REQUIRE(there.take_welcome(welcome));
    auto bent = there.initiate("what it is");
    BOOST_TEST_REQUIRE(bent.size() > 265u);
    if (i >= bent.size()) return;
    BOOST_TEST(is(fresh.initiate(bent.substr(0, i), metadata), verdict::malformed), i);
    bent[i] = static_cast<char>(bent[i] ^ 0x40);
    BOOST_TEST(is(fresh.initiate(bent, metadata), verdict::malformed), i);
  }
}

BOOST_AUTO_TEST_CASE(an_initiate_with_the_cookie_of_another_connection_is_none) {
  curve_session other(keys);
  curve_peer there(own.public_key, client);
  std::string others;
  BOOST_TEST_REQUIRE(other.hello(there.hello(), others));
  BOOST_TEST_REQUIRE(session.hello(peer.hello(), welcome));
  BOOST_TEST_REQUIRE(there.take_welcome(others));
  BOOST_TEST(is(session.initiate(there.initiate(""), metadata), verdict::malformed));
}

BOOST_AUTO_TEST_CASE(a_client_that_is_not_listed_is_a_stranger_and_a_vouch_for_another_door_is_none) {
  const key_pair unknown;
  curve_peer stranger(own.public_key, unknown);
  BOOST_TEST_REQUIRE(session.hello(stranger.hello(), welcome));
  BOOST_TEST_REQUIRE(stranger.take_welcome(welcome));
  BOOST_TEST(is(session.initiate(stranger.initiate(""), metadata), verdict::stranger));
  BOOST_TEST(session.client_key() == "");

  curve_session second(keys);
  BOOST_TEST_REQUIRE(second.hello(peer.hello(), welcome));
  BOOST_TEST_REQUIRE(peer.take_welcome(welcome));
  BOOST_TEST(is(second.initiate(peer.initiate("", key_pair().public_key), metadata), verdict::malformed));
}

BOOST_AUTO_TEST_CASE(nothing_is_opened_before_the_handshake_or_twice_or_out_of_order) {
  unsigned char flags = 0;
  std::string early = "\7MESSAGE" + std::string(100, 'x');
  BOOST_TEST(!session.open(early, flags));
  shake_hands();
  const auto first = peer.message("first"), second = peer.message("second");
  auto copy = second;
  BOOST_TEST(session.open(copy, flags));
  for (auto again : {second, first}) BOOST_TEST(!session.open(again, flags));
  auto next = peer.message("third");
  BOOST_TEST(session.open(next, flags));
}

BOOST_AUTO_TEST_CASE(a_random_walk_of_bent_and_cut_messages_opens_the_whole_ones_alone) {
  std::mt19937 draw(11);
  shake_hands();
  int opened = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto good = peer.message(std::string(draw() % 100, 'x'));
    auto bytes = good;
    if (const auto what = draw() % 3; what == 0)
      bytes.resize(draw() % bytes.size());
    else if (what == 1) // but for its number: one from far ahead ends the talk
      bytes[16 + draw() % (bytes.size() - 16)] ^= static_cast<char>(1 + draw() % 255);
    const bool whole = bytes == good;
    unsigned char flags = 0;
    BOOST_TEST_REQUIRE(session.open(bytes, flags) == whole);
    opened += whole;
  }
  BOOST_TEST(opened > 500);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace curve_session_test
