#include "tools/ctl/tls_probe.hpp"

#include <memory>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

struct deleter {
  void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
  void operator()(SSL* p) const noexcept { SSL_free(p); }
  void operator()(addrinfo* p) const noexcept { freeaddrinfo(p); }
};
template <class T>
using owned = std::unique_ptr<T, deleter>;

/// A connected socket whose every wait has a limit; negative: nobody is there.
int dial(const std::string& host, std::uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return -1;
  const owned<addrinfo> all(found);
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{2, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (fd >= 0 && ::connect(fd, found->ai_addr, found->ai_addrlen) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

/// What the node has told, or did wrong, in this handshake.
std::string judge(SSL* s, bool with_certificate) {
  const auto code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const auto* text = ERR_reason_error_string(code);
  if (reason == SSL_R_WRONG_VERSION_NUMBER)
    return with_certificate ? "it does not speak TLS: leave --tls-cert, --tls-key and --tls-ca out" : "";
  if (const auto verified = SSL_get_verify_result(s); with_certificate && verified != X509_V_OK)
    return std::string("its certificate was not issued by the authority in --tls-ca: ") +
           X509_verify_cert_error_string(verified);
  if (!with_certificate && SSL_get_version(s) && SSL_get0_peer_certificate(s))
    return "it speaks TLS: give --tls-cert, --tls-key and --tls-ca";
  if (reason > SSL_AD_REASON_OFFSET && text) return std::string("it refuses this console's certificate: ") + text;
  return "";
}

} // namespace

std::string probe_tls(const std::string& host, std::uint16_t port, const certificate_files& files) {
  const int fd = dial(host, port);
  if (fd < 0) return "";
  std::string why;
  const owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  const bool prepared =
      context &&
      (!files.any() || (SSL_CTX_use_certificate_chain_file(context.get(), files.cert.c_str()) == 1 &&
                        SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) == 1 &&
                        SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr) == 1));
  if (prepared) {
    SSL_CTX_set_verify(context.get(), files.any() ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    const owned<SSL> s(SSL_new(context.get()));
    SSL_set_fd(s.get(), fd);
    ERR_clear_error();
    char byte;
    // With TLS 1.3 our own certificate is judged after the handshake is done for us: the word comes with the first
    // read.
    if (SSL_connect(s.get()) != 1 || SSL_read(s.get(), &byte, 1) <= 0) why = judge(s.get(), files.any());
  }
  ::close(fd);
  return why;
}

} // namespace mainstay::ctl
