// What doors are encrypted with: certificates, which are read from their files here, and ZeroMQ's CURVE keys.
#include "config/certificate.hpp"
#include "config/sections.hpp"

#include "core/z85.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::size_t z85_key_size = 40;

/// The certificate in the files that `s` names under cert, key and, where it is mutual, ca.
std::optional<certificate> read_files(const section& s, bool mutual) {
  certificate_paths paths;
  bool all = true;
  const auto take = [&](const char* key, std::string& out) {
    const auto* c = s.need(key);
    const auto path = c ? c->text() : std::nullopt;
    if (path && path->text.empty()) c->error("is empty: name a file");
    all = all && path && !path->text.empty();
    if (path) out = path->text;
  };
  take("cert", paths.cert);
  take("key", paths.key);
  if (mutual) take("ca", paths.ca);
  if (!all) return std::nullopt;
  return read_certificate(paths, [&](certificate_part part, bool error, const std::string& what) {
    const auto* at = s.find(part == certificate_part::cert ? "cert" : part == certificate_part::key ? "key" : "ca");
    error ? at->error(what) : at->warn(what);
  });
}

} // namespace

std::optional<certificate> read_tls(const cursor& at) { return read_files(section(at, {"cert", "key"}), false); }

std::optional<certificate> read_mutual_tls(const cursor& at) {
  return read_files(section(at, {"cert", "key", "ca"}), true);
}

std::optional<curve_settings> read_curve(const cursor& at) {
  curve_settings out;
  const section s(at, {"secret_key", "clients"});
  const auto decode = [](const std::string& text) {
    return text.size() == z85_key_size ? z85_decode(text) : std::nullopt;
  };
  if (const auto* c = s.need("secret_key"))
    if (const auto key = c->secret_value()) {
      auto bytes = decode(key->value.reveal());
      if (key->value.empty())
        c->error("is empty: set " + key->defaulted);
      else if (!bytes)
        c->error("is no key: 40 characters of Z85 are needed, as zmq.curve_keypair() makes them");
      else
        out.secret_key = secret(std::move(*bytes));
    }
  if (const auto* c = s.need("clients"))
    for (const auto& item : c->items()) {
      const auto key = item.text();
      auto bytes = key ? decode(key->text) : std::nullopt;
      if (key && !bytes)
        item.error("is no public key: 40 characters of Z85 are needed, as zmq.curve_keypair() makes them");
      else if (bytes && std::find(out.clients.begin(), out.clients.end(), *bytes) != out.clients.end())
        item.error("is in this list already");
      else if (bytes)
        out.clients.push_back(std::move(*bytes));
    }
  return out;
}

} // namespace mainstay::config
