// The HTTP server behind TLS: what callers of TLS 1.2 and 1.3 get, and what those who speak it wrongly, or not at all.
#include "tests/net/http_door.hpp"
#include "tests/support/certificates.hpp"

#include <algorithm>
#include <csignal>
#include <future>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <random>

namespace tls_test {

using namespace mainstay;
using namespace mainstay::http;
using namespace mainstay::http::test;
using namespace std::string_literals;
using mainstay::test::issue;
using mainstay::test::issued;

namespace {

int dial(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int at_once = 1; // or the last of several segments waits for the others to be acknowledged
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_TEST_REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

/// A caller who speaks TLS; blocking, for ten seconds at most.
class tls_caller {
public:
  struct wish {
    int version = 0; // none: whatever both know
    std::string protocols;
    SSL_SESSION* resume = nullptr;
    const issued* own = nullptr; // its certificate
  };

  explicit tls_caller(std::uint16_t port) : tls_caller(port, wish{}) {}
  tls_caller(std::uint16_t port, const wish& w)
    : fd_(dial(port)), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
      stream_(SSL_new(context_.get()), &SSL_free) {
    if (w.version) {
      SSL_set_security_level(stream_.get(), 0); // versions that nobody should speak any more
      SSL_set_min_proto_version(stream_.get(), w.version);
      SSL_set_max_proto_version(stream_.get(), w.version);
    }
    if (!w.protocols.empty())
      SSL_set_alpn_protos(stream_.get(), reinterpret_cast<const unsigned char*>(w.protocols.data()),
                          static_cast<unsigned>(w.protocols.size()));
    if (w.resume) SSL_set_session(stream_.get(), w.resume);
    if (w.own) show(*w.own);
    SSL_set_fd(stream_.get(), fd_);
    connected_ = SSL_connect(stream_.get()) == 1;
    if (!connected_) reason_ = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
  }
  ~tls_caller() { ::close(fd_); }

  bool connected() const { return connected_; }
  int reason() const { return reason_; }
  SSL* stream() { return stream_.get(); }
  int fd() const { return fd_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const int n = SSL_write(stream(), bytes.data(), static_cast<int>(bytes.size()));
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// So many bytes, or what came before the end.
  std::string take(std::size_t size) {
    while (got_.size() < size) {
      char piece[20000];
      const int n = SSL_read(stream(), piece, sizeof piece);
      if (n <= 0) {
        said_goodbye_ = SSL_get_error(stream(), n) == SSL_ERROR_ZERO_RETURN;
        ERR_clear_error();
        break;
      }
      got_.append(piece, static_cast<std::size_t>(n));
    }
    auto out = got_.substr(0, size);
    got_.erase(0, out.size());
    return out;
  }
  std::string until(std::string_view mark) {
    std::string out;
    while (!out.ends_with(mark)) {
      const auto next = take(1);
      if (next.empty()) break;
      out += next;
    }
    return out;
  }
  /// The body of an answer with a content-length.
  std::string body() {
    const auto head = until("\r\n\r\n");
    const auto at = head.find("content-length: ");
    return at == head.npos ? "no answer: " + head : take(static_cast<std::size_t>(std::atoll(head.c_str() + at + 16)));
  }
  /// Nothing more came, and the server said that it was the end.
  bool ended() { return take(1).empty() && said_goodbye_; }

private:
  void show(const issued& own) {
    auto* in = BIO_new_mem_buf(own.cert.data(), static_cast<int>(own.cert.size()));
    const std::unique_ptr<X509, decltype(&X509_free)> cert(PEM_read_bio_X509(in, nullptr, nullptr, nullptr),
                                                           &X509_free);
    BIO_free(in);
    in = BIO_new_mem_buf(own.key.data(), static_cast<int>(own.key.size()));
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr), &EVP_PKEY_free);
    BIO_free(in);
    BOOST_TEST_REQUIRE(SSL_use_certificate(stream(), cert.get()) == 1);
    BOOST_TEST_REQUIRE(SSL_use_PrivateKey(stream(), key.get()) == 1);
  }

  int fd_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> stream_;
  bool connected_ = false, said_goodbye_ = false;
  int reason_ = 0;
  std::string got_;
};

/// What a client says first.
std::string client_hello() {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> made(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(made.get()), &SSL_free);
  SSL_set_connect_state(client.get());
  auto* out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
  SSL_do_handshake(client.get());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::shared_ptr<const tls_context> context(const issued& c) {
  return std::make_shared<const tls_context>(c.cert, c.key);
}

struct fixture {
  issued certificate = issue("the door");
  fixture() { std::signal(SIGPIPE, SIG_IGN); } // the callers' own
  server_settings settings() const {
    server_settings s;
    s.tls = context(certificate);
    return s;
  }
};

std::string serial_of(tls_caller& c) {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(c.stream()), &X509_free);
  return std::to_string(ASN1_INTEGER_get(X509_get0_serialNumber(shown.get())));
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(tls, fixture)

BOOST_AUTO_TEST_CASE(requests_are_answered_one_after_the_other_with_either_version) {
  door d(settings());
  d.echo_paths();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_caller c(d.it.port(), {version, {}, nullptr, nullptr});
    BOOST_TEST_REQUIRE(c.connected());
    for (int i = 0; i < 10; ++i) {
      c.send(get("/" + std::to_string(i)));
      BOOST_TEST(c.body() == "/" + std::to_string(i));
    }
  }
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(versions_before_1_2_are_refused) {
  door d(settings());
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    tls_caller c(d.it.port(), {version, {}, nullptr, nullptr});
    BOOST_TEST(!c.connected());
    BOOST_TEST(c.reason() == SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION);
  }
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(only_ciphers_with_forward_secrecy_are_spoken) {
  door d(settings());
  tls_caller c(d.it.port(), {TLS1_2_VERSION, {}, nullptr, nullptr});
  BOOST_TEST_REQUIRE(c.connected());
  BOOST_TEST(std::string(SSL_get_cipher_name(c.stream())).starts_with("ECDHE-"));
}

BOOST_AUTO_TEST_CASE(http_1_1_is_agreed_on_and_who_speaks_only_http_2_is_refused) {
  door d(settings());
  tls_caller both(d.it.port(), {0, "\2h2\10http/1.1", nullptr, nullptr});
  BOOST_TEST_REQUIRE(both.connected());
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(both.stream(), &chosen, &size);
  BOOST_TEST(std::string(reinterpret_cast<const char*>(chosen), size) == "http/1.1");
  tls_caller other(d.it.port(), {0, "\2h2", nullptr, nullptr});
  BOOST_TEST(!other.connected());
}

BOOST_AUTO_TEST_CASE(bodies_of_many_records_pass_whole_both_ways_past_a_slow_reader) {
  door d(settings());
  d.script->answering = [](asked a) { a.answer->reply(200, {}, a.body); };
  std::string body;
  for (int i = 0; body.size() < 5'000'000; ++i) body += std::to_string(i) + ",";
  tls_caller c(d.it.port());
  BOOST_TEST_REQUIRE(c.connected());
  BOOST_TEST_REQUIRE(c.send(post(body)));
  BOOST_TEST((c.body() == body)); // 20000 bytes at a time: the door's socket fills up on the way
}

BOOST_AUTO_TEST_CASE(many_small_events_of_a_stream_arrive_in_their_order) {
  door d(settings());
  tls_caller c(d.it.port());
  c.send(get());
  auto a = d.script->next();
  a.answer->stream_head({});
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const auto text = "{\"n\":" + std::to_string(i) + "}";
    a.answer->stream_event(make_bytes(text));
    expected += "data: " + text + "\n\n";
  }
  a.answer->stream_end(nullptr, {});
  c.until("\r\n\r\n");
  std::string got;
  for (auto size = c.until("\r\n"); size != "0\r\n"; size = c.until("\r\n")) {
    BOOST_TEST_REQUIRE(!size.empty());
    got += c.take(std::stoul(size, nullptr, 16));
    c.take(2);
  }
  BOOST_TEST(got.starts_with(expected));
}

BOOST_AUTO_TEST_CASE(what_comes_early_in_one_record_waits_its_turn) {
  door d(settings());
  d.echo_paths();
  std::string all;
  for (int i = 0; i < 200; ++i) all += get("/" + std::to_string(i));
  tls_caller c(d.it.port());
  c.send(all);
  for (int i = 0; i < 200; ++i) BOOST_TEST_REQUIRE(c.body() == "/" + std::to_string(i));
}

BOOST_AUTO_TEST_CASE(more_than_the_door_takes_ahead_is_read_when_it_is_wanted) {
  door d(settings());
  std::shared_ptr<response> first;
  d.script->answering = [&](asked a) {
    if (a.what.path == "/first")
      first = a.answer;
    else
      a.answer->reply(200, {}, make_bytes(a.what.path));
  };
  tls_caller c(d.it.port()), other(d.it.port());
  // While the first waits for its answer the door reads 36 KiB ahead and no more: the rest of the third record, the
  // last, stays in TLS, where no event of the socket tells of it.
  const auto filler = "X: " + std::string(7000, 'x') + "\r\n";
  std::string all = get("/first");
  for (int i = 0; i < 6; ++i) all += get("/" + std::to_string(i), filler);
  c.send(all);
  const auto ask_other = [&] {
    other.send(get("/other"));
    BOOST_TEST_REQUIRE(other.body() == "/other");
  };
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(10); // a busy machine may bring the later bytes first
  while (!first && std::chrono::steady_clock::now() < until) ask_other();
  BOOST_TEST_REQUIRE(!!first);
  for (int i = 0; i < 3; ++i) ask_other(); // by now it has read what it wants
  std::exchange(first, nullptr)->reply(200, {}, make_bytes("first"));
  BOOST_TEST(c.body() == "first");
  for (int i = 0; i < 6; ++i) BOOST_TEST_REQUIRE(c.body() == "/" + std::to_string(i));
}

BOOST_AUTO_TEST_CASE(the_end_of_an_answer_is_told_before_the_connection_closes) {
  door d(settings());
  d.echo_paths();
  tls_caller c(d.it.port());
  c.send(get("/a", "Connection: close\r\n"));
  BOOST_TEST(c.body() == "/a");
  BOOST_TEST(c.ended());
  tls_caller refused(d.it.port()); // where the rest of what was sent is read away
  refused.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\nsome of it");
  BOOST_TEST(refused.body().find("too large") != std::string::npos);
  BOOST_TEST(refused.ended());
}

BOOST_AUTO_TEST_CASE(who_says_goodbye_or_hangs_up_has_left) {
  door d(settings());
  for (bool politely : {true, false}) {
    counter left;
    auto c = std::make_unique<tls_caller>(d.it.port());
    c->send(get());
    auto a = d.script->next();
    a.answer->on_caller_left([&] { left.raise(); });
    if (politely)
      SSL_shutdown(c->stream());
    else
      c.reset();
    BOOST_TEST(left.reaches(1));
  }
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(http_in_the_clear_is_told_so_and_closed) {
  door d(settings());
  auto c = d.call();
  const auto answer = c.ask(post("body"));
  BOOST_TEST(answer.status == 400);
  BOOST_TEST(answer.body.find("https://") != std::string::npos);
  BOOST_TEST(c.closed());
  BOOST_TEST(d.empties());
  BOOST_TEST(d.script->handled.value() == 0u);
}

BOOST_AUTO_TEST_CASE(tls_at_a_door_in_the_clear_is_an_error_and_no_request) {
  door d;
  tls_caller c(d.it.port());
  BOOST_TEST(!c.connected());
  BOOST_TEST(c.reason() == SSL_R_WRONG_VERSION_NUMBER); // a plain answer came
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(a_handshake_that_stalls_ends_with_the_heads_time_and_holds_up_nobody) {
  auto s = settings();
  s.header_timeout = 300ms;
  door d(s);
  d.echo_paths();
  auto silent = d.call();
  auto begun = d.call();
  begun.send("\x16\x03\x01\x02\x00\x01\x00"s); // of a client's first word
  tls_caller c(d.it.port());
  c.send(get("/a"));
  BOOST_TEST(c.body() == "/a");
  BOOST_TEST(silent.closed());
  BOOST_TEST(begun.closed());
}

BOOST_AUTO_TEST_CASE(places_are_bounded_for_half_handshakes_too) {
  auto s = settings();
  s.max_connections = 4;
  s.header_timeout = 300ms;
  door d(s);
  d.echo_paths();
  std::vector<caller> half;
  for (int i = 0; i < 40; ++i) {
    half.push_back(d.call());
    half.back().send("\x16\x03\x01\x02\x00"s);
  }
  BOOST_TEST(d.it.connections() <= 4u);
  half.clear();
  tls_caller c(d.it.port());
  c.send(get("/a"));
  BOOST_TEST(c.body() == "/a");
}

BOOST_AUTO_TEST_CASE(garbage_and_broken_handshakes_cost_only_their_own_connection) {
  auto s = settings();
  s.header_timeout = 2s;
  door d(s);
  d.echo_paths();
  std::mt19937 draw(7);
  const auto hello = client_hello(); // to be cut and bent
  tls_caller honest(d.it.port());
  for (int i = 0; i < 300; ++i) {
    auto bytes = hello;
    for (auto n = draw() % 4; n > 0; --n) bytes[draw() % bytes.size()] = static_cast<char>(draw());
    bytes.resize(draw() % (bytes.size() + 1));
    if (i % 3 == 0) bytes += std::string(draw() % 3000, static_cast<char>(draw()));
    auto c = d.call();
    c.send(bytes);
    if (i % 2) c.half_close();
    if (i % 50) continue;
    honest.send(get("/" + std::to_string(i)));
    BOOST_TEST_REQUIRE(honest.body() == "/" + std::to_string(i));
  }
  BOOST_TEST(d.script->handled.value() == 6u);
}

BOOST_AUTO_TEST_CASE(records_bent_after_the_handshake_end_the_connection) {
  door d(settings());
  tls_caller c(d.it.port());
  c.send("GET / HTTP/1.1\r\n");
  const auto record = "\x17\x03\x03\x00\x20"s + std::string(32, 'x');
  BOOST_TEST(::send(c.fd(), record.data(), record.size(), MSG_NOSIGNAL) == 37);
  BOOST_TEST(d.empties());
  BOOST_TEST(d.script->handled.value() == 0u);
}

BOOST_AUTO_TEST_CASE(nobody_negotiates_again) {
  door d(settings());
  d.echo_paths();
  tls_caller c(d.it.port(), {TLS1_2_VERSION, {}, nullptr, nullptr});
  BOOST_TEST_REQUIRE(c.connected());
  SSL_renegotiate(c.stream());
  SSL_do_handshake(c.stream());
  c.send(get("/a"));
  BOOST_TEST(c.body().starts_with("no answer"));
  BOOST_TEST(d.empties());
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_and_a_new_certificate_is_shown_to_whoever_comes_next) {
  door d(settings());
  d.echo_paths();
  tls_caller first(d.it.port());
  const auto before = serial_of(first);
  first.send(get("/a"));
  BOOST_TEST(first.body() == "/a"); // the ticket came before it
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(first.stream()),
                                                                          &SSL_SESSION_free);
  tls_caller second(d.it.port(), {0, {}, session.get(), nullptr});
  BOOST_TEST_REQUIRE(second.connected());
  BOOST_TEST(SSL_session_reused(second.stream()) == 1);

  d.it.use_tls(context(issue("its successor")));
  tls_caller third(d.it.port(), {0, {}, session.get(), nullptr});
  BOOST_TEST_REQUIRE(third.connected());
  BOOST_TEST(SSL_session_reused(third.stream()) == 0);
  BOOST_TEST(serial_of(third) != before);
  for (auto* c : {&first, &second, &third}) { // those who were there go on
    c->send(get("/b"));
    BOOST_TEST(c->body() == "/b");
  }
}

BOOST_AUTO_TEST_CASE(a_flood_of_handshakes_holds_up_nobody_whose_connection_is_open) {
  certificate = issue("dear", nullptr, -1, 30, EVP_RSA_gen(3072));
  constexpr std::size_t strangers = 60;
  door d(settings());
  std::promise<void> held, go;
  d.script->answering = [&](asked a) { // on the loop's thread
    if (a.what.path == "/hold") {
      held.set_value();
      go.get_future().wait();
    }
    a.answer->reply(200, {}, make_bytes(a.what.path));
  };
  tls_caller holder(d.it.port()), open(d.it.port());
  BOOST_TEST_REQUIRE(open.connected());
  std::vector<caller> flood;
  while (flood.size() < strangers) flood.push_back(d.call());
  while (d.it.connections() < strangers + 2) ::poll(nullptr, 0, 1);
  holder.send(get("/hold"));
  held.get_future().wait();
  const auto hello = client_hello();
  for (auto& c : flood) c.send(hello);
  open.send(get("/now")); // behind all of them
  go.set_value();
  BOOST_TEST(open.body() == "/now");
  const auto served = std::count_if(flood.begin(), flood.end(), [](auto& c) { return c.receive(0ms); });
  BOOST_TEST(served < static_cast<std::ptrdiff_t>(strangers) / 2);
  for (auto& c : flood) BOOST_TEST(c.take(1).size() == 1u); // each has its turn
}

BOOST_AUTO_TEST_CASE(certificates_are_asked_for_where_they_are_wanted_and_names_let_in) {
  const auto authority = issue("authority"), other = issue("other authority");
  const auto node = issue("node", &authority), alice = issue("alice", &authority), bob = issue("bob", &authority),
             impostor = issue("alice", &other);
  const auto answer = [&](std::vector<std::string> names, const issued* own, int version) {
    auto s = settings();
    s.tls =
        std::make_shared<const tls_context>(node.cert, node.key, tls_context::guests{authority.cert, std::move(names)});
    door d(s);
    d.echo_paths();
    tls_caller c(d.it.port(), {version, {}, nullptr, own});
    return c.connected() && c.send(get("/in")) && c.body() == "/in"; // of TLS 1.3 a client is refused after its part
  };
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST(answer({}, &alice, version));
    BOOST_TEST(answer({}, &bob, version));
    BOOST_TEST(answer({"carol", "alice"}, &alice, version));
    BOOST_TEST(answer({"localhost"}, &bob, version)); // by a DNS name
    BOOST_TEST(!answer({}, nullptr, version));
    BOOST_TEST(!answer({}, &impostor, version));
    BOOST_TEST(!answer({"alice"}, &impostor, version));
    BOOST_TEST(!answer({"alice"}, &bob, version));
    for (const char* near : {"alic", "alice2", "*", "*host", "127.0.0.1"}) BOOST_TEST(!answer({near}, &alice, version));
  }
}

BOOST_AUTO_TEST_CASE(an_authority_is_needed_where_certificates_are_asked_for) {
  BOOST_CHECK_THROW(tls_context(certificate.cert, certificate.key, {"", {}}), std::runtime_error);
  BOOST_CHECK_THROW(tls_context(certificate.cert, certificate.key, {"rubbish", {}}), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_context_needs_a_certificate_and_its_key) {
  const auto other = issue("another");
  BOOST_CHECK_THROW(tls_context("", certificate.key), std::runtime_error);
  BOOST_CHECK_THROW(tls_context(certificate.cert, ""), std::runtime_error);
  BOOST_CHECK_THROW(tls_context(certificate.cert, other.key), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace tls_test
