#include "tools/daemon/daemon.hpp"

#include "actors/entrance.hpp"
#include "actors/log.hpp"
#include "config/changed_clients.hpp"
#include "config/load.hpp"
#include "core/z85.hpp"
#include "tools/daemon/quiet_scheduler.hpp"

#include <caf/io/all.hpp>
#include <caf/io/network/multiplexer.hpp>

#include <csignal>
#include <future>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace mainstay {

namespace {

constexpr std::size_t scheduler_threads = 2;
constexpr auto flush_patience = 2s; // for answers that are still being written when the last run has ended
constexpr auto reload_patience = 5s, disk_patience = 5s;
constexpr int exit_cut = 3, exit_given_up = 4;
constexpr std::size_t most_scrapers = 256;

/// Callers who only hold connections open must not take the descriptors that calls to providers, the console and the
/// other doors need: the HTTP door may take half of all, the message-queue door, where a connection carries many
/// requests, a quarter.
constexpr std::size_t http_share = 2, zmq_share = 4;
constexpr std::size_t most_consoles = 256, console_share = 16; // where strangers may reach it
constexpr std::size_t spare_links = 32, peer_share = 8;        // beside two of each peer, for one may be a dead one

std::size_t most_callers(std::size_t wanted, std::size_t share) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min<std::size_t>(wanted, std::max<rlim_t>(1, limit.rlim_cur / share));
}

template <class Open>
auto open_file(const std::string& config_file, const char* key, Open open) {
  try {
    return open();
  } catch (const sqlite::error& e) {
    const bool locked = e.why() == sqlite::fault::locked;
    throw bad_setting(config_file + ": " + key + ": " + e.what() + (locked ? ": another process is using it" : ""));
  } catch (const audit_file_error& e) { throw bad_setting(config_file + ": " + key + ": " + e.what()); }
}

kept_files open_files(const std::string& config_file, const config::settings& s) {
  kept_files f;
  if (s.state)
    f.state = open_file(config_file, "state.path", [&] { return std::make_shared<state_store>(s.state->path); });
  if (s.journal)
    f.journal = open_file(config_file, "journal.path", [&] { return std::make_shared<journal_store>(*s.journal); });
  if (s.audit)
    f.audit = open_file(config_file, "privacy.audit.path", [&] { return std::make_shared<audit_store>(*s.audit); });
  return f;
}

/// What was named at the start stays; says so where the new configuration names something else.
std::string later_path(const char* key, const std::string& now, const std::string& wanted) {
  if (now == wanted) return "";
  return std::string(key) + ": takes effect with a restart; until then " +
         (now.empty() ? "nothing is kept" : now + " is written");
}

/// A door that was opened with encryption keeps it until a restart, for its address is the old one as well.
std::string later_door(const char* key, bool open, bool now, bool wanted) {
  if (!open || now == wanted) return "";
  return std::string(key) + ": takes effect with a restart; until then the door " +
         (now ? "keeps what it has" : "speaks in the clear");
}

std::shared_ptr<const tls_context> context_of(const std::optional<config::certificate>& c) {
  return c ? std::make_shared<const tls_context>(c->chain, c->key.reveal()) : nullptr;
}

/// Between nodes, mutual.
std::shared_ptr<const tls_context> peer_context(const config::settings& s, const config::cluster_settings& cluster) {
  const auto& c = s.tls;
  if (!c || cluster.cleartext) return nullptr;
  return std::make_shared<const tls_context>(c->chain, c->key.reveal(), tls_context::guests{c->ca, cluster.names});
}

/// Of the console, mutual.
std::shared_ptr<const tls_context> console_context(const config::settings& s) {
  const auto& c = s.tls;
  if (!c) return nullptr;
  return std::make_shared<const tls_context>(c->chain, c->key.reveal(),
                                             tls_context::guests{c->ca, s.doors.admin_clients});
}

std::shared_ptr<const mq::curve_keys> keys_of(const config::door_settings::zmq_door& door) {
  if (!door.curve) return nullptr;
  return mq::make_curve_keys(door.curve->secret_key.reveal(), {door.curve->clients.begin(), door.curve->clients.end()});
}

} // namespace

