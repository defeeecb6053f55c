#include "actors/doors.hpp"

#include "net/chat_answer.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto chat_path = "/v1/chat/completions";
constexpr auto models_path = "/v1/models";
constexpr std::string_view model_prefix = "/v1/models/";
constexpr auto scrape_patience = 3s;

std::string body_of(const intake_refusal& r) { return error_body(r.message, r.type, r.code, r.param); }

http::handler::refusal refuse(int status, std::string message, std::string code, header_list headers = {}) {
  for (auto& h : final_labels()) headers.push_back(std::move(h));
  return {status, std::move(headers), error_body(message, "invalid_request_error", code)};
}

class http_door : public http::handler {
public:
  http_door(std::shared_ptr<live_settings> settings, dispatcher_actor dispatcher)
    : settings_(std::move(settings)), dispatcher_(std::move(dispatcher)) {}

  refusal check_head(const http::request& head) override {
    bool chat = head.path == chat_path;
    bool models = head.path == models_path || head.path.starts_with(model_prefix);
    if (!chat && !models)
      return refuse(404, "no such path; served here: POST /v1/chat/completions, GET /v1/models", "not_found");
    if (chat && head.method != "POST") return refuse(405, "use POST", "method_not_allowed", {{"allow", "POST"}});
    if (models && head.method != "GET") return refuse(405, "use GET", "method_not_allowed", {{"allow", "GET"}});
    auto who = identify(*settings_->load(), head.headers, head.peer_is_loopback);
    if (auto* no = std::get_if<intake_refusal>(&who)) return {no->status, final_labels(), body_of(*no)};
    return {};
  }

  void handle(http::request head, bytes_ptr body, std::shared_ptr<http::response> response) override {
    auto now = clock::now();
    auto settings = settings_->load();
    auto who =
        identify(*settings, head.headers, head.peer_is_loopback); // again: a reload may have come between head and body
    if (auto* no = std::get_if<intake_refusal>(&who))
      return response->reply(no->status, final_labels(), make_bytes(body_of(*no)));
    auto* client = std::get<const config::client_settings*>(who);
    if (head.path != chat_path) return models(head, *settings, client, *response);
    auto taken = read_intake(settings, client, head.headers, std::move(body), now);
    if (auto* no = std::get_if<intake_refusal>(&taken))
      return response->reply(no->status, final_labels(), make_bytes(body_of(*no)));
    auto& rec = std::get<run_record_ptr>(taken);
    rec->in.reply = response;
    submit(dispatcher_, rec, [&](std::function<void()> left) { response->on_caller_left(std::move(left)); });
  }

private:
  static void models(const http::request& head, const config::settings& s, const config::client_settings* client,
                     http::response& response) {
    if (head.path == models_path) return response.reply(200, final_labels(), make_bytes(models_json(s, client)));
    auto model = model_json(s, client, head.path.substr(model_prefix.size()));
    if (!model.empty()) return response.reply(200, final_labels(), make_bytes(std::move(model)));
    response.reply(
        404, final_labels(),
        make_bytes(error_body(unknown_model(s, client), "invalid_request_error", "model_not_found", "model")));
  }

  std::shared_ptr<live_settings> settings_;
  dispatcher_actor dispatcher_;
};

class zmq_door : public mq::handler {
public:
  zmq_door(std::shared_ptr<live_settings> settings, dispatcher_actor dispatcher)
    : settings_(std::move(settings)), dispatcher_(std::move(dispatcher)) {}

  void handle(mq::request asked, std::shared_ptr<mq::response> response) override {
    auto now = clock::now();
    auto refuse = [&](int status, const std::string& message, const std::string& code, const std::string& param) {
      auto type = status == 401 ? "authentication_error" : "invalid_request_error";
      response->reply(status, final_labels(), make_bytes(error_body(message, type, code, param)));
    };
    if (asked.verb != "chat") return refuse(400, "unknown verb; served here: chat, cancel", "unknown_verb", "verb");
    for (auto* name : {"durable", "not-before", "batch"})
      if (auto* v = find_header(asked.headers, name); v && *v != "false")
        return refuse(400, std::string(name) + " needs a journal, which this node does not keep", "no_journal", name);
    auto settings = settings_->load();
    auto who = identify(*settings, asked.headers, asked.peer_is_loopback);
    if (auto* no = std::get_if<intake_refusal>(&who)) return refuse(no->status, no->message, no->code, no->param);
    auto taken =
        read_intake(settings, std::get<const config::client_settings*>(who), asked.headers, std::move(asked.body), now);
    if (auto* no = std::get_if<intake_refusal>(&taken)) return refuse(no->status, no->message, no->code, no->param);
    auto& rec = std::get<run_record_ptr>(taken);
    rec->in.reply = response;
    rec->in.plain_only = asked.req_client;
    submit(dispatcher_, rec, [&](std::function<void()> left) { response->on_caller_left(std::move(left)); });
  }

private:
  std::shared_ptr<live_settings> settings_;
  dispatcher_actor dispatcher_;
};

class metrics_door : public http::handler {
public:
  metrics_door(caf::actor_system& sys, metrics_actor metrics, std::function<bool()> ready)
    : sys_(sys), metrics_(std::move(metrics)), ready_(std::move(ready)) {}

  refusal check_head(const http::request& head) override {
    if (head.path != "/metrics" && head.path != "/healthz" && head.path != "/readyz")
      return refuse(404, "no such path; served here: /metrics, /healthz, /readyz", "not_found");
    if (head.method != "GET" && head.method != "HEAD")
      return refuse(405, "use GET", "method_not_allowed", {{"allow", "GET"}});
    return {};
  }

  void handle(http::request head, bytes_ptr, std::shared_ptr<http::response> response) override {
    auto text = [&](int status, const char* words) { response->reply_as(status, "text/plain", {}, make_bytes(words)); };
    if (head.path == "/healthz") return text(200, "ok\n");
    if (head.path == "/readyz") return ready_() ? text(200, "ready\n") : text(503, "draining\n");
    sys_.spawn([metrics = metrics_, response](caf::event_based_actor* self) {
      self->request(metrics, scrape_patience, scrape{})
          .then(
              [response](std::string& all) {
                response->reply_as(200, "text/plain; version=0.0.4; charset=utf-8", {}, make_bytes(std::move(all)));
              },
              [response](const caf::error&) {
                response->reply_as(503, "text/plain", {}, make_bytes("the metrics are being restarted\n"));
              });
    });
  }

private:
  caf::actor_system& sys_;
  metrics_actor metrics_;
  std::function<bool()> ready_;
};

} // namespace

header_list final_labels() {
  return {{"x-request-id", new_request_name(new_request_number())}, {"x-should-retry", "false"}};
}

std::shared_ptr<http::handler> make_http_door(std::shared_ptr<live_settings> s, dispatcher_actor d) {
  return std::make_shared<http_door>(std::move(s), std::move(d));
}

std::shared_ptr<mq::handler> make_zmq_door(std::shared_ptr<live_settings> s, dispatcher_actor d) {
  return std::make_shared<zmq_door>(std::move(s), std::move(d));
}

std::shared_ptr<http::handler> make_metrics_door(caf::actor_system& sys, metrics_actor m, std::function<bool()> ready) {
  return std::make_shared<metrics_door>(sys, std::move(m), std::move(ready));
}

} // namespace mainstay
