// Which node flies: what peers hear, and what whoever asks gets, whatever peers say or do not say.
#include "actors/peer_flights.hpp"
#include "core/rendezvous.hpp"

#include "tests/support/by_hand.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

namespace peer_flights_test {

using namespace mainstay;

namespace {

struct fixture : test::by_hand {
  std::vector<send_to> sent;
  caf::actor cluster = system.spawn([this](caf::event_based_actor*) -> caf::behavior {
    return {[this](const send_to& m) { sent.push_back(m); }, [](const peer_listen&) {}};
  });
  directory_ptr names = [this] {
    auto d = std::make_shared<directory>();
    d->cluster = caf::actor_cast<cluster_actor>(cluster);
    return d;
  }();
  std::shared_ptr<peer_flights_store> store = [this] {
    config::settings s;
    s.cluster.emplace();
    s.cluster->address = "10.0.0.1:1";
    s.cluster->peers = {"10.0.0.2:1", "10.0.0.3:1"};
    return std::make_shared<peer_flights_store>(s, names);
  }();
  peer_flights_actor flights = caf::actor_cast<peer_flights_actor>(spawn_peer_flights(system, store));

  fixture() {
    steps.run();
    for (auto* peer : {"10.0.0.2:1", "10.0.0.3:1"}) tell(peer_changed{peer, true, 1});
  }
  ~fixture() {
    caf::anon_send_exit(flights, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(cluster, caf::exit_reason::user_shutdown);
    steps.run();
  }

  template <class Message>
  void tell(Message m) {
    caf::anon_send(flights, std::move(m));
    steps.run();
  }
  void says(const char* peer, const char* kind, std::string head) { tell(peer_said{peer, kind, std::move(head), {}}); }
  /// A question that this node, or that one, owns.
  static std::string owned_by(std::string_view node) {
    for (int i = 0;; ++i) {
      auto q = "q" + std::to_string(i);
      std::string_view best;
      std::uint64_t weight = 0;
      for (auto* n : {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"})
        if (const auto w = rendezvous_weight(stable_hash(q), stable_hash(n)); w > weight) weight = w, best = n;
      if (best == node) return q;
    }
  }
  /// What comes of a question; none: nothing yet.
  struct answer {
    std::optional<std::string> peer;
    bool failed = false;
  };
  std::shared_ptr<answer> ask(request_id flight, const std::string& question) {
    auto out = std::make_shared<answer>();
    system.spawn([=, this](caf::event_based_actor* self) {
      self->request(flights, caf::infinite, flight_question{flight, question, clock::now() + 1min})
          .then([out](const flight_place& p) { out->peer = p.peer; }, [out](const caf::error&) { out->failed = true; });
    });
    steps.run();
    return out;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(peer_flights, fixture)

BOOST_AUTO_TEST_CASE(a_question_of_ours_is_flown_by_whoever_asks_first_and_others_are_sent_there) {
  const auto q = owned_by("10.0.0.1:1");
  BOOST_TEST(ask(7, q)->peer.value() == "");
  says("10.0.0.2:1", "flight.ask", R"({"n":3,"q":")" + q + R"(","left_ms":1000})");
  BOOST_TEST_REQUIRE(sent.size() == 1u);
  BOOST_TEST(sent[0].kind == "flight.place");
  BOOST_TEST(sent[0].head.find("10.0.0.1:1") != std::string::npos);
  tell(flight_landing{7, false});
  says("10.0.0.2:1", "flight.ask", R"({"n":4,"q":")" + q + R"(","left_ms":1000})");
  BOOST_TEST(sent.back().head.find("10.0.0.2:1") != std::string::npos);
  BOOST_TEST(ask(8, q)->peer.value() == "10.0.0.2:1");
  says("10.0.0.2:1", "flight.over", R"({"n":4,"q":")" + q + R"(","cached":false})");
  BOOST_TEST(ask(9, q)->peer.value() == "");
}

BOOST_AUTO_TEST_CASE(anothers_question_is_its_owners_to_answer_and_the_landing_is_told) {
  const auto q = owned_by("10.0.0.2:1");
  auto got = ask(7, q);
  BOOST_TEST(!got->peer.has_value());
  BOOST_TEST_REQUIRE(sent.size() == 1u);
  BOOST_TEST(sent[0].peer == "10.0.0.2:1");
  says("10.0.0.3:1", "flight.place", R"({"n":7,"node":"10.0.0.3:1"})"); // was not asked
  BOOST_TEST(!got->peer.has_value());
  says("10.0.0.2:1", "flight.place", R"({"n":7,"node":"10.0.0.1:1"})");
  BOOST_TEST(got->peer.value() == "");
  tell(flight_landing{7, true});
  BOOST_TEST(sent.back().kind == "flight.over");
  BOOST_TEST(sent.back().head.find("true") != std::string::npos);

  got = ask(8, q);
  says("10.0.0.2:1", "flight.place", R"({"n":8,"node":"10.0.0.3:1"})");
  BOOST_TEST(got->peer.value() == "10.0.0.3:1");
  got = ask(9, q);
  says("10.0.0.2:1", "flight.place", R"({"n":9,"node":"8.8.8.8:1"})"); // nobody we know
  BOOST_TEST(got->peer.value() == "");
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_silent_is_waited_for_once_and_one_that_goes_not_at_all) {
  const auto q = owned_by("10.0.0.2:1");
  auto got = ask(7, q);
  tell(run_wake{7});
  BOOST_TEST(got->peer.value() == "");
  BOOST_TEST(ask(8, q)->peer.value() == ""); // left alone
  BOOST_TEST(sent.size() == 1u);
  tell(peer_changed{"10.0.0.2:1", true, 2});
  got = ask(9, q);
  BOOST_TEST(!got->peer.has_value());
  tell(peer_changed{"10.0.0.2:1", false, 2});
  BOOST_TEST(got->peer.value() == "");
  got = ask(10, q); // somebody else's now
  BOOST_TEST((got->peer.has_value() || sent.back().peer == "10.0.0.3:1"));
}

BOOST_AUTO_TEST_CASE(nonsense_is_counted_and_answered_by_nothing) {
  for (auto* head : {"", "[]", R"({"n":0,"q":"k"})", R"({"n":1,"q":""})", R"({"n":1})"})
    says("10.0.0.2:1", "flight.ask", head);
  says("10.0.0.2:1", "flight.ask", R"({"n":1,"q":")" + std::string(65, 'k') + R"("})");
  says("10.0.0.2:1", "flight.unheard", "{}");
  BOOST_TEST(sent.empty());
  BOOST_TEST(store->not_understood == 7u);
  BOOST_TEST(store->registry.size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_flights_test
