#include "actors/doors.hpp"

#include "actors/journal_channel.hpp"
#include "actors/repeats.hpp"
#include "core/retry_after.hpp"
#include "net/chat_answer.hpp"
#include "net/dialects/caller_dialect.hpp"
#include "net/translating_channel.hpp"

#include <algorithm>

namespace mainstay {

namespace {

// What is served where. Of a prefix, everything below it.
enum class service : std::uint8_t { chat, embeddings, token_count, kept_response, models, model };
struct served {
  std::string_view path, method;
  service what;
  bool prefix = false;
  dialect errors = dialect::openai;
  caller_request_or (*read)(const bytes_ptr&) = nullptr; // the body of another dialect
};
constexpr served paths[] = {
    {"/v1/chat/completions", "POST", service::chat},
    {"/v1/completions", "POST", service::chat, false, dialect::openai, read_completions},
    {"/v1/responses", "POST", service::chat, false, dialect::openai, read_responses},
    {"/v1/responses/", "", service::kept_response, true},
    {"/v1/messages", "POST", service::chat, false, dialect::anthropic, read_messages},
    {"/v1/messages/count_tokens", "POST", service::token_count, false, dialect::anthropic, read_token_count},
    {"/v1/embeddings", "POST", service::embeddings},
    {"/v1/models", "GET", service::models},
    {"/v1/models/", "GET", service::model, true},
};

const served* find_path(std::string_view path) {
  const auto it = std::ranges::find_if(
      paths, [&](const served& p) { return p.prefix ? path.starts_with(p.path) : path == p.path; });
  return it == std::end(paths) ? nullptr : it;
}

std::string all_paths() {
  std::string out;
  for (const auto& p : paths)
    if (!p.prefix) out.append(out.empty() ? "" : ", ").append(p.method).append(" ").append(p.path);
  return out;
}

/// Whose words that path's caller understands: both vendors' SDKs list models under one path.
dialect words_of(const served& path, const header_list& headers) {
  const bool either = path.what == service::models || path.what == service::model;
  return either && find_header(headers, "anthropic-version") ? dialect::anthropic : path.errors;
}

/// In the words of that path's callers.
std::string body_of(const intake_refusal& r, dialect d) {
  auto body = error_body(r.message, r.type, r.code, r.param);
  return d == dialect::anthropic ? anthropic_error(r.status, body) : body;
}

intake_refusal wrong(int status, std::string message, std::string code, std::string param = {}) {
  return {status, std::move(message), "invalid_request_error", std::move(code), std::move(param)};
}

intake_refusal wrong(const request_problem& p) { return wrong(400, p.message, p.code, p.param); }

/// The way back; with an idempotency key, one that lets others have the same answer.
std::shared_ptr<reply_channel> way_back(const run_record& rec, const repeats_actor& repeats,
                                        std::shared_ptr<reply_channel> caller) {
  if (rec.in.idempotency_key.empty()) return caller;
  return std::make_shared<repeat_channel>(repeats, repeat_key(rec.in.client_name(), rec.in.idempotency_key), rec.number,
                                          std::move(caller));
}

class http_door : public http::handler {
public:
  http_door(std::shared_ptr<live_settings> settings, directory_ptr names)
    : settings_(std::move(settings)), names_(std::move(names)) {}

  refusal check_head(const http::request& head) override {
    const auto* path = find_path(head.path);
    if (!path) return refusal_of(wrong(404, "no such path; served here: " + all_paths(), "not_found"), dialect::openai);
    if (!path->method.empty() && head.method != path->method) {
      auto no = refusal_of(wrong(405, "use " + std::string(path->method), "method_not_allowed"),
                           words_of(*path, head.headers));
      no.headers.emplace_back("allow", path->method);
      return no;
    }
    auto who = identify(*settings_->load(), head.headers, head.peer_is_loopback);
    if (auto* no = std::get_if<intake_refusal>(&who)) return refusal_of(*no, words_of(*path, head.headers));
    return {};
  }

