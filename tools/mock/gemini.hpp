// The Gemini dialect: generateContent, streamGenerateContent?alt=sse and batchEmbedContents as
// generativelanguage.googleapis.com speaks them, version v1beta. The model and the wish for a stream stand in the path.
// Reading calls, writing answers and wording errors are in a file each.
#pragma once

#include "tools/mock/dialect.hpp"

namespace mainstay::mock {

class gemini final : public dialect {
public:
  std::optional<route> route_of(const target&) const override;
  limit_headers limits_in() const override { return limit_headers::none; }
  std::optional<wire_error> read_chat(const target&, std::string_view body, chat_call& call) const override;
  std::string token_count(const chat_call&) const override;
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

// `{"error":{"code":…,"message":…,"status":…,"details":[…]}}`; `details` is JSON without its brackets, empty: none.
std::string gemini_error(int code, std::string_view status, std::string_view message, std::string_view details = "");

// Of the third generation or later: gives its calls ids, and wants their signatures back.
bool is_gemini_3(std::string_view model);

} // namespace mainstay::mock
