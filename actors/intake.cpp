#include "actors/intake.hpp"

#include "actors/door_access.hpp"
#include "config/client_keys.hpp"
#include "core/glob.hpp"
#include "net/chat_answer.hpp"
#include "net/peer_name.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace mainstay {

namespace {

constexpr std::int64_t longest_deadline_ms = 24 * 60 * 60 * 1000;
constexpr std::size_t longest_idempotency_key = 255;

std::string_view key_in(const header_list& headers) {
  if (auto* a = find_header(headers, "authorization")) {
    if (const auto key = credentials(*a, "bearer")) return *key;
  }
  if (auto* k = find_header(headers, "x-api-key")) return *k;
  return {};
}

using text_writer = rapidjson::Writer<rapidjson::StringBuffer>;

/// Nobody here knows when a model was made: both vendors have a word for that.
void write_model(text_writer& w, const std::string& name, dialect shape) {
  const auto text = [&w](const std::string& s) { w.String(s.data(), static_cast<rapidjson::SizeType>(s.size())); };
  w.StartObject();
  w.Key("id");
  text(name);
  if (shape == dialect::anthropic) {
    w.Key("type");
    w.String("model");
    w.Key("display_name");
    text(name);
    w.Key("created_at");
    w.String("1970-01-01T00:00:00Z");
  } else {
    w.Key("object");
    w.String("model");
    w.Key("created");
    w.Int64(0);
    w.Key("owned_by");
    w.String("mainstay");
  }
  w.EndObject();
}

std::uint64_t random_number() {
  thread_local std::mt19937_64 random{[] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }()};
  for (;;)
    if (const auto n = random()) return n;
}

intake_refusal bad(std::string message, std::string param) {
  return {400, std::move(message), "invalid_request_error", "invalid_header", std::move(param)};
}

} // namespace

/// Unique among all daemons: 64 random bits of this process and a count.
std::string new_request_name(request_id number) {
  static const std::uint64_t process = [] {
    std::random_device random;
    return (static_cast<std::uint64_t>(random()) << 32) ^ random();
  }();
  char text[48];
  std::snprintf(text, sizeof text, "req_%016llx%06llx", static_cast<unsigned long long>(process),
                static_cast<unsigned long long>(number));
  return text;
}

request_id new_request_number() {
  static std::atomic<request_id> numbers{0};
  return ++numbers;
}

bool may_ask(const config::client_settings* client, const std::string& model) {
  if (!client || client->models.empty()) return true;
  return std::any_of(client->models.begin(), client->models.end(), [&](auto& p) { return glob_match(p, model); });
}

std::variant<const config::client_settings*, intake_refusal> identify(const config::settings& s,
                                                                      const header_list& headers, bool loopback) {
  if (s.clients.empty()) {
    if (loopback) return nullptr;
    return intake_refusal{401, "no clients are configured: only loopback callers are served", "authentication_error",
                          "no_clients", ""};
  }
  const auto given = key_in(headers);
  if (const auto found = s.ring ? s.ring->find(given, std::chrono::system_clock::now()) : std::nullopt)
    return &s.clients[*found];
  return intake_refusal{
      401, given.empty() ? "an API key is needed: authorization: Bearer KEY" : "this API key is not known here",
      "authentication_error", "invalid_api_key", ""};
}

