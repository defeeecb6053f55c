// What doors are encrypted with: certificates in files of all sorts, CURVE keys, and that off loopback nothing is in
// the clear unless that is said.
#include "tests/config/sample.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"

#include <openssl/rsa.h>
#include <sys/stat.h>

namespace tls_test {

using namespace mainstay;
using namespace mainstay::config;
using namespace mainstay::config::testing;
using mainstay::test::issue;

namespace {

const std::string client = "clients: [ { name: app, key: 0123456789abcdef } ]\n";
const std::string secret_z85 = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"; // of the specification's example
const std::string public_z85 = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

struct files : mainstay::test::folder {
  mainstay::test::issued authority = issue("an authority"), own = issue("a door", &authority);

  files() {
    enter(); // so that names are short, and columns known
    write("cert.pem", own.cert);
    put_key("key.pem", own.key);
    write("ca.pem", authority.cert);
  }
  void put_key(const std::string& name, const std::string& text) {
    write(name, text);
    ::chmod(path(name).c_str(), 0600);
  }
  loaded with_tls(const std::string& files = "cert: cert.pem, key: key.pem") {
    return load(with_doors("doors: { http: { listen: 127.0.0.1:1, tls: { " + files + " } } }\n"));
  }
  loaded with_node_tls(const std::string& files = "cert: cert.pem, key: key.pem, ca: ca.pem") {
    return load(with("tls: { " + files + " }\n"));
  }
};

loaded with_curve(const std::string& curve, variables values = {}) {
  return load(with_doors("doors: { zmq: { listen: tcp://127.0.0.1:1, curve: { " + curve + " } } }\n"), values);
}

bool has(const std::vector<problem>& all, const std::string& text) {
  return std::any_of(all.begin(), all.end(), [&](auto& p) { return to_string(p).find(text) != std::string::npos; });
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(encryption, files)

BOOST_AUTO_TEST_CASE(a_certificate_is_read_whole_with_what_stands_behind_it) {
  write("chain.pem", own.cert + authority.cert);
  const auto result = with_tls("cert: chain.pem, key: key.pem");
  expect_fine(result);
  BOOST_TEST(result.warnings.size() == 0u, all(result));
  BOOST_TEST(result.value->doors.http->tls->chain == own.cert + authority.cert);
  BOOST_TEST(result.value->doors.http->tls->key.reveal() == own.key);
  const auto node = with_node_tls();
  expect_fine(node);
  BOOST_TEST(node.value->tls->ca == authority.cert);
}

BOOST_AUTO_TEST_CASE(a_door_of_tls_needs_both_files_and_the_node_an_authority_too) {
  expect_error(with_tls("cert: cert.pem"), "m.yaml:1:44: doors.http.tls.key: is missing");
  expect_error(with_tls("cert: \"\", key: key.pem"), "m.yaml:1:52: doors.http.tls.cert: is empty: name a file");
  expect_error(with_node_tls("cert: cert.pem, key: key.pem"), "m.yaml:1:6: tls.ca: is missing");
}

BOOST_AUTO_TEST_CASE(files_that_are_not_there_or_hold_something_else_are_named) {
  write("text", "hello\n");
  write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  expect_error(with_tls("cert: nowhere.pem, key: key.pem"),
               "m.yaml:1:52: doors.http.tls.cert: nowhere.pem cannot be read: No such file or directory");
  expect_error(
      with_tls("cert: text, key: key.pem"),
      "m.yaml:1:52: doors.http.tls.cert: text holds no certificate: PEM is needed, -----BEGIN CERTIFICATE-----");
  BOOST_TEST(has(with_tls("cert: broken.pem, key: key.pem").errors,
                 "doors.http.tls.cert: broken.pem holds a certificate that cannot be read: "));
  expect_error(with_tls("cert: ., key: key.pem"),
               "m.yaml:1:52: doors.http.tls.cert: . cannot be read: it is not a regular file");
  expect_error(
      with_tls("cert: cert.pem, key: cert.pem"),
      "m.yaml:1:67: doors.http.tls.key: cert.pem holds no private key: PEM is needed, -----BEGIN PRIVATE KEY-----");
  write("large", std::string((1 << 20) + 1, 'x'));
  expect_error(with_tls("cert: large, key: key.pem"), "m.yaml:1:52: doors.http.tls.cert: large is larger than 1MiB");
  BOOST_TEST(has(with_tls("cert: nowhere.pem, key: nowhere.key").errors, "nowhere.key cannot be read")); // all at once
}

BOOST_AUTO_TEST_CASE(a_key_of_another_certificate_or_behind_a_passphrase_is_an_error) {
  put_key("other.pem", issue("another").key);
  expect_error(with_tls("cert: cert.pem, key: other.pem"),
               "m.yaml:1:67: doors.http.tls.key: other.pem does not belong to the certificate in cert.pem");
  auto* key = EVP_EC_gen("P-256");
  put_key("locked.pem", mainstay::test::detail::pem([&](BIO* to) {
            PEM_write_bio_PrivateKey(to, key, EVP_aes_128_cbc(), reinterpret_cast<const unsigned char*>("word"), 4,
                                     nullptr, nullptr);
          }));
  EVP_PKEY_free(key);
  expect_error(with_tls("cert: cert.pem, key: locked.pem"),
               "m.yaml:1:67: doors.http.tls.key: locked.pem is locked with a passphrase: store it without one, for the "
               "daemon's user alone");
}

BOOST_AUTO_TEST_CASE(a_certificate_too_weak_to_be_served_is_an_error) {
  const auto weak = issue("weak", nullptr, -1, 30, EVP_RSA_gen(1024));
  write("weak.pem", weak.cert);
  put_key("weak.key", weak.key);
  expect_error(
      with_tls("cert: weak.pem, key: weak.key"),
      "m.yaml:1:52: doors.http.tls.cert: weak.pem holds a certificate that cannot be served: ee key too small");
}

BOOST_AUTO_TEST_CASE(expired_and_early_certificates_and_keys_that_anybody_can_read_are_warnings) {
  const auto expired = issue("expired", nullptr, -60, 30), early = issue("early", nullptr, 10);
  write("expired.pem", expired.cert);
  put_key("expired.key", expired.key);
  write("early.pem", early.cert);
  write("early.key", early.key);
  ::chmod(path("early.key").c_str(), 0644);
  auto result = with_tls("cert: expired.pem, key: expired.key");
  expect_fine(result);
  BOOST_TEST(has(result.warnings, "doors.http.tls.cert: expired.pem expired on 20"));
  result = with_tls("cert: early.pem, key: early.key");
  expect_fine(result);
  BOOST_TEST(has(result.warnings, "early.pem is not valid before 20"));
  BOOST_TEST(has(result.warnings, "early.key can be read by everybody on this machine: chmod o-r"));
}

BOOST_AUTO_TEST_CASE(a_node_whose_certificate_its_own_authority_did_not_issue_would_be_refused_by_all) {
  write("ca.pem", issue("another authority").cert);
  const auto result = with_node_tls();
  BOOST_TEST_REQUIRE(result.errors.size() == 1u, all(result));
  BOOST_TEST(has(result.errors, "tls.cert: cert.pem was not issued by the authority in ca.pem: "));
  write("ca.pem", issue("another authority").cert + authority.cert); // while authorities change there are two
  expect_fine(with_node_tls());
}

BOOST_AUTO_TEST_CASE(off_loopback_nothing_is_in_the_clear_unless_that_is_said) {
  const std::string metrics_token = ", token: 0123456789abcdef";
  struct exposed {
    std::string http, way;
    std::string encrypted;
  };
  const std::string curve = "curve: { secret_key: \"" + secret_z85 + "\", clients: [ \"" + public_z85 + "\" ] }";
  for (const auto& [door, way, encrypted] :
       {exposed{"http: { listen: 0.0.0.0:1 }", "tls", "tls: { cert: cert.pem, key: key.pem }"},
        exposed{"zmq: { listen: tcp://0.0.0.0:1 }", "curve", curve},
        exposed{"http: { listen: 127.0.0.1:1 }, metrics: { listen: 0.0.0.0:2" + metrics_token + " }", "tls",
                "tls: { cert: cert.pem, key: key.pem }"}}) {
    const auto with_more = [&, &door = door](const std::string& more) {
      auto text = door;
      text.insert(text.rfind('}'), more);
      return load(with_doors("doors: { " + text + " }\n" + client));
    };
    const auto refused = with_more("");
    BOOST_TEST_REQUIRE(refused.errors.size() == 1u, all(refused));
    BOOST_TEST(refused.errors[0].what == "listens off loopback, where others could read along: add " + way +
                                             ", or write cleartext: true where something in front encrypts, or listen "
                                             "on 127.0.0.1");
    const auto said = with_more(", cleartext: true ");
    expect_fine(said);
    BOOST_TEST(has(said.warnings, "listens off loopback in the clear, as cleartext says"));
    BOOST_TEST(with_more(", cleartext: false ").errors.size() == 1u);
    const auto closed = with_more(", " + encrypted + " ");
    expect_fine(closed);
    BOOST_TEST(!has(closed.warnings, "in the clear"));
    const auto both = with_more(", cleartext: true, " + encrypted + " ");
    BOOST_TEST(has(both.errors, ".cleartext: contradicts " + way + ": take one of them out"));
  }
}

BOOST_AUTO_TEST_CASE(the_console_leaves_loopback_with_mutual_tls_alone) {
  const auto at = [](const std::string& admin, const std::string& more = "") {
    return load(with_doors("doors: { http: { listen: 127.0.0.1:1 }, admin: { " + admin + " } }\n" + more));
  };
  expect_error(at("listen: 0.0.0.0:2"),
               "m.yaml:1:58: doors.admin.listen: listens off loopback, where anybody could call: add the section tls "
               "(cert, key, ca), or listen on 127.0.0.1");
  expect_fine(at("listen: 0.0.0.0:2", "tls: { cert: cert.pem, key: key.pem, ca: ca.pem }\n"));
  BOOST_TEST(has(at("listen: 0.0.0.0:2, cleartext: true").errors,
                 "doors.admin.cleartext: is not for the console, which knows its callers by their certificates"));
}

BOOST_AUTO_TEST_CASE(operators_are_named_as_certificates_have_them) {
  const auto named = [](const std::string& names, bool tls = true) {
    return load(with_doors("doors: { http: { listen: 127.0.0.1:1 }, admin: { listen: 127.0.0.1:2, clients: " + names +
                           " } }\n" + (tls ? "tls: { cert: cert.pem, key: key.pem, ca: ca.pem }\n" : "")));
  };
  const auto good = named("[ alice, ops.example.com ]");
  expect_fine(good);
  BOOST_TEST((good.value->doors.admin_clients == std::vector<std::string>{"alice", "ops.example.com"}));
  BOOST_TEST(has(named("[ ]").errors, "doors.admin.clients: is an empty list"));
  BOOST_TEST(has(named("[ alice, alice ]").errors, "doors.admin.clients[1]: is in this list already"));
  for (const char* pattern : {"\"*\"", "\"*.example.com\"", ".example.com"})
    BOOST_TEST(has(named("[ " + std::string(pattern) + " ]").errors, "doors.admin.clients[0]: is a pattern"));
  BOOST_TEST(has(named("[ alice ]", false).errors,
                 "doors.admin.clients: are names in certificates, and there are none without the section tls"));
}

BOOST_AUTO_TEST_CASE(curve_keys_are_read_as_zeromq_writes_them) {
  const auto result =
      with_curve("secret_key: \"${SECRET}\", clients: [ \"" + public_z85 + "\" ]", {{"SECRET", secret_z85}});
  expect_fine(result);
  const auto& curve = *result.value->doors.zmq->curve;
  BOOST_TEST(curve.secret_key.reveal().size() == 32u);
  BOOST_TEST(static_cast<unsigned char>(curve.secret_key.reveal()[0]) == 0x8e);
  BOOST_TEST_REQUIRE(curve.clients.size() == 1u);
  BOOST_TEST(static_cast<unsigned char>(curve.clients[0][0]) == 0x54);
}

BOOST_AUTO_TEST_CASE(curve_needs_a_key_and_clients_that_are_listed) {
  const auto ok = "clients: [ \"" + public_z85 + "\" ]";
  BOOST_TEST(has(with_curve(ok).errors, "doors.zmq.curve.secret_key: is missing"));
  BOOST_TEST(has(with_curve("secret_key: \"" + secret_z85 + "\"").errors, "doors.zmq.curve.clients: is missing"));
  BOOST_TEST(has(with_curve("secret_key: \"" + secret_z85 + "\", clients: [ ]").errors,
                 "doors.zmq.curve.clients: is an empty list"));
  for (const auto& wrong : {secret_z85.substr(1), secret_z85 + "a", "~" + secret_z85.substr(1)}) {
    const auto result = with_curve("secret_key: \"" + wrong + "\", " + ok);
    BOOST_TEST(has(result.errors, "doors.zmq.curve.secret_key: is no key: 40 characters of Z85 are needed"));
    BOOST_TEST(!has(result.errors, wrong));
  }
  BOOST_TEST(has(with_curve("secret_key: \"${NONE:-}\", " + ok).errors, "is empty: set NONE"));
  BOOST_TEST(has(with_curve("secret_key: \"" + secret_z85 + "\", clients: [ short ]").errors,
                 "doors.zmq.curve.clients[0]: is no public key: 40 characters of Z85 are needed"));
  BOOST_TEST(
      has(with_curve("secret_key: \"" + secret_z85 + "\", clients: [ \"" + public_z85 + "\", \"" + public_z85 + "\" ]")
              .errors,
          "doors.zmq.curve.clients[1]: is in this list already"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace tls_test
