// From a file to settings: reads the bytes, parses the YAML, runs every section's reader, then the checks that span
// sections. No exception leaves: whatever the libraries throw becomes a problem in the list.
#include "config/load.hpp"

#include "config/changed_clients.hpp"
#include "config/sections.hpp"
#include "config/spelling.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <yaml-cpp/eventhandler.h>

namespace mainstay::config {
namespace {

constexpr std::size_t largest_file = 8u << 20; // some ten thousand clients; the parsed tree takes a multiple of it

// FNV-1a, 64 bits: tells versions apart, promises nothing against an adversary.
std::string content_hash(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

class loader {
public:
  loader(std::string hash, std::string common_hash, reading& shared) : shared_(shared) {
    out_.hash = std::move(hash);
    out_.common_hash = std::move(common_hash);
  }

  settings_ptr read(const YAML::Node& root) {
    const cursor top(root, spot{root.Mark().line + 1, root.Mark().column + 1, {}}, shared_);
    const section s(top, {"node",     "doors",   "clients",  "providers", "models",      "retry", "deadline",
                          "drain",    "queue",   "recovery", "cache",     "degradation", "state", "journal",
                          "forecast", "alerts",  "prices",   "timeouts",  "breaker",     "tiers", "tracing",
                          "logs",     "privacy", "tls",      "cluster"});
    if (!s.valid()) return nullptr;
    if (const auto* c = s.find("node")) read_node(*c);
    if (const auto* c = s.find("privacy")) read_rules(*c);
    read_front(s);
    retry_policy retry;
    if (const auto* c = s.find("retry")) read_retry(*c, out_, retry);
    s.time("deadline", out_.deadline, 1ms, 24h);
    s.time("drain", out_.drain, 0ms, 24h);
    if (const auto* c = s.find("queue")) read_queue(*c, out_);
    if (const auto* c = s.find("recovery")) read_recovery(*c, out_.recovery);
    if (const auto* c = s.find("cache")) out_.cache = read_cache(*c);
    if (const auto* c = s.find("degradation")) {
      const bool may_be_made = s.find("state") != nullptr; // a client that takes them, by the console
      out_.degradation = read_degradation(*c, may_be_made || takes_canned_answers());
    }
    if (const auto* c = s.find("state")) out_.state = read_state(*c);
    if (const auto* c = s.find("journal")) out_.journal = read_journal(*c);
    check_files(s);
    if (const auto* c = s.find("forecast")) out_.forecast = read_forecast(*c);
    if (const auto* c = s.find("alerts")) out_.alerts = read_alerts(*c);
    if (const auto* c = s.find("tracing")) out_.tracing = read_tracing(*c);
    if (const auto* c = s.find("logs")) out_.logs = read_logs(*c);
    if (const auto* c = s.find("prices")) out_.prices = read_prices(*c);
    if (clients_.first_budget && !s.find("prices"))
      clients_.first_budget->error("a budget needs the section prices: without it nobody knows what a call costs");
    read_upstream(s, retry);
    check_embedding(s);
    check_regions();
    check_forecast(s);
    if (shared_.found.any_error()) return nullptr;
    return std::make_shared<const settings>(std::move(out_));
  }

private:
  /// Each file has one owner.
  void check_files(const section& s) const {
    std::map<std::string, std::string> owners; // by path
    const auto claim = [&](const char* where, const std::string& setting, const std::string& path) {
      const auto [it, free] = owners.emplace(path, std::string(where) + "." + setting);
      if (!free) s.find(where)->error(setting + " is the file of " + it->second + ": each needs one of its own");
    };
    if (out_.state) claim("state", "path", out_.state->path);
    if (out_.journal) claim("journal", "path", out_.journal->path);
    if (out_.cache && out_.cache->sqlite) claim("cache", "sqlite.path", out_.cache->sqlite->path);
    if (out_.audit) claim("privacy", "audit.path", out_.audit->path);
  }

  // Like a target, a model for similar questions may stand at a provider that is left out for now.
  void check_embedding(const section& s) {
    if (!out_.cache || !out_.cache->similar || !out_.cache->similar->embedding) return;
    const auto asked = out_.cache->similar->embedding->provider;
    if (asked.empty() || out_.provider(asked)) return;
    const auto& at = *s.find("cache");
    const std::vector<std::string_view> names(provider_names_.begin(), provider_names_.end());
    if (std::find(names.begin(), names.end(), asked) != names.end())
      at.warn("similar is left out: its provider " + asked + " is not in use");
    else if (!names.empty())
      at.error("similar.provider: there is no provider named " + asked + did_you_mean(asked, names));
    out_.cache->similar.reset();
  }

  void read_rules(const cursor& at) {
    auto draft = read_privacy(at);
    out_.audit = std::move(draft.audit);
    out_.privacy = std::move(draft.rules);
  }

  void check_regions() const {
    if (out_.providers.empty()) return;
    std::vector<std::string_view> regions;
    for (const auto& p : out_.providers)
      for (const auto& w : p.ways)
        if (!w.region.empty()) regions.push_back(w.region);
    for (const auto& [region, at] : clients_.regions)
      if (std::find(regions.begin(), regions.end(), region) == regions.end())
        at.error("no provider in use stands in " + region + did_you_mean(region, regions));
  }

  /// Shares are of something.
  void check_forecast(const section& s) const {
    const auto& f = out_.forecast;
    if (f && (!f->medium_tokens || !f->high_tokens) && !total_tpm(out_))
      s.find("forecast")
          ->warn("not every provider key has a limit in tpm: only medium_tokens and high_tokens tell "
                 "where the load is medium and high");
  }

  void read_node(const cursor& at) {
    const section s(at, {"name"});
    if (const auto* c = s.need("name")) out_.node = c->name().value_or(out_.node);
  }

  // Doors and clients.
  void read_front(const section& s) {
    door_draft doors;
    if (const auto* c = s.need("doors")) doors = read_doors(*c);
    const bool exposed =
        std::any_of(doors.places.begin(), doors.places.end(), [](const auto& p) { return !p.loopback; });
    if (const auto* c = s.find("clients")) clients_ = read_clients(*c, exposed, out_.privacy);
    if (const auto* c = s.find("tls")) out_.tls = read_mutual_tls(*c);
    if (const auto* c = s.find("cluster")) out_.cluster = read_cluster(*c, doors);
    check_doors(doors, s.find("clients") != nullptr, s.find("tls") != nullptr);
    out_.doors = std::move(doors.value);
    out_.clients = std::move(clients_.clients);
    out_.ring = ring_of(out_.clients);
  }

  // Where no clients are listed, whoever wrote the file is the caller.
  bool takes_canned_answers() const {
    const auto& all = out_.clients;
    return all.empty() || std::any_of(all.begin(), all.end(), [](const auto& client) { return client.canned; });
  }

  // Providers and models.
  void read_upstream(const section& s, const retry_policy& retry) {
    timeout_settings timeouts;
    circuit_settings breaker;
    if (const auto* c = s.find("timeouts")) read_timeouts(*c, timeouts);
    if (const auto* c = s.find("breaker")) read_breaker(*c, breaker);
    tier_table tiers = shipped_tiers();
    if (const auto* c = s.find("tiers")) read_tiers(*c, tiers);
    provider_drafts providers;
    if (const auto* c = s.need("providers")) providers = read_providers(*c, timeouts, breaker, tiers);
    std::vector<model_draft> drafts;
    if (const auto* c = s.need("models")) drafts = read_models(*c, providers, retry);
    if (s.find("providers")) out_.models = resolve_ladders(drafts, providers);
    check_asked_models(drafts);
    for (const auto& provider : providers.all) provider_names_.push_back(provider.value.name);
    for (const auto& provider : providers.all)
      if (provider.in_use) out_.providers.push_back(provider.value);
    check_served(drafts);
    if (out_.models.empty() && !shared_.found.any_error()) nothing_left(s, providers);
  }

  void nothing_left(const section& s, const provider_drafts& providers) {
    const auto set = "set " + join(providers.variables, "or");
    if (out_.providers.empty())
      s.find("providers")->error("no provider has a key: " + set);
    else
      s.find("models")->error("no model is left, their providers are left out: " + set);
  }

  // Clients may be given models that are left out for now, but not ones that do not exist.
  void check_asked_models(const std::vector<model_draft>& drafts) {
    std::vector<std::string_view> names;
    for (const auto& draft : drafts) names.push_back(draft.value.name);
    for (const auto& [asked, at] : clients_.asked_models) {
      const auto serves = [&, &asked = asked](std::string_view name) { return glob_match(name, asked); };
      if (!drafts.empty() && std::none_of(names.begin(), names.end(), serves))
        at.error("there is no model named " + asked + did_you_mean(asked, names));
    }
  }

  // A tier may give no access to a model: then the target is there, but no key of its provider is any good for it.
  void check_served(const std::vector<model_draft>& drafts) {
    for (const auto& model : out_.models)
      for (const auto& rung : model.ladder)
        for (const auto& one : rung) warn_if_unserved(model, one, drafts);
  }

  void warn_if_unserved(const model_settings& model, const target& one, const std::vector<model_draft>& drafts) {
    const auto* provider = out_.provider(one.provider);
    if (!provider || one.model.empty()) return; // an empty name: whatever the caller writes
    const auto serves = [&](const key_settings& key) { return key.serves(one.model); };
    if (std::any_of(provider->keys.begin(), provider->keys.end(), serves)) return;
    for (const auto& draft : drafts)
      if (draft.value.name == model.name)
        draft.at.warn("no key of " + one.provider + " has access to " + one.model + " at its tier");
  }

  reading& shared_;
  settings out_;
  client_draft clients_;
  std::vector<std::string> provider_names_;
};

// The parser's own words without what they quote, and a hint for the commonest slip.
std::string explain(const YAML::ParserException& wrong, const std::string& yaml) {
  std::string what = "is not valid YAML: " + wrong.msg.substr(0, wrong.msg.find(':'));
  std::istringstream lines(yaml);
  std::string line;
  for (int i = 0; i <= wrong.mark.line && std::getline(lines, line);) ++i;
  if (line.find("${") != line.npos) what += " (values with ${…} need double quotes)";
  return what;
}

/// Where each document of a text begins, and nothing else of it.
class document_starts : public YAML::EventHandler {
public:
  std::vector<YAML::Mark> found;

  void OnDocumentStart(const YAML::Mark& mark) override { found.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// One file holds one document. Before a bracket or comma that nothing can be made of yaml-cpp 0.7 finds empty
/// documents for ever, which is why its LoadAll is not asked.
bool holds_one(const std::string& yaml, findings& found) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  document_starts starts;
  while (starts.found.size() < 3 && parser.HandleNextDocument(starts)) {}
  if (starts.found.size() < 2) return true;
  const auto& second = starts.found[1];
  const bool stuck = second.pos == starts.found[0].pos || second.pos == starts.found.back().pos;
  found.error({second.line + 1, second.column + 1, {}}, starts.found.size() == 3 && stuck
                                                            ? "is not valid YAML: no value can begin here"
                                                            : "a second document (---) begins: one file holds one");
  return false;
}

/// What nodes of one cluster should have in common: the file without the sections that are each node's own.
std::string common_part(const YAML::Node& root, const std::string& yaml) {
  static const std::set<std::string> own = {"node", "doors", "state", "tls", "cluster", "journal"};
  if (!root.IsMap()) return yaml;
  std::map<std::size_t, bool> begins; // whether it is one's own
  for (const auto& section : root)
    if (section.first.Mark().pos >= 0)
      begins[std::min(static_cast<std::size_t>(section.first.Mark().pos), yaml.size())] =
          section.first.IsScalar() && own.contains(section.first.Scalar());
  std::string all;
  for (auto at = begins.begin(); at != begins.end(); ++at) {
    const auto next = std::next(at);
    if (!at->second) all.append(yaml, at->first, (next == begins.end() ? yaml.size() : next->first) - at->first);
  }
  return all;
}

settings_ptr read_yaml(const std::string& yaml, reading& shared) {
  if (!holds_one(yaml, shared.found)) return nullptr;
  const auto root = YAML::Load(yaml);
  if (root.IsNull()) {
    shared.found.error({}, "the file is empty");
    return nullptr;
  }
  return loader(content_hash(yaml), content_hash(common_part(root, yaml)), shared).read(root);
}

// An error text, or the file's content in `out`.
std::string read_bytes(const std::string& path, std::string& out) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::string("cannot be read: ") + std::strerror(errno);
  if (!S_ISREG(facts.st_mode)) return "cannot be read: it is not a regular file"; // a pipe could keep us waiting
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::string("cannot be read: ") + std::strerror(errno);
  out.resize(largest_file + 1);
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (file.bad()) return "cannot be read to its end";
  out.resize(static_cast<std::size_t>(file.gcount()));
  return {};
}

} // namespace

loaded load_text(const std::string& yaml, const std::string& file_name, const environment& env) {
  loaded out;
  findings found(file_name);
  reading shared{found, env};
  try {
    if (yaml.size() > largest_file)
      found.error({}, "the file is larger than 8MiB");
    else
      out.value = read_yaml(yaml, shared);
  } catch (const YAML::ParserException& wrong) {
    found.error({wrong.mark.line + 1, wrong.mark.column + 1, {}}, explain(wrong, yaml));
  } catch (const std::exception&) { // its text could quote the file
    found.error({}, "the file cannot be understood");
  }
  if (found.any_error()) out.value = nullptr;
  found.hand_over(out);
  return out;
}

loaded load_file(const std::string& path, const environment& env) {
  std::string text;
  if (const auto wrong = read_bytes(path, text); !wrong.empty()) {
    loaded out;
    out.errors.push_back({path, 0, 0, {}, wrong});
    return out;
  }
  return load_text(text, path, env);
}

} // namespace mainstay::config
