// Hosts, listen addresses and URLs: what is one, what is none, what is loopback; texts never repeat a URL.
#include "config/address.hpp"
#include "config/url.hpp"

#include <boost/test/unit_test.hpp>

namespace address_test {

using namespace mainstay::config;

BOOST_AUTO_TEST_SUITE(addresses)

BOOST_AUTO_TEST_CASE(a_listen_address_is_a_host_and_a_port) {
  const auto four = parse_listen("127.0.0.1:8080");
  BOOST_TEST_REQUIRE(!!four);
  BOOST_TEST(four->host == "127.0.0.1");
  BOOST_TEST(four->port == 8080);
  const auto six = parse_listen("[::1]:65535");
  BOOST_TEST_REQUIRE(!!six);
  BOOST_TEST(six->host == "::1");
  BOOST_TEST(six->port == 65535);
  BOOST_TEST(!!parse_listen("localhost:0"));
  BOOST_TEST(!!parse_listen("gateway.example:80"));
}

BOOST_AUTO_TEST_CASE(what_is_no_listen_address_is_refused) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          "8080"sv,
                          ":8080"sv,
                          "127.0.0.1"sv,
                          "127.0.0.1:"sv,
                          "127.0.0.1:65536"sv,
                          "127.0.0.1:-1"sv,
                          "127.0.0.1:80x"sv,
                          "127.1:80"sv,
                          "256.0.0.1:80"sv,
                          "127.0.0.01:80"sv,
                          "::1:80"sv,
                          "[::1]"sv,
                          "[::1:80"sv,
                          "[127.0.0.1]:80"sv,
                          "[]:80"sv,
                          "http://127.0.0.1:80"sv,
                          "a b:80"sv,
                          "-a:80"sv,
                          "a..b:80"sv,
                          "127.0.0.1:80:80"sv,
                          "127.0.0.1\0x:80"sv,
                          "*:80"sv,
                          "[::1]x:80"sv,
                          "127.0.0.1: 80"sv})
    BOOST_TEST(!parse_listen(text), text);
}

BOOST_AUTO_TEST_CASE(loopback_is_all_of_127_and_the_six_one_and_localhost_and_nothing_that_looks_like_them) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "localhost"})
    BOOST_TEST(is_loopback(host), host);
  for (const char* host : {"0.0.0.0", "::", "*", "128.0.0.1", "127.0.0.1.example", "localhost.example", "::2",
                           "::ffff:127.0.0.1", "10.0.0.1", ""})
    BOOST_TEST(!is_loopback(host), host);
}

BOOST_AUTO_TEST_CASE(the_message_queue_listens_on_tcp_and_ipc_only) {
  BOOST_TEST(parse_zmq_listen("tcp://127.0.0.1:5555")->loopback());
  BOOST_TEST(parse_zmq_listen("tcp://127.0.0.1:*")->tcp.port == 0);
  BOOST_TEST(parse_zmq_listen("tcp://[::1]:5555")->loopback());
  BOOST_TEST(!parse_zmq_listen("tcp://*:5555")->loopback());
  BOOST_TEST(!parse_zmq_listen("tcp://0.0.0.0:5555")->loopback());
  BOOST_TEST(parse_zmq_listen("ipc:///run/m.sock")->loopback());
  BOOST_TEST(parse_zmq_listen("ipc:///run/m.sock")->path == "/run/m.sock");
  for (const std::string& text : {std::string("127.0.0.1:5555"), std::string("tcp://"), std::string("tcp://127.0.0.1"),
                                  std::string("udp://127.0.0.1:1"), std::string("inproc://x"), std::string("ipc://"),
                                  "ipc://" + std::string(108, 'x'), std::string("tcp://127.0.0.1:99999")})
    BOOST_TEST(!parse_zmq_listen(text), text);
}

