// OpenSSL over a BIO of our own: its socket BIO would raise SIGPIPE. Parts are gathered into records, for a record of
// each part would cost 22 bytes and a system call.
#include "net/tls_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <sys/socket.h>

namespace mainstay {
namespace {

constexpr std::size_t record_size = 16u << 10; // the largest that TLS knows
constexpr auto ciphers_of_tls12 = "ECDHE+AESGCM:ECDHE+CHACHA20";

// --- the socket ---

int fd_of(BIO* b) noexcept { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(b))); }

int socket_read(BIO* b, char* to, int room) {
  ssize_t n = 0;
  do n = ::recv(fd_of(b), to, static_cast<std::size_t>(room), MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  BIO_clear_retry_flags(b);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(b);
  return static_cast<int>(n);
}

int socket_write(BIO* b, const char* from, int size) {
  ssize_t n = 0;
  do n = ::send(fd_of(b), from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  BIO_clear_retry_flags(b);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(b);
  return static_cast<int>(n);
}

long socket_control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mainstay socket");
    if (!m) throw std::bad_alloc();
    BIO_meth_set_read(m, socket_read);
    BIO_meth_set_write(m, socket_write);
    BIO_meth_set_ctrl(m, socket_control);
    return m;
  }();
  return method;
}

// --- the certificate ---

[[noreturn]] void refuse(const char* what) {
  const auto* reason = ERR_reason_error_string(ERR_peek_last_error());
  throw std::runtime_error(std::string(what) + (reason ? ": " + std::string(reason) : ""));
}

using bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

bio reading(const std::string& pem) { return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free}; }

int no_passphrase(char*, int, int, void*) { return -1; }

void use_chain(SSL_CTX* context, const std::string& pem) {
  const auto from = reading(pem);
  bool first = true;
  while (auto* one = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)) {
    const bool taken = first ? SSL_CTX_use_certificate(context, one) == 1 : SSL_CTX_add1_chain_cert(context, one) == 1;
    X509_free(one);
    if (!taken) refuse("the certificate cannot be served");
    first = false;
  }
  if (first) refuse("there is no certificate");
}

void use_key(SSL_CTX* context, const std::string& pem) {
  auto* key = PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, no_passphrase, nullptr);
  const bool taken = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
  EVP_PKEY_free(key);
  if (!taken) refuse("the key cannot be used");
}

/// A caller that speaks something else alone is told so by an alert, before it takes our answers for that.
int select_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned length,
                    void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const bool agreed =
      SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, offered, length) == OPENSSL_NPN_NEGOTIATED;
  *out = chosen;
  return agreed ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// --- who may come in ---

using name_list = std::vector<std::string>;

/// Where a context keeps its guests' names, which live as long as it does.
int names_place() {
  static const int place =
      SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, [](void*, void* names, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<name_list*>(names);
      });
  return place;
}

bool has_name(X509* shown, const name_list& names) {
  if (names.empty()) return true;
  constexpr unsigned as_they_are = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT;
  for (const auto& name : names)
    if (X509_check_host(shown, name.data(), name.size(), as_they_are, nullptr) == 1) return true;
  return false;
}

int verify_guest(X509_STORE_CTX* chain, void* names) {
  if (X509_verify_cert(chain) != 1) return 0;
  if (has_name(X509_STORE_CTX_get0_cert(chain), *static_cast<const name_list*>(names))) return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
  return 0;
}

void ask_for_certificates(SSL_CTX* context, tls_context::guests wanted) {
  const auto from = reading(wanted.authority);
  auto* store = SSL_CTX_get_cert_store(context);
  bool any = false;
  while (auto* one = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)) {
    const bool taken = X509_STORE_add_cert(store, one) == 1 && SSL_CTX_add_client_CA(context, one) == 1;
    X509_free(one);
    if (!taken) refuse("the authority cannot be used");
    any = true;
  }
  if (!any) refuse("there is no authority");
  ERR_clear_error(); // of the end of the text
  auto names = std::make_unique<name_list>(std::move(wanted.names));
  if (SSL_CTX_set_ex_data(context, names_place(), names.get()) != 1) throw std::bad_alloc();
  SSL_CTX_set_cert_verify_callback(context, verify_guest, names.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

} // namespace

