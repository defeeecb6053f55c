// The Anthropic dialect: messages as api.anthropic.com speaks them, version 2023-06-01. Reading calls, writing answers
// and wording errors are in a file each.
#pragma once

#include "tools/mock/dialect.hpp"

namespace mainstay::mock {

class anthropic final : public dialect {
public:
  std::optional<route> route_of(const target&) const override;
  limit_headers limits_in() const override { return limit_headers::anthropic; }
  std::optional<wire_error> read_chat(const target&, std::string_view body, chat_call& call) const override;
  std::string token_count(const chat_call&) const override;
  std::string plain(const chat_call&, const answer&, answer_label) const override;
  event_stream stream(const chat_call&, const answer&, answer_label) const override;
  std::string error_body(int status, std::string_view model, std::string_view key) const override;
  std::optional<wire_error> named_error(std::string_view name, std::string_view model,
                                        std::string_view key) const override;
  std::string error_event(std::string_view body) const override;
  std::string rate_limited(std::string_view model, std::string_view what, std::uint64_t limit, std::uint64_t used,
                           std::uint64_t requested, std::string_view wait) const override;
  std::string unknown_path(std::string_view method, std::string_view path) const override;
  wire_error missing_key() const override;
  std::string models(const std::vector<std::string>& names) const override;
  std::string model(std::string_view name) const override;
};

// `{"type":"error","error":{"type":…,"message":…},"request_id":…}`
std::string anthropic_error(std::string_view type, std::string_view message);

} // namespace mainstay::mock
