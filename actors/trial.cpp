#include "actors/trial.hpp"

#include "actors/intake.hpp"
#include "net/json_writer.hpp"

namespace mainstay {

namespace {

constexpr auto patience = 2min; // at most, whatever the configuration gives its callers

/// Reads everything at once and keeps nothing.
class nobody : public reply_channel {
public:
  void reply(int, header_list, bytes_ptr) override {}
  void stream_head(header_list) override {}
  void stream_event(bytes_ptr json) override {
    if (written_) written_(json->size());
  }
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr, header_list) override {}
  void stream_error(int, bytes_ptr, header_list) override {}
  void observe_progress(std::size_t, std::function<void(std::size_t)> written) override {
    written_ = std::move(written);
  }

private:
  std::function<void(std::size_t)> written_;
};

bytes_ptr body_of(const trial& t) {
  json_writer w;
  w.open().member("model", t.model).open_list("messages");
  w.open().member("role", "user").member("content", t.prompt).close();
  w.close_list().member("max_tokens", t.max_tokens).member("stream", true).close();
  return make_bytes(w.text());
}

} // namespace

std::vector<target> trial_targets(const config::settings& s, const std::string& model) {
  std::vector<target> out;
  if (const auto* m = s.model(model))
    for (auto& rung : m->ladder) out.insert(out.end(), rung.begin(), rung.end());
  return out;
}

run_record_ptr make_trial(const trial& t, const config::settings& s) {
  const auto targets = trial_targets(s, t.model);
  if (t.target >= targets.size()) return nullptr;
  auto own = std::make_shared<config::settings>(s);
  own->cache.reset();
  own->degradation.canned.reset();
  auto model = *s.model(t.model);
  model.ladder = {{targets[t.target]}};
  model.prefill_of_rung = {model.prefill};
  model.retry.max_retries = 0;
  model.hedge_after.reset();
  own->models = {std::move(model)};
  config::client_settings console;
  console.name = "console";
  own->clients = {std::move(console)};

  auto rec = std::make_shared<run_record>();
  rec->number = new_request_number();
  auto& in = rec->in;
  in.id = new_request_name(rec->number);
  in.client = &own->clients.front();
  in.settings = own;
  in.trial = true;
  in.cache = cache_mode::off;
  in.received = clock::now();
  in.deadline = in.received + std::min<duration>(s.deadline, patience);
  take_screened(*rec, screen(*own, in.client, body_of(t)));
  in.reply = std::make_shared<nobody>();
  return rec;
}

} // namespace mainstay
