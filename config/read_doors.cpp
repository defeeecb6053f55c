// The doors, and the rule that nothing listens off loopback that cannot ask who is calling, or that others can read.
#include "config/sections.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::size_t shortest_token = 16; // as with clients' keys
constexpr std::size_t smallest_body_limit = 1u << 10, largest_body_limit = 1u << 30;

/// What a door says of its encryption. That it has none is to be said in so many words, and then be true.
struct encryption {
  bool has = false, cleartext = false;

  encryption() = default;
  encryption(const section& s, std::string_view key) : has(s.find(key) != nullptr) {
    s.flag("cleartext", cleartext);
    if (has && cleartext) s.find("cleartext")->error("contradicts " + std::string(key) + ": take one of them out");
  }
};

std::optional<listen_address> read_listen(const section& s, std::string door, const encryption& how, door_draft& out) {
  const auto* at = s.need("listen");
  const auto text = at ? at->text() : std::nullopt;
  if (!text) return std::nullopt;
  const auto address = parse_listen(text->text);
  if (!address)
    at->error("must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080");
  else
    out.places.push_back({std::move(door), *at, *address, is_loopback(address->host), how.has, how.cleartext});
  return address;
}

void read_http(const cursor& at, door_draft& out) {
  door_settings::http_door door;
  const section s(at, {"listen", "body_limit", "tls", "cleartext"});
  if (const auto* c = s.find("body_limit"))
    door.body_limit = c->size(smallest_body_limit, largest_body_limit).value_or(door.body_limit);
  if (const auto listen = read_listen(s, "http", {s, "tls"}, out)) door.listen = *listen;
  if (const auto* c = s.find("tls")) door.tls = read_tls(*c);
  out.value.http = door; // also when wrong: that is an error of its own, not a missing door
}

void read_zmq(const cursor& at, door_draft& out) {
  out.value.zmq.emplace();
  const section s(at, {"listen", "curve", "cleartext"});
  const encryption how(s, "curve");
  if (const auto* c = s.find("curve")) out.value.zmq->curve = read_curve(*c);
  const auto* listen = s.need("listen");
  const auto text = listen ? listen->text() : std::nullopt;
  if (!text) return;
  const auto address = parse_zmq_listen(text->text);
  if (!address) {
    listen->error("must be tcp://ADDRESS:PORT or ipc://PATH, such as tcp://127.0.0.1:5555");
    return;
  }
  out.value.zmq->listen = text->text;
  out.places.push_back({"zmq", *listen, address->tcp, address->loopback(), how.has, how.cleartext});
}

void read_admin(const cursor& at, door_draft& out) {
  const section s(at, {"listen", "clients", "cleartext"});
  if (const auto* c = s.find("cleartext"))
    c->error("is not for the console, which knows its callers by their certificates: take it out");
  out.value.admin = read_listen(s, "admin", {}, out);
  out.admin_clients = s.find("clients") ? std::optional(*s.find("clients")) : std::nullopt;
  if (out.admin_clients) out.value.admin_clients = read_certificate_names(*out.admin_clients);
}

void read_metrics(const cursor& at, door_draft& out) {
  const section s(at, {"listen", "token", "tls", "cleartext"});
  out.value.metrics = read_listen(s, "metrics", {s, "tls"}, out);
  if (const auto* c = s.find("tls")) out.value.metrics_tls = read_tls(*c);
  const auto* c = s.find("token");
  if (!c) return;
  out.value.metrics_token.emplace(); // also when wrong: that is an error of its own, not a missing token
  const auto token = c->secret_value();
  if (!token) return;
  if (token->value.empty())
    c->error("is empty: set " + token->defaulted + ", or take the token out");
  else if (token->value.reveal().size() < shortest_token)
    c->error("is shorter than " + std::to_string(shortest_token) + " characters and can be guessed");
  out.value.metrics_token = token->value;
}