/// Measured on two cores (docs/architecture.md, "Threads"): CAF's defaults spend a quarter of a core polling.
class daemon::system_config : public caf::actor_system_config {
public:
  system_config() {
    load<quiet_scheduler>();
    load<caf::io::middleman>();
    add_message_types<caf::id_block::mainstay>();
    set("scheduler.policy", caf::atom("stealing"));
    set("scheduler.max-threads", scheduler_threads);
    set("work-stealing.aggressive-poll-attempts", size_t{10});
    set("work-stealing.moderate-poll-attempts", size_t{0});
    set("work-stealing.relaxed-sleep-duration", caf::timespan{50ms}); // what is sent to a sleeper wakes it
    set("middleman.workers", size_t{0}); // its own thread reads what comes: not one more to wake for every message
    set("middleman.app-identifiers", std::vector<std::string>{"mainstay-console-1"});
  }
};

daemon::daemon(std::string config_file, config::settings_ptr settings, bool json_logs)
  : json_logs_(json_logs), file_(std::move(config_file)), from_file_(std::move(settings)),
    kept_(open_files(file_, *from_file_)),
    changes_(kept_.state ? kept_.state->earlier_clients : std::vector<client_change>{}),
    settings_(config::with_changes(from_file_, changes_.all())), cluster_(settings_->cluster),
    live_(std::make_shared<live_settings>(settings_)), loop_(std::make_shared<event_loop>("mainstay-loop")),
    client_(std::make_shared<http::client>(loop_)), system_config_(std::make_unique<system_config>()),
    system_(std::make_unique<caf::actor_system>(*system_config_)), turn_(std::make_unique<turn>(*system_, loop_)) {
  supervision_settings supervision;
  supervision.on_give_up = [this](const std::string&, const std::string&) {
    given_up_ = true;
    ::kill(::getpid(), SIGTERM);
  };
  if (cluster_) links_ = std::make_shared<dialled_links>(*system_, peer_context(*settings_, *cluster_));
  house_ = start_household(*system_, *turn_, settings_, client_, kept_, hooks(), supervision);
  try {
    open_doors();
  } catch (...) {
    shut_down();
    throw;
  }
  ready_ = true;
  log::info("mainstayd {} is ready, node {}", MAINSTAY_VERSION, settings_->node);
}

daemon::~daemon() { shut_down(); }

void daemon::shut_down() {
  if (http_) http_->stop();
  if (zmq_) zmq_->stop();
  if (metrics_) metrics_->stop();
  {
    std::lock_guard lock(reloading_); // a console may be asking for one
    console_door_.reset();
    peer_door_.reset();
    if (links_) links_->close();
  }
  if (house_.supervisor) stop_household(*system_, house_);
  const auto last_word = std::exchange(house_, {}).last_word;
  client_.reset();
  if (system_) system_->await_all_actors_done(); // their last turns still come
  if (last_word) last_word();
  turn_.reset();
  links_.reset();
  system_.reset();
  loop_.reset();
}

daemon_hooks daemon::hooks() {
  daemon_hooks h;
  h.reload = [this] { return reload(); };
  h.change_client = [this](const client_order& o) { return change_client(o); };
  h.drain = [] { ::kill(::getpid(), SIGTERM); };
  h.ready = [this] { return ready_.load(); };
  h.version = MAINSTAY_VERSION;
  h.started = started_;
  h.json_logs = json_logs_;
  h.links = links_;
  return h;
}

void daemon::open_doors() {
  auto& doors = settings_->doors;
  if (doors.metrics) {
    http::server_settings s;
    s.address = doors.metrics->host;
    s.port = doors.metrics->port;
    s.max_connections = most_scrapers;
    s.tls = context_of(doors.metrics_tls);
    metrics_tls_ = s.tls != nullptr;
    metrics_ = std::make_unique<http::server>(
        loop_, s, make_metrics_door(*system_, live_, house_.names, [this] { return ready_.load(); }));
    metrics_->start();
    log::info("metrics door: {}://{}:{}/", s.tls ? "https" : "http", s.address, metrics_->port());
  }
  if (doors.admin) open_console(*doors.admin);
  if (settings_->cluster) open_to_peers(*settings_->cluster);
  if (doors.zmq) {
    mq::server_settings s;
    s.listen = {doors.zmq->listen};
    if (doors.http) s.body_limit = doors.http->body_limit;
    s.max_connections = most_callers(s.max_connections, zmq_share);
    s.curve = keys_of(*doors.zmq);
    curve_ = s.curve != nullptr;
    zmq_ = std::make_unique<mq::server>(loop_, s, make_zmq_door(live_, house_.names));
    zmq_->start();
    const auto key = s.curve ? ", CURVE with the public key " + z85_encode(s.curve->public_key) : "";
    for (auto& e : zmq_->endpoints()) log::info("message-queue door: {}{}", e, key);
  }
  if (doors.http) {
    http::server_settings s;
    s.address = doors.http->listen.host;
    s.port = doors.http->listen.port;
    s.body_limit = doors.http->body_limit;
    s.fault_headers = final_labels;
    s.max_connections = most_callers(s.max_connections, http_share);
    s.tls = context_of(doors.http->tls);
    http_tls_ = s.tls != nullptr;
    http_ = std::make_unique<http::server>(loop_, s, make_http_door(live_, house_.names));
    http_->start();
    log::info("http door: {}://{}:{}/v1", s.tls ? "https" : "http", s.address, http_->port());
  }
}

