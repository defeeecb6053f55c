#include "actors/guest_words.hpp"

#include "actors/intake.hpp"
#include "net/json_tree.hpp"
#include "net/json_writer.hpp"

#include <algorithm>

namespace mainstay::words {

namespace {

constexpr std::size_t most_values = 256, most_runs = 200'000, most_providers = 1000;
constexpr std::size_t longest_text = 2000, most_labels = 40;
constexpr std::uint64_t longest_deadline_ms = 24 * 60 * 60 * 1000;

bool is_plain(std::string_view text) {
  return text.size() <= longest_text &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// Empty where it is missing, too long, or could break a header.
std::string text_in(const json::value& head, std::string_view member) {
  const auto found = head.find(member);
  const auto text = found ? found->string_or_empty() : std::string_view();
  return is_plain(text) ? std::string(text) : "";
}

std::uint64_t count_in(const json::value& head, std::string_view member) {
  const auto found = head.find(member);
  return found ? found->whole().value_or(0) : 0;
}

bool flag_in(const json::value& head, std::string_view member) {
  const auto found = head.find(member);
  return found && found->is(json::kind::boolean) && found->text == "true";
}

/// What callers are told by this node's own labels is left out.
bool travels(const std::string& label) {
  return (label.starts_with("x-mainstay-") && label != "x-mainstay-latency-ms") || label == "retry-after";
}

std::string_view to_string(cache_mode m) {
  return m == cache_mode::use ? "use" : m == cache_mode::refresh ? "refresh" : "off";
}

} // namespace

std::string begin(const run_record& rec) {
  const auto& in = rec.in;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(in.deadline - clock::now()).count();
  json_writer j;
  j.open().member("id", in.id).member("left_ms", std::max<std::int64_t>(1, left)).member("client", in.client_name());
  j.member("level", mainstay::to_string(in.level)).member("cache", to_string(in.cache));
  if (in.kind == request_kind::embeddings) j.member("kind", "embeddings");
  if (in.foreign) j.member("foreign", true);
  if (in.restores) j.member("restores", true);
  if (!in.dispensable.none()) j.member("dispensable", mainstay::to_string(in.dispensable));
  if (!in.particular().region.empty()) j.member("region", in.particular().region);
  if (!in.idempotency_key.empty()) j.member("key", in.idempotency_key);
  if (const auto& trace = in.trace) {
    j.member("traceparent", traceparent(*trace, in.settings->tracing ? trace->root : trace->parent));
    if (!trace->state.empty()) j.member("tracestate", trace->state);
  }
  return j.close().text();
}

std::string numbered(const std::string& head, std::uint64_t run, move_reason why) {
  const auto reason = std::string(mainstay::to_string(why));
  return R"({"run":)" + std::to_string(run) + R"(,"why":")" + reason + "\"," + head.substr(1);
}

std::optional<begun> begun_in(const std::string& text, std::string body, const config::settings_ptr& settings,
                              instant now) {
  const auto head = json::parse(text, most_values);
  const auto left = head ? count_in(*head, "left_ms") : 0;
  const auto id = head ? text_in(*head, "id") : "";
  const auto level = head ? priority_named(text_in(*head, "level")) : std::nullopt;
  const auto run = head ? count_in(*head, "run") : 0;
  if (run == 0 || id.empty() || !level || left == 0 || left > longest_deadline_ms) return std::nullopt;
  auto rec = std::make_shared<run_record>();
  auto& in = rec->in;
  rec->guest = rec->admitted_once = true;
  rec->number = new_request_number();
  in.id = id;
  in.settings = settings;
  in.level = *level;
  in.received = now;
  in.deadline = now + std::chrono::milliseconds(left);
  const auto client = text_in(*head, "client");
  in.client = settings->client(client);
  if (!in.client && client != "local") in.make_particular().guest_client = client;
  const auto mode = text_in(*head, "cache");
  in.cache = mode == "use" ? cache_mode::use : mode == "refresh" ? cache_mode::refresh : cache_mode::off;
  if (text_in(*head, "kind") == "embeddings") in.kind = request_kind::embeddings;
  in.foreign = flag_in(*head, "foreign");
  in.restores = flag_in(*head, "restores");
  if (const auto all = text_in(*head, "dispensable"); !all.empty())
    in.dispensable = features_named(all).value_or(feature_set{});
  if (auto region = text_in(*head, "region"); !region.empty()) in.make_particular().region = std::move(region);
  in.idempotency_key = text_in(*head, "key");
  if (auto parent = text_in(*head, "traceparent"); !parent.empty())
    in.trace = trace_of(*settings, {{"traceparent", std::move(parent)}, {"tracestate", text_in(*head, "tracestate")}});
  in.body = make_bytes(std::move(body));
  const auto why = move_reason_named(text_in(*head, "why"));
  return begun{run, why.value_or(move_reason::waiting), std::move(rec)};
}

std::string number(std::uint64_t run) { return R"({"run":)" + std::to_string(run) + "}"; }

std::uint64_t number_in(const std::string& text) {
  const auto head = json::parse(text, most_values);
  return head ? count_in(*head, "run") : 0;
}

std::string credit(std::uint64_t run, std::size_t bytes) {
  return R"({"run":)" + std::to_string(run) + R"(,"bytes":)" + std::to_string(bytes) + "}";
}

std::string say(const guest_word& w, std::uint64_t run, std::uint64_t n) {
  json_writer j;
  j.open().member("run", run).member("n", n);
  if (w.status != 200) j.member("status", w.status);
  if (!w.usage.empty()) j.member("usage", w.usage);
  if (!w.labels.empty()) {
    j.open("labels");
    for (const auto& [name, value] : w.labels)
      if (travels(name)) j.member(name, value);
    j.close();
  }
  return j.close().text();
}

std::optional<heard_word> heard(const std::string& text) {
  const auto head = json::parse(text, most_values);
  if (!head) return std::nullopt;
  heard_word w;
  w.run = count_in(*head, "run");
  w.n = count_in(*head, "n");
  w.bytes = count_in(*head, "bytes");
  const auto status = head->find("status") ? count_in(*head, "status") : 200;
  if (w.run == 0 || status < 200 || status > 599) return std::nullopt;
  w.status = static_cast<int>(status);
  w.usage = text_in(*head, "usage");
  if (const auto labels = head->find("labels"); labels && labels->is(json::kind::object))
    for (const auto& l : labels->items)
      if (travels(l.name) && l.is(json::kind::string) && is_plain(l.text) && w.labels.size() < most_labels)
        w.labels.emplace_back(l.name, l.text);
  return w;
}

std::string have(const runs_said& all) {
  json_writer j;
  j.open().open_list("runs");
  for (const auto& [run, n] : all) j.open_list().value(run).value(n).close_list();
  return j.close_list().close().text();
}

std::optional<runs_said> have_in(const std::string& text) {
  const auto head = json::parse(text, 3 * most_runs);
  const auto runs = head ? head->find("runs") : nullptr;
  if (!runs || !runs->is(json::kind::array)) return std::nullopt;
  runs_said out;
  for (const auto& r : runs->items)
    if (r.items.size() == 2) out.emplace_back(r.items[0].whole().value_or(0), r.items[1].whole().value_or(0));
  return out;
}

std::string room(const room_said& r) {
  json_writer j;
  j.open().member("node", r.node).member("draining", r.room.draining).member("places", r.room.places);
  j.member("taken", r.taken).open("slots");
  for (const auto& [provider, n] : r.room.slots) j.member(provider, n);
  return j.close().close().text();
}

std::optional<room_said> room_in(const std::string& text) {
  const auto head = json::parse(text, most_providers + most_values);
  if (!head || !head->find("places")) return std::nullopt;
  room_said out;
  out.node = text_in(*head, "node");
  out.room.draining = flag_in(*head, "draining");
  out.room.places = count_in(*head, "places");
  out.taken = count_in(*head, "taken");
  if (const auto slots = head->find("slots"); slots && slots->is(json::kind::object))
    for (const auto& s : slots->items)
      out.room.slots[s.name] = static_cast<std::uint32_t>(std::min<std::uint64_t>(s.whole().value_or(0), 1'000'000));
  return out;
}

} // namespace mainstay::words
