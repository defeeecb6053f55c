// The ring of log entries, and the log as JSON.
#include "tools/mock/request_log.hpp"

#include "tools/mock/json_text.hpp"
#include "tools/mock/script.hpp"

#include <algorithm>
#include <cstdio>

namespace mainstay::mock {
namespace {

void append_entry(std::string& out, const log_entry& e) {
  auto count = [&](std::string_view name, std::uint64_t value) {
    ((out += ",\"") += name) += "\":";
    out += std::to_string(value);
  };
  auto text = [&](std::string_view name, const std::string& value) {
    out += ',';
    append_json_field(out, name, value);
  };
  auto moment = [&](std::string_view name, bool there, double value) {
    ((out += ",\"") += name) += "\":";
    if (there)
      append_decimal(out, value);
    else
      out += "null";
  };
  out += "{\"n\":" + std::to_string(e.n);
  moment("time", true, e.time);
  text("method", e.method);
  text("path", e.path);
  text("model", e.model);
  text("key", e.key);
  out += e.stream ? ",\"stream\":true" : ",\"stream\":false";
  out += ",\"status\":" + (e.status ? std::to_string(e.status) : "null");
  out += ",\"fault\":" + (e.fault.empty() ? "null" : json_quoted(e.fault));
  count("tokens", e.tokens);
  text("outcome", e.ended < 0 ? "open" : e.client_left ? "client_left" : "finished");
  moment("ended", e.ended >= 0, e.ended);
  moment("left_at", e.client_left, e.ended);
  text("idempotency_key", e.idempotency_key);
  char hash[20];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(e.body_hash));
  text("body_hash", hash);
  count("body_bytes", e.body_bytes);
  count("connection", e.connection);
  count("parts", e.parts);
  text("user", e.user);
  text("text", e.text);
  out += '}';
}

bool chosen(const log_entry& e, const log_query& q) {
  return e.n > q.since && e.time >= q.since_time && (q.model.empty() || glob_match(q.model, e.model)) &&
         (q.key.empty() || glob_match(q.key, e.key));
}

} // namespace

log_entry& request_log::add() {
  auto n = ++last_;
  first_ = std::max(first_, n > capacity ? n - capacity + 1 : 1);
  auto at = n % capacity;
  if (at >= ring_.size()) ring_.resize(at + 1);
  auto& entry = ring_[at];
  entry.n = n;
  entry.ended = -1;
  entry.fault.clear();
  entry.status = 0;
  entry.tokens = 0;
  entry.client_left = false;
  return entry;
}

log_entry* request_log::find(std::uint64_t n) {
  if (n < first_ || n > last_) return nullptr;
  return &ring_[n % capacity];
}

void request_log::clear() { first_ = last_ + 1; }

std::string request_log::as_json(const log_query& query) const {
  std::vector<const log_entry*> found; // newest first
  for (auto n = last_; n >= first_ && n > query.since && found.size() < query.limit; --n) {
    auto& entry = ring_[n % capacity];
    if (chosen(entry, query)) found.push_back(&entry);
  }
  std::string out = "[";
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    if (out.size() > 1) out += ",\n";
    append_entry(out, **it);
  }
  return out + "]";
}

} // namespace mainstay::mock
