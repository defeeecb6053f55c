// PEM by OpenSSL. That a certificate is strong enough is asked of a context such as the doors use.
#include "config/certificate.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <vector>

namespace mainstay::config {
namespace {

constexpr std::size_t largest_file = 1u << 20; // a bundle of all public authorities takes a quarter

struct free_openssl {
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
  void operator()(X509_STORE* p) const noexcept { X509_STORE_free(p); }
  void operator()(X509_STORE_CTX* p) const noexcept { X509_STORE_CTX_free(p); }
};
template <class T>
using owned = std::unique_ptr<T, free_openssl>;
using certificates = std::vector<owned<X509>>;

owned<BIO> bio_over(const std::string& pem) {
  return owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// Never asks at a terminal; notes that it would have had to.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::string last_reason() {
  const auto* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "it is malformed";
}

std::string date_of(const ASN1_TIME* time) {
  std::tm t{};
  char out[16] = "an unknown date";
  if (ASN1_TIME_to_tm(time, &t) == 1) std::strftime(out, sizeof out, "%Y-%m-%d", &t);
  return out;
}

class reader {
public:
  reader(const certificate_paths& paths, const certificate_finding& tell) : paths_(paths), tell_(tell) {}

  certificate read() {
    certificate out;
    std::string key;
    // All of them are looked at, so that every error is told at once.
    const bool has_chain = bytes_of(certificate_part::cert, paths_.cert, out.chain);
    const bool has_key = bytes_of(certificate_part::key, paths_.key, key);
    const bool has_ca = !paths_.ca.empty() && bytes_of(certificate_part::ca, paths_.ca, out.ca);
    const auto chain = has_chain ? all_in(certificate_part::cert, out.chain) : certificates{};
    const auto authorities = has_ca ? all_in(certificate_part::ca, out.ca) : certificates{};
    const auto private_key = has_key ? key_in(key) : nullptr;
    if (!chain.empty()) judge(*chain.front());
    if (!chain.empty() && private_key && X509_check_private_key(chain.front().get(), private_key.get()) != 1)
      error(certificate_part::key, "does not belong to the certificate in " + paths_.cert);
    if (!chain.empty() && !authorities.empty()) check_issuer(chain, authorities);
    ERR_clear_error();
    if (wrong_) return {};
    out.key = secret(std::move(key));
    return out;
  }

private:
  const std::string& path(certificate_part p) const {
    return p == certificate_part::cert ? paths_.cert : p == certificate_part::key ? paths_.key : paths_.ca;
  }
  void error(certificate_part p, const std::string& what) {
    wrong_ = true;
    tell_(p, true, path(p) + " " + what);
  }
  void warn(certificate_part p, const std::string& what) { tell_(p, false, path(p) + " " + what); }

  bool bytes_of(certificate_part part, const std::string& from, std::string& out) {
    struct stat facts {};
    if (::stat(from.c_str(), &facts) != 0)
      return error(part, std::string("cannot be read: ") + std::strerror(errno)), false;
    if (!S_ISREG(facts.st_mode)) return error(part, "cannot be read: it is not a regular file"), false;
    std::ifstream file(from, std::ios::binary);
    if (!file) return error(part, std::string("cannot be read: ") + std::strerror(errno)), false;
    out.resize(largest_file + 1);
    file.read(out.data(), static_cast<std::streamsize>(out.size()));
    out.resize(static_cast<std::size_t>(file.gcount()));
    if (file.bad()) return error(part, "cannot be read to its end"), false;
    if (out.size() > largest_file) return error(part, "is larger than 1MiB"), false;
    if (part == certificate_part::key && facts.st_mode & S_IROTH)
      warn(part, "can be read by everybody on this machine: chmod o-r");
    return true;
  }

  certificates all_in(certificate_part part, const std::string& pem) {
    certificates out;
    const auto from = bio_over(pem);
    ERR_clear_error();
    while (auto* one = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)) out.emplace_back(one);
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) { // the end, or nothing at all
      if (out.empty()) error(part, "holds no certificate: PEM is needed, -----BEGIN CERTIFICATE-----");
      return out;
    }
    error(part, "holds a certificate that cannot be read: " + last_reason());
    return {};
  }

  owned<EVP_PKEY> key_in(const std::string& pem) {
    bool passphrase = false;
    ERR_clear_error();
    owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio_over(pem).get(), nullptr, no_passphrase, &passphrase));
    if (key) return key;
    if (passphrase)
      error(certificate_part::key, "is locked with a passphrase: store it without one, for the daemon's user alone");
    else
      error(certificate_part::key, "holds no private key: PEM is needed, -----BEGIN PRIVATE KEY-----");
    return nullptr;
  }

  void judge(X509& own) {
    if (X509_cmp_current_time(X509_get0_notAfter(&own)) < 0)
      warn(certificate_part::cert, "expired on " + date_of(X509_get0_notAfter(&own)) + ": callers will refuse it");
    else if (X509_cmp_current_time(X509_get0_notBefore(&own)) > 0)
      warn(certificate_part::cert,
           "is not valid before " + date_of(X509_get0_notBefore(&own)) + ": callers will refuse it");
    ERR_clear_error();
    const owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
    if (context && SSL_CTX_use_certificate(context.get(), &own) != 1)
      error(certificate_part::cert, "holds a certificate that cannot be served: " + last_reason());
  }

  /// Whoever is shown it checks it against the same authorities.
  void check_issuer(const certificates& chain, const certificates& authorities) {
    const owned<X509_STORE> store(X509_STORE_new());
    for (auto& a : authorities) X509_STORE_add_cert(store.get(), a.get());
    const owned<X509_STORE_CTX> check(X509_STORE_CTX_new());
    auto* between = sk_X509_new_null();
    for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
    if (X509_STORE_CTX_init(check.get(), store.get(), chain.front().get(), between) == 1) {
      X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
      if (X509_verify_cert(check.get()) != 1)
        error(certificate_part::cert, "was not issued by the authority in " + paths_.ca + ": " +
                                          X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get())));
    }
    sk_X509_free(between);
  }

  const certificate_paths& paths_;
  const certificate_finding& tell_;
  bool wrong_ = false;
};

} // namespace

certificate read_certificate(const certificate_paths& paths, const certificate_finding& tell) {
  return reader(paths, tell).read();
}

} // namespace mainstay::config