void check_exposure(const door_draft::place& place, bool has_clients, bool has_token, bool has_tls) {
  if (place.loopback) return;
  if (place.door == "admin") {
    if (!has_tls)
      place.at.error(
          "listens off loopback, where anybody could call: add the section tls (cert, key, ca), or listen on "
          "127.0.0.1");
    return;
  }
  if (place.door == "cluster") {
    if (!has_tls && !place.cleartext)
      place.at.error(
          "goes beyond loopback, where anybody could be a node: add the section tls (cert, key, ca), or write "
          "cleartext: true where something else keeps strangers out, or stay on 127.0.0.1");
    else if (place.cleartext)
      place.at.warn("goes beyond loopback in the clear, as cleartext says: whoever reaches it can be a node");
    return;
  }
  if (place.door == "metrics" && !has_token)
    place.at.error("listens off loopback, where anybody could look: add a token, or listen on 127.0.0.1");
  else if (place.door != "metrics" && !has_clients)
    place.at.error("listens off loopback, where anybody could call: add clients with a key, or listen on 127.0.0.1");
  const std::string way = place.door == "zmq" ? "curve" : "tls";
  if (!place.encrypted && !place.cleartext)
    place.at.error("listens off loopback, where others could read along: add " + way +
                   ", or write cleartext: true where something in front encrypts, or listen on 127.0.0.1");
  else if (place.cleartext)
    place.at.warn("listens off loopback in the clear, as cleartext says: keys, prompts and answers can be read on the "
                  "way unless something in front encrypts");
}

/// Those of CAF's networking, which knows its doors by their ports alone.
bool are_of_caf(const door_draft::place& a, const door_draft::place& b) {
  const auto is = [](const door_draft::place& p) { return p.door == "admin" || p.door == "cluster"; };
  return is(a) && is(b);
}

} // namespace

std::vector<std::string> read_certificate_names(const cursor& at) {
  std::vector<std::string> all;
  for (const auto& item : at.items()) {
    const auto name = item.name();
    if (!name) continue;
    if (name->find('*') != name->npos || name->front() == '.')
      item.error("is a pattern: names stand here as certificates have them");
    else if (std::find(all.begin(), all.end(), *name) != all.end())
      item.error("is in this list already");
    else
      all.push_back(*name);
  }
  return all;
}

door_draft read_doors(const cursor& at) {
  door_draft out;
  const section s(at, {"http", "zmq", "admin", "metrics"});
  if (const auto* c = s.find("http")) read_http(*c, out);
  if (const auto* c = s.find("zmq")) read_zmq(*c, out);
  if (const auto* c = s.find("admin")) read_admin(*c, out);
  if (const auto* c = s.find("metrics")) read_metrics(*c, out);
  if (s.valid() && !s.find("http") && !s.find("zmq"))
    at.error("needs at least one of the doors http and zmq: nobody could send a request");
  return out;
}

void check_doors(const door_draft& doors, bool has_clients, bool has_tls) {
  const auto& places = doors.places;
  if (doors.admin_clients && !has_tls)
    doors.admin_clients->error("are names in certificates, and there are none without the section tls");
  if (doors.cluster_names && !has_tls)
    doors.cluster_names->error("are names in certificates, and there are none without the section tls");
  for (std::size_t i = 0; i < places.size(); ++i) {
    check_exposure(places[i], has_clients, doors.value.metrics_token.has_value(), has_tls);
    for (std::size_t j = 0; j < i; ++j)
      if (!places[i].address.host.empty() && !places[j].address.host.empty() &&
          collide(places[i].address, places[j].address)) {
        places[i].at.error("listens at the same address as the door " + places[j].door);
        break;
      } else if (are_of_caf(places[i], places[j]) && places[i].address.port == places[j].address.port &&
                 places[i].address.port != 0) {
        places[i].at.error("has the port of the door " + places[j].door +
                           ": these two need different ones, whatever the addresses");
        break;
      }
  }
}

} // namespace mainstay::config
