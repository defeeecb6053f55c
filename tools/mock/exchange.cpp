// From a request to its verdict, and the healthy answers. GCC 12 miscompiles some conditions with a
// co_await inside (its bug 106188, and && before one), so what is awaited gets a name first, here and in the other
// files of this class.
#include "tools/mock/exchange.hpp"

#include "tools/mock/admin.hpp"
#include "tools/mock/http_text.hpp"
#include "tools/mock/json_text.hpp"
#include "tools/mock/openai.hpp"

#include <algorithm>

namespace mainstay::mock {
namespace {

namespace http = boost::beast::http;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string headers_json(const request_parser::value_type& request) {
  std::string out = "{";
  for (auto& field : request) {
    if (out.size() > 1) out += ',';
    std::string name(field.name_string());
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    append_json_string(out, name);
    out += ':';
    append_json_string(out, view(field.value()));
  }
  return out + "}";
}

// What does not parse as HTTP is answered once and ended: the framing is lost.
asio::awaitable<void> refuse(peer& caller, int status) {
  auto body = openai_error(status == 413 ? "Maximum content size limit exceeded." : "Bad request: not HTTP.",
                           "invalid_request_error", "", "");
  auto text = head_text({.status = status, .content_length = body.size(), .keep_alive = false}) + body;
  co_await caller.send(text);
}

target target_of(const request_parser::value_type& request) {
  target t{.method = view(request.method_string()), .names_version = request.count("anthropic-version") > 0};
  auto whole = view(request.target());
  t.path = whole.substr(0, whole.find('?'));
  if (t.path.size() < whole.size()) t.query = whole.substr(t.path.size() + 1);
  return t;
}

} // namespace

asio::awaitable<void> serve(std::shared_ptr<peer> caller, provider& shared) {
  shared.connected();
  for (bool more = true; more;) {
    request_parser parser;
    parser.eager(true);
    parser.header_limit(64 << 10);
    parser.body_limit(body_limit);
    auto got = co_await caller->read(parser, std::chrono::milliseconds(shared.given().idle_ms));
    if (got == read_result::left) break;
    if (got != read_result::request) {
      co_await refuse(*caller, got == read_result::too_large ? 413 : 400);
      break;
    }
    exchange one(*caller, shared, parser);
    more = co_await one.run();
  }
  caller->hang_up();
  shared.disconnected();
}

exchange::exchange(peer& caller, provider& shared, const request_parser& parser)
  : peer_(caller), provider_(shared), request_(parser.get()), target_(target_of(request_)),
    dialect_(dialect_of(target_)), keep_alive_(request_.keep_alive()), chunked_(request_.version() >= 11) {}

asio::awaitable<bool> exchange::run() {
  if (target_.path.starts_with("/mock/")) {
    co_await administer_it();
    co_return keep_alive_;
  }
  chat_call call;
  auto where = dialect_.route_of(target_).value_or(route::unknown);
  auto key = bearer();
  std::optional<wire_error> wrong;
  if (provider_.given().require_key && key.empty())
    wrong = dialect_.missing_key();
  else if (where == route::unknown)
    wrong = wire_error{404, dialect_.unknown_path(target_.method, target_.path)};
  else if (where == route::chat || where == route::token_count)
    wrong = dialect_.read_chat(target_, request_.body(), call);
  else if (where == route::embeddings)
    wrong = dialect_.read_embeddings(target_, request_.body(), call, texts_);

  auto arrived = describe(call, key);
  arrived.scripted = !wrong;
  arrived.chat = !wrong && where == route::chat;
  std::string headers;
  if (provider_.given().keep_bodies) headers = headers_json(request_);
  arrived.raw_headers = headers;
  verdict_ = provider_.admit(arrived);

  if (wrong)
    co_await send_answer(wrong->status, "application/json", wrong->body);
  else
    co_await play(where, call, key);
  peer_.answered();
  provider_.finish(verdict_, ending_);
  co_return keep_alive_ && !ending_.client_left;
}

std::string exchange::bearer() const {
  auto value = view(request_[http::field::authorization]);
  constexpr std::string_view scheme = "Bearer ";
  if (boost::beast::iequals({value.data(), std::min(value.size(), scheme.size())}, {scheme.data(), scheme.size()}))
    return std::string(value.substr(scheme.size()));
  for (auto name : {"x-api-key", "api-key", "x-goog-api-key"})
    if (auto other = view(request_[name]); !other.empty()) return std::string(other);
  return query_value(target_.query, "key").value_or("");
}

arrival exchange::describe(const chat_call& call, std::string_view key) const {
  arrival a;
  a.method = target_.method;
  a.path = target_.path;
  a.limits_in = dialect_.limits_in();
  a.key = key;
  a.idempotency_key = view(request_["idempotency-key"]);
  a.body = request_.body();
  a.connection = peer_.number();
  a.model = call.model;
  a.user = call.user;
  a.text = call.last_user_text;
  a.last_role = call.last_role;
  a.prompt_tokens = call.prompt_tokens;
  a.max_tokens = call.max_tokens;
  a.parts = call.parts.size();
  a.n = a.parts > 0 && !call.max_tokens ? static_cast<std::uint32_t>(a.parts) : call.n;
  a.stream = call.stream;
  a.tools = call.has_tools;
  a.json = call.wants_json;
  return a;
}

asio::awaitable<void> exchange::administer_it() {
  auto answer = administer(provider_, target_.method, target_.path, target_.query, request_.body());
  co_await send_answer(answer.status, "application/json", answer.body);
}

asio::awaitable<void> exchange::play(route where, const chat_call& call, std::string_view key) {
  if (verdict_.refused) {
    co_await play_refusal(call.model);
    co_return;
  }
  bool there = co_await pause(verdict_.latency);
  if (!there) co_return;
  if (verdict_.what) {
    ending_.fault = verdict_.what->kind == fault_kind::none ? "" : std::string_view(verdict_.what->name);
    bool done = co_await play_fault(call, key);
    if (done) co_return;
  }
  if (where == route::models) {
    co_await play_plain(dialect_.models(provider_.model_names()), 0);
  } else if (where == route::token_count) {
    co_await play_plain(dialect_.token_count(call), 0);
  } else if (where == route::embeddings) {
    co_await play_plain(dialect_.embeddings(call, texts_), 0);
  } else if (where == route::model) {
    co_await play_plain(dialect_.model(target_.path.substr(target_.path.rfind("/models/") + 8)), 0);
  } else {
    auto answer = make_answer(call, verdict_.words, verdict_.ignore_prefill, verdict_.spoil);
    answer.cached_tokens = verdict_.cached_tokens;
    answer.cache_write_tokens = verdict_.cache_write_tokens;
    if (verdict_.reasoning_tokens) answer.reasoning_tokens = verdict_.reasoning_tokens;
    const answer_label label{provider_.given().name, verdict_.number};
    if (call.stream) {
      auto events = dialect_.stream(call, answer, label);
      co_await play_stream(events, call, key);
    } else {
      co_await play_plain(dialect_.plain(call, answer, label), answer.tokens);
    }
  }
}

asio::awaitable<void> exchange::play_refusal(std::string_view model) {
  auto& why = *verdict_.refused;
  ending_.fault = "limit";
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(why.wait).count();
  if (ms > 0 && !why.silent) {
    verdict_.header_lines += "retry-after: " + std::to_string((ms + 999) / 1000) + "\r\n";
    verdict_.header_lines += "retry-after-ms: " + std::to_string(ms) + "\r\n";
  }
  auto body = dialect_.rate_limited(model, why.what, why.limit, why.used, why.requested, duration_text(why.wait));
  co_await send_answer(429, "application/json", body);
}

asio::awaitable<void> exchange::send_answer(int status, std::string_view content_type, std::string_view body) {
  queue_head(status, content_type, body.size());
  queue_ += body;
  co_await flush();
}

void exchange::queue_head(int status, std::string_view content_type, std::optional<std::size_t> length) {
  if (!length && !chunked_) keep_alive_ = false; // the body ends with the connection
  ending_.status = status;
  queue_ += head_text({.status = status,
                       .content_type = content_type,
                       .content_length = length,
                       .chunked = !length && chunked_,
                       .keep_alive = keep_alive_,
                       .request_number = verdict_.number,
                       .lines = verdict_.header_lines});
}

asio::awaitable<bool> exchange::flush() {
  if (ending_.client_left) co_return false;
  if (queue_.empty()) co_return true;
  bool sent = co_await peer_.send(queue_);
  if (!sent) ending_.client_left = true;
  queue_.clear();
  if (!ending_.client_left) {
    provider_.sent(queued_tokens_ - ending_.tokens);
    ending_.tokens = queued_tokens_;
  }
  co_return !ending_.client_left;
}

asio::awaitable<bool> exchange::pause(std::chrono::nanoseconds length) {
  if (length.count() <= 0) co_return true;
  bool there = co_await flush();
  if (!there) co_return false;
  there = co_await peer_.pause(length);
  if (!there) ending_.client_left = true;
  co_return !ending_.client_left;
}

asio::awaitable<void> exchange::stay_silent() {
  bool there = co_await flush();
  if (!there) co_return;
  co_await peer_.until_left();
  ending_.client_left = true;
}

void exchange::drop(bool with_reset) {
  keep_alive_ = false;
  with_reset ? peer_.reset() : peer_.hang_up();
}

} // namespace mainstay::mock
