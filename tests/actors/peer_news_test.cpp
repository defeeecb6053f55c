// What nodes tell each other, with ears in the place of the others: whatever a peer says, nobody dies of it, and only
// what makes sense gets through; who comes is told what stands; who is silent keeps nobody waiting.
#include "actors/cache_clears.hpp"
#include "actors/key_manager.hpp"
#include "actors/peer_news.hpp"

#include <boost/test/unit_test.hpp>

namespace peer_news_test {

using namespace mainstay;

namespace {

const std::string you = "10.0.0.2:1";

struct fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor cluster{system}, breaker{system}, keys{system}, cache{system}, asking{system};
  std::shared_ptr<config::settings> settings = std::make_shared<config::settings>();
  std::shared_ptr<directory> names = std::make_shared<directory>();
  std::vector<caf::strong_actor_ptr> spawned;

  fixture() {
    settings->cluster.emplace();
    settings->cluster->address = "10.0.0.1:1";
    settings->cluster->peers = {you};
    auto& p = settings->providers.emplace_back();
    p.name = "a";
    p.ways.emplace_back().name = "east";
    p.keys.emplace_back();
    p.keys.back().name = "k";
    p.keys.back().secret_value = secret("sk-of-k");
    for (const std::string name : {"m", "x"}) add_model(name, name);
    names->cluster = caf::actor_cast<cluster_actor>(caf::actor(cluster));
    names->breakers["a"] = caf::actor_cast<breaker_actor>(caf::actor(breaker));
    names->key_manager = caf::actor_cast<key_manager_actor>(caf::actor(keys));
    names->cache = caf::actor_cast<cache_actor>(caf::actor(cache));
  }
  ~fixture() {
    for (auto& a : spawned) caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  }

  /// Its only target is provider a's model of that name; empty: of the name that callers write.
  void add_model(const std::string& name, const std::string& at_provider) {
    auto& m = settings->models.emplace_back();
    m.name = name;
    m.pattern = at_provider.empty();
    m.ladder = {config::target_group{target{"a", at_provider}}};
  }