  void handle(http::request head, bytes_ptr body, std::shared_ptr<http::response> response) override {
    auto now = clock::now();
    auto settings = settings_->load();
    const auto& path = *find_path(head.path);
    const auto refuse = [&](const intake_refusal& no) {
      response->reply(no.status, final_labels(), make_bytes(body_of(no, words_of(path, head.headers))));
    };
    auto who =
        identify(*settings, head.headers, head.peer_is_loopback); // again: a reload may have come between head and body
    if (auto* no = std::get_if<intake_refusal>(&who)) return refuse(*no);
    auto* client = std::get<const config::client_settings*>(who);
    if (path.what == service::models || path.what == service::model) return models(head, *settings, client, *response);
    if (path.what == service::kept_response)
      return refuse(wrong(404, "answers are not kept here: there is no response to be had or changed", "not_found"));
    auto seen = screen(*settings, client, std::move(body)); // before anything else is made of it
    caller_request other;
    if (path.read) {
      auto understood = path.read(seen.body);
      if (auto* no = std::get_if<request_problem>(&understood)) return refuse(wrong(*no));
      other = std::move(std::get<caller_request>(understood));
      seen.body = other.chat;
    }
    if (path.what == service::token_count)
      return count_tokens(std::move(seen.body), *settings, client, *response, refuse);
    auto taken = read_intake(settings, client, head.headers, std::move(seen), now);
    if (auto* no = std::get_if<intake_refusal>(&taken)) return refuse(*no);
    auto& rec = std::get<run_record_ptr>(taken);
    note_address(*rec, head.peer);
    if (path.what == service::embeddings) rec->in.kind = request_kind::embeddings;
    std::shared_ptr<reply_channel> caller = response;
    if (other.teller) {
      rec->in.foreign = true;
      caller = std::make_shared<translating_channel>(response, std::move(other.teller));
    }
    if (other.native) {
      for (auto& [name, value] : head.headers)
        if (name.starts_with("anthropic-")) other.native->headers.emplace_back(name, value);
      rec->in.make_particular().native = std::move(other.native);
    }
    rec->in.reply = way_back(*rec, names_->repeats, screened(rec, *names_, std::move(caller)));
    submit(names_->dispatcher, rec, [&](std::function<void()> left) { response->on_caller_left(std::move(left)); });
  }

private:
  static refusal refusal_of(const intake_refusal& no, dialect d) { return {no.status, final_labels(), body_of(no, d)}; }

  static intake_refusal no_such_model(const config::settings& s, const config::client_settings* client) {
    return wrong(404, unknown_model(s, client), "model_not_found", "model");
  }

  static void models(const http::request& head, const config::settings& s, const config::client_settings* client,
                     http::response& response) {
    const auto& path = *find_path(head.path);
    const auto words = words_of(path, head.headers);
    auto found = path.what == service::models ? models_json(s, client, words)
                                              : model_json(s, client, head.path.substr(path.path.size()), words);
    if (!found.empty()) return response.reply(200, final_labels(), make_bytes(std::move(found)));
    response.reply(404, final_labels(), make_bytes(body_of(no_such_model(s, client), words)));
  }

  /// An estimate, as limits go by it: nobody is asked.
  template <class Refuse>
  static void count_tokens(bytes_ptr chat, const config::settings& s, const config::client_settings* client,
                           http::response& response, const Refuse& refuse) {
    const auto parsed = parse_chat_request(std::move(chat));
    if (auto* no = std::get_if<request_problem>(&parsed)) return refuse(wrong(*no));
    const auto& asked = std::get<chat_request>(parsed);
    if (!s.model(asked.model) || !may_ask(client, asked.model)) return refuse(no_such_model(s, client));
    response.reply(200, final_labels(), make_bytes(R"({"input_tokens":)" + std::to_string(asked.prompt_tokens) + "}"));
  }

