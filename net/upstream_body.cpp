// The caller's bytes with the few replacements a provider needs: the model's name, the wish for usage in streams, and
// what is to be gone on with.
#include "net/chat_request.hpp"

#include "net/json_reader.hpp"

#include <algorithm>
#include <vector>

namespace mainstay {
namespace {

struct edit {
  std::size_t begin, end;
  std::string text;
};

// Finds the value of include_usage in a stream_options object.
struct option_finder : json::handler {
  int depth = 0;
  bool is_usage = false, any = false;
  std::optional<chat_request::span> usage;

  bool key(std::string_view name) {
    if (depth == 1) {
      any = true;
      is_usage = name == "include_usage";
    }
    return true;
  }
  bool literal(std::size_t length) {
    if (depth == 1 && is_usage) usage = {at->Tell() - length, at->Tell()};
    return true;
  }
  bool boolean(bool b) { return literal(b ? 4 : 5); }
  bool null() { return literal(4); }
  bool begin_object() { return ++depth, true; }
  bool end_object() { return --depth, true; }
  bool begin_array() { return ++depth, true; }
  bool end_array() { return --depth, true; }
};

edit ask_for_usage(const chat_request& request) {
  if (!request.stream_options_value)
    return {request.first_member, request.first_member, R"("stream_options":{"include_usage":true},)"};
  auto [begin, end] = *request.stream_options_value;
  option_finder options;
  json::read(std::string_view(*request.bytes).substr(begin, end - begin), options);
  if (options.usage) return {begin + options.usage->begin, begin + options.usage->end, "true"};
  if (options.any) return {begin + 1, begin + 1, R"("include_usage":true,)"};
  return {begin, end, R"({"include_usage":true})"}; // null or {}
}

bytes_ptr apply(const bytes_ptr& bytes, std::vector<edit> edits) {
  if (edits.empty()) return bytes;
  std::ranges::sort(edits, {}, &edit::begin);
  auto size = bytes->size();
  for (auto& e : edits) size += e.text.size();
  std::string out;
  out.reserve(size);
  std::size_t at = 0;
  for (auto& e : edits) {
    out.append(*bytes, at, e.begin - at).append(e.text);
    at = e.end;
  }
  out.append(*bytes, at, std::string::npos);
  return make_bytes(std::move(out));
}

void add_prefill(const chat_request& request, const prefill& begun, std::vector<edit>& edits) {
  std::string message = R"(,{"role":"assistant","content":)";
  json::append_string(message, begun.text);
  edits.push_back({request.messages_end, request.messages_end, message + "}"});
  for (auto& cap : request.caps) {
    if (!cap) continue;
    auto rest = cap->tokens > begun.tokens ? cap->tokens - begun.tokens : 1;
    edits.push_back({cap->value.begin, cap->value.end, std::to_string(rest)});
  }
}

} // namespace

bytes_ptr upstream_body(const chat_request& request, std::string_view model, const prefill* begun) {
  std::vector<edit> edits;
  if (model != request.model) {
    std::string name;
    json::append_string(name, model);
    edits.push_back({request.model_value.begin, request.model_value.end, std::move(name)});
  }
  if (request.stream && !request.wants_usage) edits.push_back(ask_for_usage(request));
  if (begun) add_prefill(request, *begun, edits);
  return apply(request.bytes, std::move(edits));
}

} // namespace mainstay
