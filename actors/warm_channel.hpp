// The way back of the run of a line that fills the cache: it only wants to know what came of it, and tells the warmer
// so once, whatever becomes of the run.
#pragma once

#include "actors/actors.hpp"

namespace mainstay {

class warm_channel final : public reply_channel {
public:
  /// `id`: of the warming.
  warm_channel(warmer_actor, std::string id, std::uint64_t line);
  ~warm_channel() override;

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override { head_ = std::move(headers); }
  /// Its run is told at once that everything was read.
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string) override {}
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t, std::function<void(std::size_t)> written) override {
    written_ = std::move(written);
  }

private:
  void answered(const header_list& headers);
  void refused(int status, const header_list& headers, const std::string& body);
  void tell(warming::ending how, std::string problem, bool node_ends = false);

  const warmer_actor warmer_;
  const std::string id_;
  const std::uint64_t line_;
  header_list head_;
  std::function<void(std::size_t)> written_;
  bool over_ = false;
};

} // namespace mainstay