void daemon::open_console(const config::listen_address& at) {
  const auto console = entrance_of(house_.names->admin);
  try {
    if (auto tls = console_context(*settings_)) {
      console_door_ = std::make_unique<actor_door>(
          *system_, console,
          actor_door::terms{at.host, at.port, most_callers(most_consoles, console_share), std::move(tls)});
      return log::info("admin door: {}:{}, mutual TLS", at.host, console_door_->port());
    }
    const auto published = system_->middleman().publish(console, at.port, at.host.c_str(), true);
    if (!published) throw std::runtime_error(to_string(published.error()));
    log::info("admin door: {}:{}", at.host, *published);
  } catch (const std::runtime_error& e) {
    throw std::runtime_error("admin door: cannot listen on " + at.host + ":" + std::to_string(at.port) + ": " +
                             e.what());
  }
}

void daemon::open_to_peers(const config::cluster_settings& c) {
  const auto where = c.listen.host + ":" + std::to_string(c.listen.port);
  auto tls = peer_context(*settings_, c);
  peer_tls_ = tls != nullptr;
  const auto peers = c.peers.size();
  const auto most = std::max(peers + spare_links, most_callers(2 * peers + spare_links, peer_share));
  try {
    peer_door_ =
        std::make_unique<actor_door>(*system_, links_->entrance(house_.names->cluster),
                                     actor_door::terms{c.listen.host, c.listen.port, most, std::move(tls), true});
  } catch (const std::runtime_error& e) {
    throw std::runtime_error("cluster: cannot listen on " + where + ": " + e.what());
  }
  log::info("cluster: {}:{}{}, {} peers", c.listen.host, peer_door_->port(), peer_tls_ ? ", mutual TLS" : "", peers);
}

void daemon::renew_encryption() {
  auto& doors = settings_->doors;
  if (http_tls_ && doors.http && doors.http->tls) http_->use_tls(context_of(doors.http->tls));
  if (metrics_tls_ && doors.metrics && doors.metrics_tls) metrics_->use_tls(context_of(doors.metrics_tls));
  if (curve_ && doors.zmq && doors.zmq->curve) zmq_->use_keys(keys_of(*doors.zmq));
  if (console_door_ && settings_->tls) console_door_->use_tls(console_context(*settings_));
  if (!peer_tls_) return;
  auto cluster = *cluster_; // whose links go on if the new file has none
  if (settings_->cluster) cluster.names = settings_->cluster->names;
  if (const auto tls = peer_context(*settings_, cluster)) {
    peer_door_->use_tls(tls);
    links_->use_tls(tls);
  }
}

/// Who the nodes are, and whether they speak TLS, is settled at the start.
std::string daemon::later_cluster(const config::settings& s) const {
  const auto& c = s.cluster;
  const bool same = cluster_ && c && cluster_->address == c->address && cluster_->listen.host == c->listen.host &&
                    cluster_->listen.port == c->listen.port && cluster_->peers == c->peers &&
                    peer_tls_ == (s.tls && !c->cleartext);
  if (same || (!cluster_ && !c)) return "";
  return std::string("cluster: takes effect with a restart; until then ") +
         (cluster_ ? "this node keeps its peers" : "this node is alone");
}

std::string daemon::later_encryption(const config::settings& s) const {
  std::string all;
  const bool zmq = s.doors.zmq.has_value(), http = s.doors.http.has_value(), metrics = s.doors.metrics.has_value();
  for (const auto& one :
       {later_door("doors.http.tls", http_ && http, http_tls_, http && s.doors.http->tls),
        later_door("doors.metrics.tls", metrics_ && metrics, metrics_tls_, metrics && s.doors.metrics_tls),
        later_door("doors.zmq.curve", zmq_ && zmq, curve_, zmq && s.doors.zmq->curve),
        later_door("tls", settings_->doors.admin.has_value(), console_door_ != nullptr, s.tls.has_value())})
    if (!one.empty()) all += (all.empty() ? "" : "; ") + one;
  return all;
}