  peer_news_actor news() {
    spawned.push_back(spawn_peer_news(system, std::make_shared<peer_news_store>(), settings, names, {}));
    const auto it = caf::actor_cast<peer_news_actor>(spawned.back());
    caf::anon_send(it, peer_changed{you, true, 1});
    return it;
  }
  peer_news_view look_at(const peer_news_actor& it) {
    peer_news_view out;
    asking->request(it, 10s, look{})
        .receive([&](const peer_news_view& v) { out = v; }, [](const caf::error& e) { BOOST_ERROR(to_string(e)); });
    return out;
  }
  /// Without the question that goes to everybody who comes.
  std::optional<send_to> told(duration within = 5s) {
    auto out = heard<send_to>(cluster, within);
    return out && out->kind == "circuit.ask" ? heard<send_to>(cluster, within) : out;
  }
  template <class Message>
  std::optional<Message> heard(caf::scoped_actor& who, duration within = 5s) {
    std::optional<Message> out;
    who->receive([&](const Message& m) { out = m; }, caf::after(within) >> [] {});
    return out;
  }
};

circuit_word open_for(duration left) {
  return {"a", "m", {}, circuit_state::open, clock::now() + left, "server_error", {}};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(peer_news_suite, fixture)

BOOST_AUTO_TEST_CASE(nonsense_from_a_peer_is_counted_and_what_makes_sense_beside_it_gets_through) {
  const auto it = news();
  const char* nonsense[] = {
      "",
      "[]",
      "{}",
      "{\"news\":{}}",
      "{\"news\":[7]}",
      "{\"news\":[{\"provider\":\"a\",\"state\":\"ajar\"}]}",
      "{\"news\":[{\"provider\":\"unknown\",\"state\":\"open\",\"left_ms\":1}]}",
      "{\"news\":[{\"provider\":\"a\",\"state\":\"open\",\"left_ms\":-1}]}",
      "{\"news\":[{\"provider\":\"a\",\"state\":\"open\",\"left_ms\":99999999999999}]}",
      "{\"news\":[{\"provider\":\"a\",\"state\":\"open\",\"left_ms\":\"soon\"}]}",
      "{\"news\":[{\"provider\":[\"a\"],\"state\":\"open\",\"left_ms\":1}]}",
  };
  for (const auto* head : nonsense) caf::anon_send(it, peer_said{you, "circuit.news", head, {}});
  std::string many = "{\"news\":[";
  for (int i = 0; i < 101; ++i) many += std::string(i ? "," : "") + "{\"provider\":\"a\",\"state\":\"closed\"}";
  caf::anon_send(it, peer_said{you, "circuit.news", many + "]}", {}});
  caf::anon_send(it, peer_said{you, "circuit.of.tomorrow", "{}", {}});
  caf::anon_send(it,
                 peer_said{you, "key.news", "{\"news\":[{\"key\":\"k\",\"disabled\":\"yes\",\"secret\":\"x\"}]}", {}});
  caf::anon_send(it, peer_said{you, "key.news", "{\"news\":[{\"key\":\"k\",\"disabled\":true,\"secret\":\"x\"}]}", {}});
  caf::anon_send(it, peer_said{"10.9.9.9:1", "circuit.news", "{\"news\":[]}", {}});
  caf::anon_send(it, peer_said{you,
                               "circuit.news",
                               "{\"news\":[7,{\"provider\":\"a\",\"model\":\"m\",\"state\":\"open\",\"left_ms\":5000,"
                               "\"why\":\"of tomorrow\",\"unknown\":[1]}]}",
                               {}});
  const auto word = heard<circuit_word>(breaker);
  BOOST_REQUIRE(word.has_value());
  BOOST_TEST((word->model == "m" && word->state == circuit_state::open && word->from == you && word->why.empty()));
  const auto left = word->until - clock::now();
  BOOST_TEST((left > 3s && left <= 5s));
  const auto v = look_at(it);
  BOOST_TEST(v.circuits == 1u);
  BOOST_TEST(v.keys == 0u);
  BOOST_TEST(v.other_secrets == 1u);
  BOOST_TEST(v.dropped == std::size(nonsense) + 5u);
  BOOST_TEST(!heard<key_word>(keys, 0s));
}

BOOST_AUTO_TEST_CASE(of_models_and_ways_that_are_not_here_peers_say_nothing) {
  add_model("gpt-*", "");
  const auto it = news();
  const auto say = [&](const std::string& what) {
    const auto head = "{\"news\":[{\"provider\":\"a\",\"state\":\"closed\"," + what + "}]}";
    caf::anon_send(it, peer_said{you, "circuit.news", head, {}});
  };
  for (const auto* what : {"\"model\":\"made up\"", "\"model\":\"m\\nx\"", "\"model\":\"gpt-\\u001b[2J\"",
                           "\"model\":\"gpt-\\u009b\"", "\"way\":\"nowhere\""})
    say(what);
  auto v = look_at(it);
  BOOST_TEST((v.dropped == 5u && v.circuits == 0u));
  for (const auto* what : {"\"model\":\"m\"", "\"model\":\"gpt-x\"", "\"way\":\"east\""}) say(what);
  v = look_at(it);
  BOOST_TEST((v.dropped == 5u && v.circuits == 3u));
}

BOOST_AUTO_TEST_CASE(of_keys_and_models_that_a_reload_took_away_nobody_is_told) {
  const auto it = news();
  std::uint64_t incarnation = 1;
  const auto told_to_who_comes = [&] {
    look_at(it);
    while (heard<send_to>(cluster, 0s)) {}
    caf::anon_send(it, peer_changed{you, true, ++incarnation});
    look_at(it);
    std::string all;
    while (const auto sent = heard<send_to>(cluster, 0s))
      if (sent->kind.ends_with(".news")) all += sent->head;
    return all;
  };
  caf::anon_send(it, key_word{"k", true, {}, "auth", secret_hash(secret("sk-of-k")), {}});
  caf::anon_send(it, open_for(1h));
  auto told = told_to_who_comes();
  BOOST_TEST((told.find("\"k\"") != std::string::npos && told.find("\"m\"") != std::string::npos));
  auto other = std::make_shared<config::settings>(*settings);
  other->providers.back().keys.back().secret_value = secret("another");
  other->models.erase(other->models.begin());
  caf::anon_send(it, take_settings{other, names});
  BOOST_TEST(told_to_who_comes() == "");
  caf::anon_send(it, open_for(1h)); // its breaker had not heard of it yet
  BOOST_TEST(told_to_who_comes() == "");
}

BOOST_AUTO_TEST_CASE(who_comes_is_told_once_though_the_cluster_says_so_for_each_kind) {
  const auto it = news();
  caf::anon_send(it, open_for(5s));
  look_at(it);
  while (heard<send_to>(cluster, 0s)) {}
  for (int i = 0; i < 2; ++i) caf::anon_send(it, peer_changed{you, true, 2});
  look_at(it);
  int told = 0;
  while (heard<send_to>(cluster, 0s)) ++told;
  BOOST_TEST(told == 2); // what is open, and the question
}

BOOST_AUTO_TEST_CASE(a_peer_that_shouts_is_not_listened_to_for_the_rest_of_the_second) {
  const auto it = news();
  for (int i = 0; i < 1000; ++i)
    caf::anon_send(it, peer_said{you, "circuit.news", "{\"news\":[{\"provider\":\"a\",\"state\":\"closed\"}]}", {}});
  const auto v = look_at(it);
  BOOST_TEST(v.circuits + v.dropped == 1000u);
  BOOST_TEST((v.circuits >= 100u && v.circuits <= 500u));
}

BOOST_AUTO_TEST_CASE(what_was_found_is_told_at_once_and_to_who_comes_later_and_what_was_heard_to_nobody) {
  const auto it = news();
  caf::anon_send(it, peer_said{you,
                               "circuit.news",
                               "{\"news\":[{\"provider\":\"a\",\"model\":\"x\",\"state\":\"open\",\"left_ms\":5000}]}",
                               {}});
  caf::anon_send(it, open_for(5s));
  const auto told = this->told();
  BOOST_REQUIRE(told.has_value());
  BOOST_TEST((told->peer == you && told->kind == "circuit.news"));
  BOOST_TEST(told->head.find("\"model\":\"m\"") != std::string::npos);
  caf::anon_send(it, peer_changed{you, true, 2}); // started again
  const auto again = this->told();
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->head.find("\"model\":\"m\"") != std::string::npos);
  BOOST_TEST(again->head.find("\"model\":\"x\"") == std::string::npos);
  caf::anon_send(it, peer_said{you, "circuit.ask", "{}", {}}); // when it came nobody there listened yet
  const auto answer = this->told();
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->head.find("\"model\":\"m\"") != std::string::npos);
  caf::anon_send(it, peer_changed{you, false, 2});
  caf::anon_send(it, circuit_word{"a", "m", {}, circuit_state::closed, {}, {}, {}});
  BOOST_TEST(!this->told(500ms));
}

