// The audit's lines: one JSON object for each request that is over and each change by an operator, chained by hashes,
// and the judge of such a chain. A line is what the values say and nothing else: members in a fixed order, no blanks,
// shortest numbers, so that the same request after the same line is the same bytes. `hash` is SHA-256 over the line
// without that member, `prev` the hash of the line before: a line that is changed, missing, repeated or in another
// place shows. What a chain cannot show is that its end was cut off: for that its last hash must be known from
// elsewhere. The hash function is handed in.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

/// Hex digits of a SHA-256.
using audit_digest = std::function<std::string(std::string_view)>;

/// What an operator changed, or tried to.
struct audit_change {
  std::string who;  // the console, or a signal
  std::string what; // "clients create"
  std::string name; // of what was changed; empty: of all
  std::string with; // how
  std::string why;  // the operator was told an error; empty: it was done
};
inline constexpr std::size_t longest_of_change = 1u << 10; // bytes that each of those texts may have

/// One request that is over. No text of any answer, and of the prompt only where that is wanted.
struct audit_entry {
  utc_time time{}; // it came
  std::string request_id, client, model, provider, source, outcome;
  int status = 0;
  std::uint64_t input_tokens = 0, output_tokens = 0;
  std::optional<double> cost_usd;             // none: the price is not known
  std::uint64_t lost = 0;                     // so many before it found no room and have no line
  std::string redacted;                       // kinds and counts; empty: nothing was
  std::string request;                        // UTF-8; empty: it is not to be written
  std::shared_ptr<const audit_change> change; // in place of a request: of the rest time and outcome say something
};

/// As much of a text as a line may have, cut between two characters.
std::string audit_text(std::string_view, std::size_t most = 16u << 10);

/// The last line of a chain, to go on from.
struct audit_head {
  std::uint64_t seq = 0; // 0: there is none yet
  std::string hash;
  friend bool operator==(const audit_head&, const audit_head&) = default;
};

/// The next line, without its line end. `head` becomes its own.
std::string audit_line(const audit_entry&, audit_head& head, const audit_digest&);

/// What a line says of itself. None: it is no line of an audit.
struct audit_marks {
  std::uint64_t seq = 0, lost = 0;
  std::string_view time, prev, hash;
  std::string_view hashed; // all of it before the member `hash`; a bracket ends it
};
std::optional<audit_marks> read_audit_line(std::string_view line) noexcept;

struct audit_fault {
  enum class kind : std::uint8_t { malformed, changed, missing, misplaced, unlinked, torn };
  kind what = kind::malformed;
  std::uint64_t line = 0;  // in its file, from 1
  std::uint64_t count = 0; // of missing: lines
  friend bool operator==(const audit_fault&, const audit_fault&) = default;
};
/// "line 7: ...", as it is said to people.
std::string to_string(const audit_fault&);

/// Reads a chain, file after file, and tells of each line that is not what it should be, once.
class audit_verifier {
public:
  using told = std::function<void(const audit_fault&)>;
  /// `before`: what the first line follows; nothing: it is the first of all.
  explicit audit_verifier(audit_digest, audit_head before = {});
  /// Only the hash of the line before is known.
  static audit_verifier after(audit_digest, std::string hash);

  /// The next bytes of a file.
  void read(std::string_view piece, const told&);
  /// That was all of it; the next file goes on.
  void end_file(const told&);

  const audit_head& head() const noexcept { return head_; }
  std::uint64_t lines() const noexcept { return lines_; }
  std::uint64_t first_seq() const noexcept { return first_seq_; }
  std::uint64_t lost() const noexcept { return lost_; }
  const std::string& first_time() const noexcept { return first_time_; }
  const std::string& last_time() const noexcept { return last_time_; }

private:
  void judge(std::string_view line, const told&);
  std::optional<audit_fault> fault_of(const audit_marks&) const;

  audit_digest digest_;
  audit_head head_;
  bool any_seq_ = false;   // the first line may have any number
  bool hash_known_ = true; // of the line before
  std::string rest_;       // of a line that goes on in the next piece
  bool too_long_ = false;
  std::uint64_t line_ = 0, lines_ = 0, first_seq_ = 0, lost_ = 0;
  std::string first_time_, last_time_;
};

} // namespace mainstay