std::string daemon::later_settings(const config::settings& s) const {
  std::string all;
  for (const auto& one :
       {later_path("state.path", kept_.state ? kept_.state->file.path() : "", s.state ? s.state->path : ""),
        later_path("journal.path", kept_.journal ? kept_.journal->file.path() : "", s.journal ? s.journal->path : ""),
        later_path("privacy.audit.path", kept_.audit ? kept_.audit->path() : "", s.audit ? s.audit->path : ""),
        later_encryption(s), later_cluster(s)})
    if (!one.empty()) all += (all.empty() ? "" : "; ") + one;
  return all;
}

daemon_hooks::outcome daemon::reload() {
  std::lock_guard lock(reloading_);
  auto loaded = config::load_file(file_);
  for (auto& w : loaded.warnings) log::warn("{}", config::to_string(w));
  if (!loaded.errors.empty()) {
    std::string all;
    for (auto& e : loaded.errors) {
      log::error("{}", config::to_string(e));
      all += (all.empty() ? "" : "\n") + config::to_string(e);
    }
    log::error("reload: the configuration is wrong; the last good one stays");
    return {false, all};
  }
  from_file_ = loaded.value;
  settings_ = config::with_changes(from_file_, changes_.all());
  if (const auto why = tell_household(settings_); !why.empty()) return {false, why};
  live_->store(settings_); // last: whoever comes by the new configuration finds everybody told
  try {
    renew_encryption();
  } catch (const std::exception& e) { // no memory, no descriptors: what was there stays
    log::error("reload: certificates and keys of the doors stay as they were: {}", e.what());
    return {false, std::string("certificates and keys of the doors stay as they were: ") + e.what()};
  }
  log::info("reload: configuration {} is in force for requests to come", settings_->hash);
  auto later = later_settings(*settings_);
  if (!later.empty()) log::warn("reload: {}", later);
  return {true, "configuration " + settings_->hash + " is in force" + (later.empty() ? "" : "; " + later)};
}

void daemon::reload_by_signal() {
  const auto came_to = reload();
  audit_change c{"signal", "reload", "", "", ""};
  if (!came_to.ok) c.why = came_to.text;
  write_change(kept_.audit.get(), *house_.names, std::move(c));
}

std::string daemon::tell_household(const config::settings_ptr& s) {
  caf::scoped_actor self{*system_};
  std::string why;
  self->request(house_.supervisor, reload_patience, take_settings{s, nullptr})
      .receive([](bool) {}, [&](const caf::error& e) { why = "the supervisor did not take it: " + to_string(e); });
  return why;
}

std::string daemon::keep(const client_change& change) {
  caf::scoped_actor self{*system_};
  std::string why = "the state file cannot be written now";
  self->request(house_.names->state_keeper, disk_patience, keep_client{change})
      .receive(
          [&](bool kept) {
            if (kept) why.clear();
          },
          [](const caf::error&) {});
  return why;
}

daemon_hooks::outcome daemon::change_client(const client_order& order) {
  std::lock_guard lock(reloading_);
  if (!house_.names->state_keeper)
    return {false, "nothing would outlive a restart: the configuration needs a section state (state: { path: ... })"};
  const auto& of_file = from_file_->clients;
  const bool in_file = std::any_of(of_file.begin(), of_file.end(), [&](const auto& c) { return c.name == order.name; });
  auto judged = changes_.judge(order, in_file, std::chrono::system_clock::now());
  if (const auto* no = std::get_if<std::string>(&judged)) return {false, *no};
  const auto& change = std::get<client_change>(judged);
  const auto put_in_force = [&] {
    changes_.take(change);
    settings_ = config::with_changes(from_file_, changes_.all());
    live_->store(settings_); // the doors first: whoever is refused there needs nobody else to know why
    return tell_household(settings_);
  };
  std::string untold;
  if (order.what == client_order::way::revoke) untold = put_in_force(); // a disk may hang
  const auto unwritten = keep(change);
  if (order.what == client_order::way::revoke && !unwritten.empty())
    return {false, order.name + " is revoked, but only until the next restart, for " + unwritten +
                       ": say it again once it can"};
  if (!unwritten.empty()) return {false, unwritten + ": nothing was changed"};
  if (order.what != client_order::way::revoke) untold = put_in_force();
  static constexpr const char* what[] = {"made", "given a new key", "revoked", "restored as the configuration has it"};
  const auto said = std::string("was ") + what[static_cast<int>(order.what)];
  log::info("client {} {} by an operator", order.name, said);
  if (!untold.empty()) return {false, order.name + " " + said + ", but " + untold};
  return {true, said};
}