  std::shared_ptr<live_settings> settings_;
  directory_ptr names_;
};

/// What the headers of a message ask of the journal.
struct durable_wish {
  bool durable = false, batch = false;
  std::optional<utc_time> not_before;
  std::string wrong, param; // what is wrong with them
};

durable_wish read_wish(const header_list& headers) {
  durable_wish w;
  auto flag = [&](const char* name) {
    auto* v = find_header(headers, name);
    if (v && *v != "true" && *v != "false") w.wrong = std::string(name) + " must be true or false", w.param = name;
    return v && *v == "true";
  };
  w.durable = flag("durable");
  w.batch = flag("batch");
  if (w.batch && !w.durable) w.wrong = "only a durable request can be merged with others", w.param = "batch";
  if (auto* v = find_header(headers, "not-before")) {
    w.not_before = parse_date(*v);
    if (!w.not_before)
      w.wrong = "not-before must be an RFC 3339 date, such as 2026-01-31T08:00:00Z", w.param = "not-before";
    else if (!w.durable)
      w.wrong = "only a durable request can wait for not-before", w.param = "not-before";
  }
  return w;
}

class zmq_door : public mq::handler {
public:
  zmq_door(std::shared_ptr<live_settings> settings, directory_ptr names)
    : settings_(std::move(settings)), names_(std::move(names)) {}

  void handle(mq::request asked, std::shared_ptr<mq::response> response) override {
    auto now = clock::now();
    auto refuse = [&](int status, const std::string& message, const std::string& code, const std::string& param) {
      auto type = status == 401 ? "authentication_error" : "invalid_request_error";
      response->reply(status, final_labels(), make_bytes(error_body(message, type, code, param)));
    };
    const bool collects = asked.verb == "collect";
    if (asked.verb != "chat" && asked.verb != "embeddings" && !collects)
      return refuse(400, "unknown verb; served here: chat, embeddings, collect, cancel", "unknown_verb", "verb");
    auto wish = read_wish(asked.headers);
    const bool journal = wish.durable || collects || !wish.wrong.empty();
    if (journal && !names_->journal && !(collects && names_->peer_journal))
      return refuse(400, "this node keeps no journal", "no_journal", collects ? "verb" : "durable");
    if (!wish.wrong.empty()) return refuse(400, wish.wrong, "invalid_header", wish.param);
    if (journal && asked.req_client)
      return refuse(400, "a REQ socket can take one answer only: use a DEALER", "durable_not_possible",
                    collects ? "verb" : "durable");
    auto settings = settings_->load();
    auto who = identify(*settings, asked.headers, asked.peer_is_loopback);
    if (auto* no = std::get_if<intake_refusal>(&who)) return refuse(no->status, no->message, no->code, no->param);
    auto* client = std::get<const config::client_settings*>(who);
    auto seen = screen(*settings, client, std::move(asked.body));
    auto taken = read_intake(settings, client, asked.headers, std::move(seen), now);
    if (auto* no = std::get_if<intake_refusal>(&taken)) return refuse(no->status, no->message, no->code, no->param);
    auto& rec = std::get<run_record_ptr>(taken);
    note_address(*rec, asked.peer);
    if (collects) return collect(*rec, std::move(asked.id), response);
    if (asked.verb == "embeddings") rec->in.kind = request_kind::embeddings;
    if (wish.batch && !find_header(asked.headers, "x-mainstay-priority")) rec->in.level = priority::low;
    if (wish.durable) return submit_durable(rec, wish, std::move(asked.id), response);
    rec->in.reply = way_back(*rec, names_->repeats, screened(rec, *names_, response));
    rec->in.plain_only = asked.req_client;
    submit(names_->dispatcher, rec, [&](std::function<void()> left) { response->on_caller_left(std::move(left)); });
  }