BOOST_AUTO_TEST_CASE(a_wildcard_takes_the_port_of_every_address) {
  BOOST_TEST(collide({"127.0.0.1", 80}, {"127.0.0.1", 80}));
  BOOST_TEST(collide({"0.0.0.0", 80}, {"127.0.0.1", 80}));
  BOOST_TEST(collide({"10.0.0.1", 80}, {"*", 80}));
  BOOST_TEST(collide({"localhost", 80}, {"127.0.0.1", 80}));
  BOOST_TEST(collide({"::1", 80}, {"localhost", 80}));
  BOOST_TEST(!collide({"127.0.0.1", 80}, {"127.0.0.1", 81}));
  BOOST_TEST(!collide({"127.0.0.1", 80}, {"127.0.0.2", 80}));
  BOOST_TEST(!collide({"127.0.0.1", 0}, {"127.0.0.1", 0}));
}

BOOST_AUTO_TEST_CASE(a_base_url_has_a_scheme_a_host_and_no_secrets) {
  for (const char* url : {"https://api.openai.com/v1", "http://127.0.0.1:9000", "http://[::1]:80/x", "https://h/",
                          "http://h_1:1/a/b", "https://h/v1?api-version=1", "https://h/deployments/{model}?x=1"})
    BOOST_TEST(fault_of_base_url(url) == "", url);
  for (const char* url : {"", "api.openai.com/v1", "ftp://h", "https://", "https:///v1", "https://h:0", "https://h:x",
                          "https://h:70000", "https://user:pw@h/v1", "https://h/#f", "https://h v1", "https://h\n",
                          "https://h\xc3\xa9", "https://1.2.3", "HTTPS//h", "https://[::1/"})
    BOOST_TEST(fault_of_base_url(url) != "", url);
  BOOST_TEST(fault_of_base_url("https://h/" + std::string(3000, 'a')) != "");
}

BOOST_AUTO_TEST_CASE(a_path_goes_between_the_base_urls_own_path_and_its_query) {
  BOOST_TEST(url_at("https://h/v1", "/chat", "m") == "https://h/v1/chat");
  BOOST_TEST(url_at("https://h", "/chat?alt=sse", "m") == "https://h/chat?alt=sse");
  BOOST_TEST(url_at("https://h/v1/?v=1", "/chat", "m") == "https://h/v1/chat?v=1");
  BOOST_TEST(url_at("https://h/v1?v=1", "/chat?alt=sse", "m") == "https://h/v1/chat?alt=sse&v=1");
  BOOST_TEST(url_at("https://h/v1?", "/chat", "m") == "https://h/v1/chat");
  BOOST_TEST(url_at("https://h/d/{model}?v=1", "/chat", "gpt-4o") == "https://h/d/gpt-4o/chat?v=1");
  BOOST_TEST(url_at("https://h/d/{model}", "/chat", "a/../b?c#d e") == "https://h/d/a%2F..%2Fb%3Fc%23d%20e/chat");
}

BOOST_AUTO_TEST_CASE(a_proxy_may_have_a_password_and_has_no_path) {
  for (const char* url : {"socks5://127.0.0.1:1080", "http://u:p@proxy:3128", "socks5h://proxy", "https://proxy:443/"})
    BOOST_TEST(fault_of_proxy(url) == "", url);
  for (const char* url : {"", "proxy:3128", "ftp://proxy", "http://proxy/x", "http://"})
    BOOST_TEST(fault_of_proxy(url) != "", url);
}

BOOST_AUTO_TEST_CASE(a_redis_url_ends_in_a_database_number) {
  for (const char* url : {"redis://127.0.0.1:6379/0", "redis://h", "redis://:pw@h:1/15", "redis://u:pw@[::1]:6379"})
    BOOST_TEST(fault_of_redis_url(url) == "", url);
  for (const char* url : {"", "127.0.0.1:6379", "rediss://h", "redis://h/x", "redis://h/1/2", "redis://h:0", "redis://",
                          "redis://h?", "redis://h#1", "redis://:50%@h", "redis://u%4:pw@h", "redis://u:%zz@h"})
    BOOST_TEST(fault_of_redis_url(url) != "", url);
}

BOOST_AUTO_TEST_CASE(no_fault_repeats_the_url) {
  for (const char* url :
       {"gopher://u:hunter2@h/x", "redis://u:hunter2@/x", "http://u:hunter2@ h", "http://u:hunter2@h/x?y"})
    for (const auto& fault : {fault_of_base_url(url), fault_of_proxy(url), fault_of_redis_url(url)})
      BOOST_TEST(fault.find("hunter2") == std::string::npos, fault);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace address_test