std::optional<drain_result> daemon::drain_dispatcher(instant until) {
  caf::scoped_actor self{*system_};
  for (;;) {
    std::optional<drain_result> result;
    bool died = false; // a restarted dispatcher has the same requests: it is asked again
    auto left = std::max(until - clock::now(), duration(0s));
    self->request(house_.names->dispatcher, left + 2s, drain_order{left})
        .receive([&](drain_result& r) { result = std::move(r); },
                 [&](const caf::error& e) { died = e == caf::sec::request_receiver_down && !given_up_; });
    if (!died) return result;
  }
}

std::optional<std::string> daemon::pulse(duration patience) {
  const auto until = clock::now() + patience;
  const auto left = [&] { return std::max(until - clock::now(), duration(0s)); };
  auto turned = std::make_shared<std::promise<void>>(); // not its own: the loop may come to it when nobody waits
  loop_->post([turned] { turned->set_value(); });
  if (turned->get_future().wait_for(left()) != std::future_status::ready) return std::nullopt;
  caf::scoped_actor self{*system_};
  bool supervised = false;
  self->request(house_.supervisor, left(), look{})
      .receive([&](const std::vector<actor_row>&) { supervised = true; }, [](const caf::error&) {});
  if (!supervised) return std::nullopt;
  std::optional<std::string> how;
  self->request(house_.names->dispatcher, left(), look{})
      .receive([&](const dispatcher_view& v) { how = std::to_string(v.in_flight) + " in flight"; },
               [&](const caf::error& e) { // one that is being restarted is looked after
                 if (e == caf::sec::request_receiver_down) how = "restarting the dispatcher";
               });
  return how;
}

std::optional<std::uint64_t> daemon::flush_journal() {
  if (!house_.names->journal) return 0;
  caf::scoped_actor self{*system_};
  for (const auto until = clock::now() + flush_patience;;) {
    std::optional<std::uint64_t> unanswered;
    bool died = false; // a restarted journal has the same requests: it is asked again
    self->request(house_.names->journal, std::max(until - clock::now(), duration(0s)), journal_flush{})
        .receive([&](std::uint64_t n) { unanswered = n; },
                 [&](const caf::error& e) { died = e == caf::sec::request_receiver_down && !given_up_; });
    if (!died) return unanswered;
  }
}

void daemon::flush_reports() {
  caf::scoped_actor self{*system_};
  const auto ignore = [](const caf::error&) {};
  self->request(house_.names->metrics, flush_patience, ask_backlog{}).receive([](std::uint64_t) {}, ignore); // in turn
  if (settings_->tracing)
    self->request(house_.names->tracer, flush_patience, flush_spans{}).receive([](bool) {}, ignore);
}

int daemon::drain() {
  ready_ = false;
  auto limit = [&] {
    std::lock_guard lock(reloading_);
    return given_up_ ? duration(0s) : settings_->drain;
  }();
  log::info("draining: finishing what runs, at most {} s", std::chrono::duration<double>(limit).count());
  if (http_) http_->drain();
  if (zmq_) zmq_->drain();
  caf::anon_send(house_.names->drills, drills_over{});
  if (house_.names->journal) caf::anon_send(house_.names->journal, journal_drain{});
  const auto cut = drain_dispatcher(clock::now() + limit);
  const auto patience = clock::now() + flush_patience;
  const auto unanswered = flush_journal(); // whose answers leave when they are on disk
  flush_reports();
  while (http_ && http_->connections() > 0 && clock::now() < patience) std::this_thread::sleep_for(5ms);
  if (!unanswered) log::error("drain: the journal did not say that all is on disk, and what has no answer");
  if (unanswered.value_or(0) > 0)
    log::info("drain: {} durable requests stay in the journal without an answer; the next start runs them again",
              *unanswered);
  if (given_up_) return exit_given_up;
  if (!cut) {
    log::error("drain: the dispatcher did not say what became of its requests");
    return exit_cut;
  }
  if (cut->cut == 0) {
    log::info("drained: every {}accepted request was answered", unanswered == 0 ? "" : "other ");
    return 0;
  }
  std::string ids;
  for (auto& id : cut->cut_ids) ids += " " + id;
  log::warn("drain limit: {} requests were cut off:{}{}", cut->cut, ids, cut->cut > cut->cut_ids.size() ? " ..." : "");
  return exit_cut;
}

} // namespace mainstay