BOOST_AUTO_TEST_CASE(of_a_key_its_mark_travels_and_is_known_by_who_has_the_same_secret) {
  const auto here = news();
  caf::anon_send(here, key_word{"k", true, {}, "auth", secret_hash(secret("an older one")), {}});
  caf::anon_send(here, key_word{"k", true, {}, "auth", secret_hash(secret("sk-of-k")), {}});
  const auto told = this->told();
  BOOST_REQUIRE(told.has_value());
  BOOST_TEST(told->kind == "key.news");
  BOOST_TEST(told->head.find("sk-of-k") == std::string::npos);
  const auto there = news();
  caf::anon_send(there, peer_said{you, told->kind, told->head, {}});
  const auto word = heard<key_word>(keys);
  BOOST_REQUIRE(word.has_value());
  BOOST_TEST((word->key == "k" && word->disabled && word->why == "auth" && word->from == you));
}

BOOST_AUTO_TEST_CASE(who_orders_a_clearing_hears_in_time_who_is_silent_who_failed_and_who_is_away) {
  const std::string away = "10.0.0.3:1", poor = "10.0.0.4:1";
  settings->cluster->peers = {you, away, poor};
  auto store = std::make_shared<cache_clears_store>(*settings);
  store->patience = 500ms;
  store->again = 100ms;
  spawned.push_back(spawn_cache_clears(system, store, names, {}));
  const auto it = caf::actor_cast<cache_clears_actor>(spawned.back());
  caf::anon_send(it, peer_changed{you, true, 1});
  caf::anon_send(it, peer_changed{poor, true, 1});
  const auto begun = clock::now();
  auto answer = asking->request(it, 10s, cache_clear{});
  cache->receive([](const cache_clear&) { return cache_cleared{{"redis"}}; });
  std::map<std::string, std::string> orders;
  while (orders.size() < 2) {
    const auto sent = heard<send_to>(cluster);
    BOOST_REQUIRE(sent.has_value());
    if (sent->kind == "cache.clear") orders[sent->peer] = sent->head;
  }
  caf::anon_send(it, peer_said{poor, "cache.done", "{\"id\":\"another\"}", {}});
  for (const auto* head : {"", "{}", "{\"id\":7}", "{\"id\":{}}"})
    caf::anon_send(it, peer_said{poor, "cache.done", head, {}});
  auto done = orders.at(poor);
  done.insert(done.size() - 1, ",\"not_here\":[\"sqlite\"]");
  caf::anon_send(it, peer_said{poor, "cache.done", done, {}});
  nodes_cleared all;
  answer.receive([&](const nodes_cleared& n) { all = n; }, [](const caf::error& e) { BOOST_ERROR(to_string(e)); });
  using state = nodes_cleared::peer::state;
  BOOST_TEST((clock::now() - begun < 2s));
  BOOST_TEST(all.here.not_here == std::vector<std::string>{"redis"});
  BOOST_REQUIRE(all.peers.size() == 3u);
  BOOST_TEST((all.peers[0].what == state::silent && all.peers[1].what == state::later));
  BOOST_TEST((all.peers[2].what == state::done && all.peers[2].not_here == std::vector<std::string>{"sqlite"}));
  // who was away is told when it comes; who is told twice does it once
  caf::anon_send(it, peer_changed{away, true, 1});
  const auto is_told = [&](const std::string& peer) {
    while (const auto sent = heard<send_to>(cluster))
      if (sent->peer == peer && sent->kind == "cache.clear") return true;
    return false;
  };
  BOOST_TEST(is_told(away));
  for (int i = 0; i < 2; ++i) caf::anon_send(it, peer_said{you, "cache.clear", "{\"id\":\"10.0.0.2:1/1/1\"}", {}});
  // and goes on until no tier is left
  for (int i = 0; i < 3; ++i) cache->receive([](const cache_clear&) { return cache_cleared{{"sqlite"}}; });
  cache->receive([](const cache_clear&) { return cache_cleared{}; });
  bool twice = false;
  cache->receive([&](const cache_clear&) { return twice = true, cache_cleared{}; }, caf::after(200ms) >> [] {});
  BOOST_TEST(!twice);
}

BOOST_AUTO_TEST_CASE(who_dies_over_a_clearing_does_not_say_it_is_done_and_its_successor_does_it) {
  auto store = std::make_shared<cache_clears_store>(*settings);
  spawned.push_back(spawn_cache_clears(system, store, names, {}));
  const auto it = caf::actor_cast<cache_clears_actor>(spawned.back());
  auto answer = asking->request(it, 10s, cache_clear{});
  caf::anon_send(it, inject_fault{});
  answer.receive([](const nodes_cleared& n) { BOOST_TEST(n.here.not_here == std::vector<std::string>{"this node"}); },
                 [](const caf::error& e) { BOOST_ERROR(to_string(e)); });
  spawned.push_back(spawn_cache_clears(system, store, names, {}));
  for (int i = 0; i < 2; ++i)
    cache->receive([](const cache_clear&) { return cache_cleared{}; },
                   caf::after(5s) >> [] { BOOST_ERROR("its successor does not clear"); });
  const auto successor = caf::actor_cast<cache_clears_actor>(spawned.back());
  asking->request(successor, 10s, ask_backlog{}).receive([](std::uint64_t) {}, [](const caf::error&) {});
  BOOST_TEST(store->at_work.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace peer_news_test