  /// Of a request that is not in flight at that connection: a durable one, perhaps.
  void cancel(mq::request asked, std::shared_ptr<mq::response> response) override {
    auto settings = settings_->load();
    auto who = identify(*settings, asked.headers, asked.peer_is_loopback);
    auto* client = std::get_if<const config::client_settings*>(&who);
    if (!journals() || !client) return mq::refuse_cancel(*response);
    inbound whose;
    whose.client = *client;
    auto caller = make_caller(response, clock::now() + settings->deadline);
    letter<journal_cancel>::post(journals(), journal_cancel{{whose.client_name(), asked.id, caller}});
  }

private:
  template <class Handle>
  static caf::strong_actor_ptr front(const Handle& h) {
    return caf::actor_cast<caf::strong_actor_ptr>(h);
  }

  /// This node's, or else who looks into others'.
  caf::strong_actor_ptr journals() const {
    return names_->journal ? front(names_->journal) : front(names_->peer_journal);
  }

  static std::shared_ptr<live_caller> make_caller(const std::shared_ptr<mq::response>& response, instant until) {
    auto caller = std::make_shared<live_caller>(response, until);
    response->on_caller_left([weak = std::weak_ptr(caller)] {
      if (auto c = weak.lock()) c->left();
    });
    return caller;
  }

  void collect(const run_record& rec, std::string id, const std::shared_ptr<mq::response>& response) {
    auto caller = make_caller(response, rec.in.deadline);
    caller->lives_by(rec.in.settings->privacy_of(rec.in.client), names_->metrics);
    auto client = rec.in.client_name();
    response->on_cancel([journal = journals(), client, id, weak = std::weak_ptr(caller)] {
      letter<journal_cancel>::post(journal, journal_cancel{{client, id, weak.lock()}});
    });
    letter<journal_collect>::post(journals(), journal_collect{{client, std::move(id), std::move(caller)}});
  }

  /// The deadline is its caller's, who may leave; the request itself has the configured time, or more, for each run.
  void submit_durable(const run_record_ptr& rec, const durable_wish& wish, std::string id,
                      const std::shared_ptr<mq::response>& response) {
    auto caller = make_caller(response, rec->in.deadline);
    caller->lives_by(rec->in.settings->privacy_of(rec->in.client), names_->metrics);
    caller->restores(rec->in.particular().placeholders);
    rec->in.deadline = std::max(rec->in.deadline, rec->in.received + rec->in.settings->deadline);
    rec->durable = std::make_shared<journal_channel>(names_->journal, caller, rec->number);
    rec->in.reply = rec->durable;
    rec->durable_id = id;
    if (wish.not_before) rec->not_before = *wish.not_before;
    rec->batch = wish.batch && rec->in.level == priority::low; // who is in a hurry does not wait for others
    response->on_cancel([names = names_, weak = std::weak_ptr(rec), waiter = std::weak_ptr(caller), id,
                         client = rec->in.client_name()] {
      auto record = weak.lock();
      const bool called_off = record && record->durable->call_off();
      // Also then: it may be the repetition of one that the journal has.
      letter<journal_cancel>::post(front(names->journal), journal_cancel{{client, id, waiter.lock()}, called_off});
      if (!called_off) return;
      record->caller_gone = true;
      letter<caller_left>::post(front(names->dispatcher), caller_left{record->number});
    });
    letter<submission>::post(front(names_->dispatcher), submission{rec});
  }

  std::shared_ptr<live_settings> settings_;
  directory_ptr names_;
};

} // namespace

header_list final_labels() {
  return {{"x-request-id", new_request_name(new_request_number())}, {"x-should-retry", "false"}};
}

std::shared_ptr<http::handler> make_http_door(std::shared_ptr<live_settings> s, directory_ptr names) {
  return std::make_shared<http_door>(std::move(s), std::move(names));
}

std::shared_ptr<mq::handler> make_zmq_door(std::shared_ptr<live_settings> s, directory_ptr names) {
  return std::make_shared<zmq_door>(std::move(s), std::move(names));
}

} // namespace mainstay