void tls_context::deleter::operator()(ssl_ctx_st* p) const noexcept { SSL_CTX_free(p); }
void tls_stream::deleter::operator()(ssl_st* p) const noexcept { SSL_free(p); }

tls_context::tls_context(const std::string& chain, const std::string& key) : context_(SSL_CTX_new(TLS_method())) {
  auto* c = context_.get();
  ERR_clear_error();
  if (!c || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(c, ciphers_of_tls12) != 1)
    refuse("OpenSSL provides no TLS");
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                             SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); // tickets are the caller's to keep
  SSL_CTX_set_num_tickets(c, 1);
  SSL_CTX_set_alpn_select_cb(c, select_protocol, nullptr);
  use_chain(c, chain);
  use_key(c, key);
}

tls_context::tls_context(const std::string& chain, const std::string& key, guests wanted) : tls_context(chain, key) {
  ask_for_certificates(context_.get(), std::move(wanted));
}

tls_stream::tls_stream(const tls_context& context, int fd, side which) : stream_(SSL_new(context.context_.get())) {
  auto* socket = BIO_new(socket_method());
  if (!stream_ || !socket) {
    BIO_free(socket);
    throw std::bad_alloc();
  }
  BIO_set_data(socket, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(socket, 1);
  SSL_set_bio(stream_.get(), socket, socket); // which owns it now
  which == side::accepting ? SSL_set_accept_state(stream_.get()) : SSL_set_connect_state(stream_.get());
}

ssize_t tls_stream::read(char* to, std::size_t room) noexcept {
  ERR_clear_error();
  wants_room_ = false;
  return received(SSL_read(stream_.get(), to, static_cast<int>(std::min<std::size_t>(room, INT32_MAX))));
}

ssize_t tls_stream::await() noexcept {
  char first;
  ERR_clear_error();
  wants_room_ = false;
  return received(SSL_peek(stream_.get(), &first, 1));
}

ssize_t tls_stream::received(int n) noexcept {
  if (n > 0) return n;
  const int why = SSL_get_error(stream_.get(), n);
  wants_room_ = why == SSL_ERROR_WANT_WRITE;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
    return -1;
  }
  return fail(why);
}

ssize_t tls_stream::write(const iovec* parts, std::size_t count) noexcept {
  thread_local std::array<char, record_size> record;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count && size < record.size(); ++i) {
    const auto n = std::min(parts[i].iov_len, record.size() - size);
    std::memcpy(record.data() + size, parts[i].iov_base, n);
    size += n;
  }
  ERR_clear_error();
  const int n = SSL_write(stream_.get(), record.data(), static_cast<int>(size));
  if (n > 0) return n;
  const int why = SSL_get_error(stream_.get(), n);
  if (why != SSL_ERROR_WANT_WRITE) return fail(why) == 0 ? (errno = EPIPE, -1) : -1;
  errno = EAGAIN;
  return -1;
}

/// After these nothing more may be asked of the stream but its end.
ssize_t tls_stream::fail(int why) noexcept {
  if (why == SSL_ERROR_ZERO_RETURN) return 0;
  broken_ = true;
  const auto reason = ERR_GET_REASON(ERR_peek_error());
  if (const auto verdict = SSL_get_verify_result(stream_.get()); verdict != X509_V_OK)
    why_ = X509_verify_cert_error_string(verdict);
  else if (const auto* told = ERR_reason_error_string(ERR_peek_error()))
    why_ = told;
  plain_http_ = why == SSL_ERROR_SSL && (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
  ERR_clear_error();
  errno = EPROTO;
  return -1;
}

void tls_stream::end() noexcept {
  if (broken_ || !SSL_is_init_finished(stream_.get())) return;
  ERR_clear_error();
  SSL_shutdown(stream_.get());
  ERR_clear_error();
}

bool tls_stream::is_open() const noexcept { return SSL_is_init_finished(stream_.get()); }

bool tls_stream::is_welcome_to(const tls_context& context) const noexcept {
  auto* shown = SSL_get0_peer_certificate(stream_.get());
  const auto* names = static_cast<const name_list*>(SSL_CTX_get_ex_data(context.context_.get(), names_place()));
  return shown && names && has_name(shown, *names);
}

bool tls_stream::has_unread() const noexcept { return SSL_pending(stream_.get()) > 0; }

} // namespace mainstay
