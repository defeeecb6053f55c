// What the journal knows of requests that are merged into one call: who waits for whom, how many go together for each
// model, which calls are under way and for whom, and what that saved. Makes one request of many and answers of one;
// what is on disk, and who is told, is the journal's business.
#pragma once

#include "config/settings.hpp"
#include "core/batch_pool.hpp"
#include "core/batch_size.hpp"
#include "core/failure.hpp"
#include "core/lease.hpp"
#include "core/run_report.hpp"
#include "net/batch_answer.hpp"
#include "net/chat_request.hpp"
#include "net/journal_file.hpp"

#include <map>
#include <optional>
#include <unordered_map>

namespace mainstay {

/// A call under way, or about to be.
struct batch_call {
  std::string model, shape;                 // the model's configured name
  std::string client;                       // whose requests they are
  std::string name;                         // x-request-id of the call itself
  std::vector<std::int64_t> numbers;        // of its requests; 0: called off
  std::vector<batch_part> parts;            // beside them
  std::vector<std::uint64_t> prompt_tokens; // what each would ask for alone, estimated
  std::uint64_t merged_tokens = 0;          // what they ask for together, estimated
  std::uint64_t shared_tokens = 0;          // of what all have in common
  instant began{};
  duration limit{}; // what it may take

  /// False: others still want it.
  bool call_off(std::int64_t number);
};

/// One request made of as many as fit: into the model's window, and into a time that an answer may take.
class batch_composer {
public:
  /// None: the first one cannot be read any more, or no model of its name is configured now.
  static std::optional<batch_composer> begin(const journal_request& first, const config::settings&);

  const std::string& model() const noexcept { return call_.model; }
  std::size_t size() const noexcept { return taken_.size(); }
  /// False: it does not fit, or cannot be read.
  bool add(const journal_request&);

  struct composed {
    bytes_ptr body;
    std::string upstream_key; // the same for the same requests
    batch_call call;
  };
  /// In the order of their acceptance, whatever order they were added in.
  composed finish() &&;

private:
  batch_composer(const config::model_settings&, duration limit, const journal_request& first, chat_request);
  bool take(const journal_request&, const chat_request&);
  struct taken {
    std::int64_t number;
    batch_part part;
    std::uint64_t prompt_tokens;
    std::string text, key;
  };

  chat_request first_;
  std::optional<std::uint64_t> window_;
  batch_call call_;
  std::vector<taken> taken_;
  std::uint64_t asked_ = 0, answers_ = 0; // tokens
};

/// What became of a call, request by request.
struct batch_outcome {
  std::vector<kept_answer_ptr> answers; // beside the numbers; null: to be asked alone
  std::optional<token_usage> usage;
  bool cut_short = false;

  std::size_t answered() const;
};
batch_outcome take_apart(const batch_call&, const kept_answer&, utc_time now);

/// Why a merged call was refused: also where it was answered, but by a fallback, because the first choice does not know
/// the form. None: it was not refused.
std::optional<failure_class> refusal_of(const kept_answer&, utc_time now);

struct batch_book {
  struct of_model {
    batch_size size;
    std::uint64_t calls = 0, failed = 0, parts = 0, answered = 0, alone = 0;
    std::int64_t calls_saved = 0, tokens_saved = 0;
    /// Returns what to tell of this call.
    batch_report count(const batch_call&, const batch_outcome&);
  };

  batch_pool pool;
  std::map<std::string, of_model> models;
  std::unordered_map<request_id, batch_call> calls; // under way, by the run that has them
};

} // namespace mainstay
