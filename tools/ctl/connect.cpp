#include "tools/ctl/connect.hpp"

#include "config/certificate.hpp"
#include "tools/ctl/tls_probe.hpp"

#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>

namespace mainstay::ctl {

namespace {

constexpr auto patience = std::chrono::seconds(5);

} // namespace

std::string faults_of(const certificate_files& files) {
  if (!files.any()) return "";
  if (files.cert.empty() || files.key.empty() || files.ca.empty())
    return "--tls-cert, --tls-key and --tls-ca go together";
  std::string all;
  const auto note = [&](config::certificate_part, bool error, const std::string& what) {
    if (error) all += (all.empty() ? "" : "\n") + what;
  };
  config::read_certificate({files.cert, files.key, files.ca}, note);
  return all;
}

void use(const certificate_files& files, caf::actor_system_config& config) {
  if (!files.any()) return;
  config.load<caf::openssl::manager>();
  config.openssl_certificate = files.cert;
  config.openssl_key = files.key;
  config.openssl_cafile = files.ca;
}

caf::io::middleman_actor connector(caf::actor_system& sys) {
  return sys.has_openssl_manager() ? sys.openssl_manager().actor_handle() : sys.middleman().actor_handle();
}

connection connect(caf::actor_system& sys, const console_address& where, const certificate_files& files) {
  connection out;
  caf::scoped_actor self{sys};
  self->request(connector(sys), patience, caf::connect_atom::value, where.host, where.port)
      .receive(
          [&](const caf::node_id&, const caf::strong_actor_ptr& found, const std::set<std::string>& speaks) {
            if (!found)
              out.why_not = "nobody answers there";
            else if (!sys.assignable(speaks, sys.message_types(caf::detail::type_list<console_actor>{})))
              out.why_not = "it is not a console of this version";
            else
              out.console = caf::actor_cast<console_actor>(found);
          },
          [&](const caf::error& e) { out.why_not = to_string(e); });
  if (out.console) return out;
  if (auto why = probe_tls(where.host, where.port, files); !why.empty()) out.why_not = std::move(why);
  return out;
}

} // namespace mainstay::ctl
