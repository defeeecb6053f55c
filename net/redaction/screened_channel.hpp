// The way back to a caller whose request was redacted, or whose client has rules for what may go out: puts back what
// stands behind placeholders, in whole answers and in streams (OpenAI's chat form), and ends an answer that says what
// is denied. Promises: a placeholder is found however it is cut into chunks, in each choice and each text of its own;
// what may be the beginning of one waits for what follows, and nothing waits behind its choice's end; the order of
// chunks stays; a chunk that does not change is not copied. Of what is denied nothing leaves, as long as it is no
// longer than `window`: so much of each text is held back where there are such rules. Whoever asks after the progress
// hears of the bytes that went in. For one answer; may be used from any thread.
#pragma once

#include "core/privacy_rules.hpp"
#include "net/redaction/delta_reader.hpp"
#include "net/redaction/placeholders.hpp"
#include "net/reply_channel.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace mainstay {

class screened_channel final : public reply_channel, public std::enable_shared_from_this<screened_channel> {
public:
  static constexpr std::size_t window = 128; // bytes of each text
  using denied_told = std::function<void(const std::string& rule)>;

  /// `told` hears once of an answer that was ended; nothing of it goes on from then.
  screened_channel(std::shared_ptr<reply_channel> caller, privacy_rules_ptr, placeholders_ptr, denied_told told);

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string text) override;
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;

  static constexpr int denied_status = 400;
  static std::string denied_error(const std::string& rule);

private:
  /// What has not left yet of a text, and what left before it.
  struct tail {
    std::string pending, before;
    bool cut = false; // more was before
  };
  using tails = std::map<text_place, tail>;

  bool denies() const noexcept { return rules_ && !rules_->deny_out.empty(); }
  std::optional<std::string> take(tail&, bool in_json, bool last);
  std::optional<std::string> restored(std::string text, bool in_json) const;
  bool release(tails::iterator, const std::string& model);
  bool release_others(const delta_texts&, const std::string& model);
  bool release_all();
  void end_denied();
  void pass(bytes_ptr json, std::size_t came);
  void on_written(std::size_t bytes);

  const std::shared_ptr<reply_channel> caller_;
  const privacy_rules_ptr rules_;
  const placeholders_ptr table_;
  const denied_told told_;
  std::mutex guard_; // of what follows
  tails tails_;
  bytes_ptr latest_; // chunk with a text
  std::string denied_;
  bool over_ = false;

  std::mutex progress_guard_; // of what follows
  struct passed {
    std::uint64_t until = 0; // bytes that left us in all
    std::size_t came = 0;    // for so many that came in
  };
  std::deque<passed> passed_;
  std::uint64_t left_ = 0, written_ = 0;
  std::function<void(std::size_t)> observer_;
};

} // namespace mainstay
