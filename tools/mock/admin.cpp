// Routes of the admin surface; every wrong use is answered with what is wrong.
#include "tools/mock/admin.hpp"

#include "tools/mock/http_text.hpp"
#include "tools/mock/json_text.hpp"

#include <charconv>
#include <optional>

namespace mainstay::mock {
namespace {

admin_answer errors(int status, const std::vector<std::string>& lines) {
  std::string body = "{\"errors\":[";
  for (auto& line : lines) body += (&line == &lines.front() ? "" : ",") + json_quoted(line);
  return {status, body + "]}"};
}

template <class Number>
bool read_number(std::string_view query, std::string_view name, Number& out) {
  auto text = query_value(query, name);
  if (!text) return true;
  auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), out);
  return code == std::errc() && end == text->data() + text->size();
}

admin_answer log(provider& p, std::string_view query) {
  log_query q;
  q.model = query_value(query, "model").value_or("");
  q.key = query_value(query, "key").value_or("");
  bool good = read_number(query, "since", q.since) & read_number(query, "since_time", q.since_time) &
              read_number(query, "limit", q.limit);
  if (!good) return errors(400, {"since, since_time and limit are numbers"});
  return {200, p.log_json(q)};
}

admin_answer bodies(provider& p, std::string_view query) {
  std::size_t most = SIZE_MAX;
  if (!read_number(query, "n", most)) return errors(400, {"n is a number"});
  return {200, p.bodies_json(most)};
}

admin_answer load(provider& p, std::string_view body) {
  auto wrong = p.load(body);
  if (!wrong.empty()) return errors(400, wrong);
  return {200, "{\"ok\":true}"};
}

} // namespace

admin_answer administer(provider& p, std::string_view method, std::string_view path, std::string_view query,
                        std::string_view body) {
  if (method == "GET") {
    if (path == "/mock/log") return log(p, query);
    if (path == "/mock/stats") return {200, p.stats_json()};
    if (path == "/mock/bodies") return bodies(p, query);
    if (path == "/mock/script") return {200, p.script_json()};
  }
  if (method == "PUT" && path == "/mock/script") return load(p, body);
  if (method == "POST" && path == "/mock/reset") {
    p.reset();
    return {200, "{\"ok\":true}"};
  }
  return errors(404, {"there are GET /mock/log, GET /mock/stats, GET /mock/bodies, GET and PUT /mock/script and POST "
                      "/mock/reset"});
}

} // namespace mainstay::mock