std::variant<run_record_ptr, intake_refusal> read_intake(config::settings_ptr settings,
                                                         const config::client_settings* client,
                                                         const header_list& headers, screened_request body,
                                                         instant now) {
  auto rec = std::make_shared<run_record>();
  auto& in = rec->in;
  in.settings = std::move(settings);
  in.client = client;
  in.level = client ? client->level : priority::normal;
  in.received = now;
  if (client) in.dispensable = client->partial;
  if (client && !client->region.empty()) in.make_particular().region = client->region;
  auto limit = in.settings->deadline;

  for (auto& [name, value] : headers) {
    if (name == "idempotency-key") {
      auto visible = [](char c) { return c > ' ' && c <= '~'; };
      if (value.empty() || value.size() > longest_idempotency_key || !std::all_of(value.begin(), value.end(), visible))
        return bad("idempotency-key must be 1 to 255 visible ASCII characters", name);
      in.idempotency_key = value;
    }
    if (!name.starts_with("x-mainstay-")) continue;
    if (name == "x-mainstay-priority") {
      const auto level = priority_named(value);
      if (!level) return bad("x-mainstay-priority must be high, normal or low", name);
      in.level = client ? std::max(*level, client->highest) : *level; // later is less urgent
    } else if (name == "x-mainstay-cache") {
      if (value == "use")
        in.cache = cache_mode::use;
      else if (value == "refresh")
        in.cache = cache_mode::refresh;
      else if (value == "off")
        in.cache = cache_mode::off;
      else
        return bad("x-mainstay-cache must be use, refresh or off", name);
    } else if (name == "x-mainstay-region") {
      if (value.empty()) return bad("x-mainstay-region must name a region", name);
      if (client && !client->region.empty() && value != client->region)
        return intake_refusal{403, "this client's requests stay in " + client->region, "invalid_request_error",
                              "region_not_allowed", name};
      in.make_particular().region = value;
    } else if (name == "x-mainstay-partial") {
      auto named = features_named(value);
      if (!named) return bad("x-mainstay-partial must be none, or tools and json with a comma between them", name);
      in.dispensable = *named;
    } else if (name == "x-mainstay-deadline-ms") {
      std::int64_t ms = 0;
      auto end = value.data() + value.size();
      auto [p, err] = std::from_chars(value.data(), end, ms);
      if (err != std::errc{} || p != end || ms < 1 || ms > longest_deadline_ms)
        return bad("x-mainstay-deadline-ms must be a number of milliseconds from 1 to 86400000", name);
      limit = std::chrono::milliseconds(ms);
    }
  }
  take_screened(*rec, std::move(body));
  in.deadline = now + limit;
  in.trace = trace_of(*in.settings, headers);
  rec->number = new_request_number();
  in.id = new_request_name(rec->number);
  return rec;
}

void note_address(run_record& rec, std::string_view peer) {
  if (rec.in.client && !rec.in.client->per_address.none()) rec.in.make_particular().address = address_of(peer);
}

void submit(const dispatcher_actor& dispatcher, const run_record_ptr& rec,
            const std::function<void(std::function<void()>)>& on_caller_left) {
  auto front = caf::actor_cast<caf::strong_actor_ptr>(dispatcher);
  // Weak: the channel outlives nothing for the sake of this notice.
  std::weak_ptr<run_record> weak = rec;
  letter<submission>::post(front, submission{rec});
  on_caller_left([front, weak, number = rec->number] {
    if (auto record = weak.lock()) record->caller_gone = true;
    letter<caller_left>::post(front, caller_left{number});
  });
}

std::shared_ptr<const trace_context> trace_of(const config::settings& s, const header_list& headers) {
  std::optional<trace_context> t;
  if (const auto* given = find_header(headers, "traceparent")) t = read_traceparent(*given);
  if (t) {
    for (const auto& [name, value] : headers) // several are one list
      if (name == "tracestate" && is_tracestate(value)) t->state += (t->state.empty() ? "" : ",") + value;
    if (t->state.size() > trace_context::longest_state) t->state.clear();
  }
  if (!s.tracing) return t ? std::make_shared<const trace_context>(std::move(*t)) : nullptr;
  if (!t) {
    t.emplace();
    t->id_low = random_number();
    if (!in_sample(*t, s.tracing->sample)) return nullptr; // a trace that nobody would ever see
    t->id_high = random_number();
    t->sampled = true;
  }
  t->root = random_number();
  return std::make_shared<const trace_context>(std::move(*t));
}

std::string unknown_model(const config::settings& s, const config::client_settings* client) {
  std::string known;
  for (auto& m : s.models)
    if (may_ask(client, m.name)) known += (known.empty() ? "" : ", ") + m.name;
  return "unknown model; known here: " + (known.empty() ? "none for this client" : known);
}

std::string models_json(const config::settings& s, const config::client_settings* client, dialect shape) {
  rapidjson::StringBuffer out;
  text_writer w(out);
  w.StartObject();
  if (shape == dialect::openai) {
    w.Key("object");
    w.String("list");
  }
  w.Key("data");
  w.StartArray();
  const std::string *first = nullptr, *last = nullptr;
  for (auto& m : s.models) {
    if (!may_ask(client, m.name)) continue;
    if (!first) first = &m.name;
    last = &m.name;
    write_model(w, m.name, shape);
  }
  w.EndArray();
  if (shape == dialect::anthropic) {
    w.Key("has_more");
    w.Bool(false);
    for (auto [name, id] : {std::pair("first_id", first), {"last_id", last}}) {
      w.Key(name);
      id ? w.String(id->c_str()) : w.Null();
    }
  }
  w.EndObject();
  return out.GetString();
}

std::string model_json(const config::settings& s, const config::client_settings* client, const std::string& name,
                       dialect shape) {
  if (!s.model(name) || !may_ask(client, name)) return {};
  rapidjson::StringBuffer out;
  text_writer w(out);
  write_model(w, name, shape);
  return out.GetString();
}

} // namespace mainstay
