#include "actors/metrics_door.hpp"

#include "actors/door_access.hpp"
#include "actors/turn.hpp"
#include "web/embedded_file.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr auto scrape_patience = 3s;

struct page_file {
  std::string_view path, name, type;
};
constexpr page_file page_files[] = {{"/", "index.html", "text/html; charset=utf-8"},
                                    {"/dashboard.js", "dashboard.js", "text/javascript; charset=utf-8"},
                                    {"/dashboard.css", "dashboard.css", "text/css; charset=utf-8"},
                                    {"/chart.js", "chart.min.js", "text/javascript; charset=utf-8"}};

const page_file* find_page(std::string_view path) {
  const auto* it = std::find_if(std::begin(page_files), std::end(page_files), [&](auto& f) { return f.path == path; });
  return it == std::end(page_files) ? nullptr : it;
}

/// Whatever of ours a browser is made to load, it runs nothing from elsewhere, is framed by nobody and keeps nothing.
header_list guarded(header_list more = {}) {
  more.insert(more.end(),
              {{"cache-control", "no-store"},
               {"x-content-type-options", "nosniff"},
               {"referrer-policy", "no-referrer"},
               {"cross-origin-resource-policy", "same-origin"},
               {"content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}});
  return more;
}

http::handler::refusal refuse(int status, std::string_view message, std::string_view code, header_list headers = {}) {
  const auto type = status == 401 ? "authentication_error" : "invalid_request_error";
  return {status, guarded(std::move(headers)), http::error_json(message, type, code)};
}

bool accepts_gzip(const header_list& headers) {
  const auto* accepted = find_header(headers, "accept-encoding");
  return accepted && accepted->find("gzip") != std::string::npos;
}

class metrics_door : public http::handler {
public:
  metrics_door(caf::actor_system& sys, std::shared_ptr<live_settings> settings, directory_ptr names,
               std::function<bool()> ready)
    : sys_(sys), settings_(std::move(settings)), names_(std::move(names)), ready_(std::move(ready)) {}

  refusal check_head(const http::request& head) override {
    const bool open = head.path == "/healthz" || head.path == "/readyz";
    if (!open)
      if (auto no = check_caller(head); no.status) return no;
    if (!open && head.path != "/metrics" && head.path != "/events" && !find_page(head.path))
      return refuse(404, "no such path; served here: / (the dashboard), /events, /metrics, /healthz, /readyz",
                    "not_found");
    if (head.method != "GET" && head.method != "HEAD")
      return refuse(405, "use GET", "method_not_allowed", {{"allow", "GET, HEAD"}});
    return {};
  }

  void handle(http::request head, bytes_ptr, std::shared_ptr<http::response> response) override {
    auto text = [&](int status, const char* words) {
      response->reply_as(status, "text/plain", guarded(), make_bytes(words));
    };
    if (head.path == "/healthz") return text(200, "ok\n");
    if (head.path == "/readyz") return ready_() ? text(200, "ready\n") : text(503, "draining\n");
    if (const auto* page = find_page(head.path)) return send(*page, head, *response);
    if (head.path == "/events") {
      if (head.method == "HEAD") return response->reply_as(200, "text/event-stream", guarded(), make_bytes(""));
      return tell(names_->dashboard, look_on{std::move(response), guarded()});
    }
    sys_.spawn([metrics = names_->metrics, response](caf::event_based_actor* self) {
      self->request(metrics, scrape_patience, scrape{})
          .then(
              [response](std::string& all) {
                response->reply_as(200, "text/plain; version=0.0.4; charset=utf-8", guarded(),
                                   make_bytes(std::move(all)));
              },
              [response](const caf::error&) {
                response->reply_as(503, "text/plain", guarded(), make_bytes("the metrics are being restarted\n"));
              });
    });
  }

private:
  /// Whoever brings the token may use any name of ours: a stranger's page cannot bring it.
  refusal check_caller(const http::request& head) const {
    const auto settings = settings_->load();
    const auto& doors = settings->doors;
    if (!doors.metrics_token) {
      if (!head.peer_is_loopback) // a reload took the token away
        return refuse(401, "doors.metrics.token is not configured: only callers on this machine are served",
                      "no_token");
      if (!names_this_machine(head.headers, doors.metrics ? doors.metrics->host : ""))
        return refuse(421, "without doors.metrics.token this door answers to addresses and to localhost only",
                      "wrong_host");
      return {};
    }
    if (brings_token(head.headers, *doors.metrics_token)) return {};
    return refuse(401, "a token is needed: authorization: Bearer TOKEN, or TOKEN as the password of HTTP Basic",
                  "invalid_token", {{"www-authenticate", "Basic realm=\"Mainstay\", charset=\"UTF-8\""}});
  }

  static void send(const page_file& page, const http::request& head, http::response& response) {
    const auto file = find_embedded(page.name).value();
    const bool gzip = accepts_gzip(head.headers);
    auto headers = guarded({{"vary", "accept-encoding"}});
    if (gzip) headers.emplace_back("content-encoding", "gzip");
    response.reply_as(200, std::string(page.type), std::move(headers),
                      make_bytes(std::string(gzip ? file.gzipped : file.plain)));
  }

  caf::actor_system& sys_;
  std::shared_ptr<live_settings> settings_;
  directory_ptr names_;
  std::function<bool()> ready_;
};

} // namespace

std::shared_ptr<http::handler> make_metrics_door(caf::actor_system& sys, std::shared_ptr<live_settings> settings,
                                                 directory_ptr names, std::function<bool()> ready) {
  return std::make_shared<metrics_door>(sys, std::move(settings), std::move(names), std::move(ready));
}

} // namespace mainstay
