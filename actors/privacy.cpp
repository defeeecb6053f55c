#include "actors/privacy.hpp"

#include "actors/turn.hpp"
#include "net/redaction/screened_channel.hpp"

namespace mainstay {

namespace {

bool looks_at_answers(const privacy_rules_ptr& rules, const placeholders_ptr& table) {
  return table || (rules && !rules->deny_out.empty());
}

} // namespace

screened_request screen(const config::settings& s, const config::client_settings* client, bytes_ptr body) {
  const auto& rules = s.privacy_of(client);
  if (rules && !rules->none() && body) return screen_request(*rules, body);
  return {std::move(body), nullptr, {}, {}};
}

void take_screened(run_record& rec, screened_request seen) {
  auto& in = rec.in;
  in.body = std::move(seen.body);
  in.restores = looks_at_answers(in.settings->privacy_of(in.client), seen.table);
  if (seen.table) in.make_particular().placeholders = std::move(seen.table);
  if (!seen.denied.empty()) in.make_particular().denied = std::move(seen.denied);
  if (!seen.replaced.empty()) rec.report().redacted = std::move(seen.replaced);
}

std::shared_ptr<reply_channel> screened(const run_record_ptr& rec, const directory& names,
                                        std::shared_ptr<reply_channel> caller) {
  if (!rec->in.restores) return caller;
  const auto told = [weak = std::weak_ptr(rec), metrics = names.metrics,
                     dispatcher = names.dispatcher](const std::string& rule) {
    tell(metrics, content_denied{rule, true});
    const auto record = weak.lock();
    if (!record) return;
    record->withheld = true;
    record->caller_gone = true; // nothing more reaches it
    letter<caller_left>::post(caf::actor_cast<caf::strong_actor_ptr>(dispatcher), caller_left{record->number});
  };
  return std::make_shared<screened_channel>(std::move(caller), rec->in.settings->privacy_of(rec->in.client),
                                            rec->in.particular().placeholders, told);
}

std::shared_ptr<reply_channel> screened(const privacy_rules_ptr& rules, const placeholders_ptr& table,
                                        const metrics_actor& metrics, std::shared_ptr<reply_channel> caller) {
  if (!looks_at_answers(rules, table)) return caller;
  return std::make_shared<screened_channel>(std::move(caller), rules, table, [metrics](const std::string& rule) {
    tell(metrics, content_denied{rule, true});
  });
}

} // namespace mainstay
