// Counting, and the counters as JSON.
#include "tools/mock/traffic.hpp"

#include "tools/mock/json_text.hpp"

#include <algorithm>

namespace mainstay::mock {
namespace {

void append_count(std::string& out, std::string_view name, std::uint64_t value) {
  out += ",\"";
  out += name;
  out += "\":" + std::to_string(value);
}

} // namespace

void peak_window::add(instant now, std::uint64_t tokens) {
  while (!entries_.empty() && now - entries_.front().at >= window_) {
    requests_ -= entries_.front().requests;
    tokens_ -= entries_.front().tokens;
    entries_.pop_front();
  }
  if (entries_.size() >= 4096 && now - entries_.back().at < std::chrono::milliseconds(1)) {
    ++entries_.back().requests;
    entries_.back().tokens += tokens;
  } else {
    entries_.push_back({now, 1, tokens});
  }
  most_requests_ = std::max(most_requests_, ++requests_);
  most_tokens_ = std::max(most_tokens_, tokens_ += tokens);
}

void tally::begin() {
  ++requests;
  most_open = std::max(most_open, ++open);
}

void tally::end(std::string_view result, bool left, std::uint64_t sent_tokens) {
  --open;
  ++(left ? client_left : finished);
  tokens += sent_tokens;
  auto found = results.find(result);
  if (found != results.end())
    ++found->second;
  else
    results.emplace(result, 1);
}

void tally::append_json(std::string& out) const {
  out += "\"requests\":" + std::to_string(requests);
  append_count(out, "finished", finished);
  append_count(out, "client_left", client_left);
  append_count(out, "open", open);
  append_count(out, "most_open", most_open);
  append_count(out, "tokens", tokens);
  out += ",\"results\":{";
  bool first = true;
  for (auto& [name, count] : results) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, name);
    out += ':' + std::to_string(count);
  }
  out += '}';
}

void traffic::append_json(std::string& out) const {
  all.append_json(out);
  out += ",\"models\":{";
  bool first = true;
  auto open = [&](std::string_view name) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, name);
    out += ":{";
  };
  for (auto& [name, model] : models) {
    open(name);
    model->append_json(out);
    out += '}';
  }
  out += "},\"keys\":{";
  first = true;
  for (auto& [name, key] : keys) {
    open(name);
    key->append_json(out);
    append_count(out, "most_in_60s", key->minute.most_requests());
    append_count(out, "most_in_1s", key->second.most_requests());
    append_count(out, "most_tokens_in_60s", key->minute.most_tokens());
    out += '}';
  }
  out += '}';
}

} // namespace mainstay::mock
