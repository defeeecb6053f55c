// Certificates of a test's own: keys of P-256, issued on the spot by themselves or by one another.
#pragma once

#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string>

namespace mainstay::test {

/// PEM.
struct issued {
  std::string cert, key;
};

namespace detail {
template <class Write>
std::string pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  write(out.get());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}
} // namespace detail

/// For localhost and 127.0.0.1, valid for `days` from `first_day` on (0: today). By nobody: by itself, and an
/// authority.
inline issued issue(const std::string& name, const issued* by = nullptr, int first_day = -1, int days = 30,
                    EVP_PKEY* key = EVP_EC_gen("P-256")) {
  const auto reading = [](const std::string& text) {
    return BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  };
  X509* cert = X509_new();
  X509* issuer = cert;
  EVP_PKEY* signer = key;
  if (by) {
    BIO* in = reading(by->cert);
    issuer = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    in = reading(by->key);
    signer = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
  }
  X509_set_version(cert, 2);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert), 86400L * first_day);
  X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * (first_day + days));
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(issuer));
  const auto add = [&](int what, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  };
  add(NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
  add(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_sign(cert, signer, EVP_sha256());
  issued out{detail::pem([&](BIO* to) { PEM_write_bio_X509(to, cert); }),
             detail::pem([&](BIO* to) { PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr); })};
  if (by) {
    X509_free(issuer);
    EVP_PKEY_free(signer);
  }
  X509_free(cert);
  EVP_PKEY_free(key);
  return out;
}

} // namespace mainstay::test
