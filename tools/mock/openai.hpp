// The OpenAI dialect: chat completions as api.openai.com speaks them. Reading calls, writing answers and wording
// errors are in a file each.
#pragma once

#include "tools/mock/dialect.hpp"

namespace mainstay::mock {

class openai final : public dialect {
public:
  std::optional<route> route_of(const target&) const override;
  limit_headers limits_in() const override { return limit_headers::openai; }
  std::optional<wire_error> read_chat(const target&, std::string_view body, chat_call& call) const override;
  std::optional<wire_error> read_embeddings(const target&, std::string_view body, chat_call& call,
                                            texts_to_embed& what) const override;
  std::string embeddings(const chat_call&, const texts_to_embed& what) const override;
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

// `{"error":{"message":…,"type":…,"param":…,"code":…}}`; an empty type, param or code is null.
std::string openai_error(std::string_view message, std::string_view type, std::string_view param,
                         std::string_view code);

} // namespace mainstay::mock
