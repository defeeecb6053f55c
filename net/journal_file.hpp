// The journal's SQLite file: durable requests with the one answer of each, and the answers that idempotency keys get
// again. Owns the file's form; what to write, and when, is its user's business. Every call may block on the disk, and
// throws sqlite::error. What happens in a transaction happens together or not at all; what was committed outlives the
// process and the machine's power.
#pragma once

#include "core/kept_answer.hpp"
#include "core/priority.hpp"
#include "net/bytes.hpp"
#include "net/sqlite_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mainstay {

/// A durable request as it was accepted.
struct journal_request {
  std::int64_t number = 0;  // given by the file, grows with acceptance
  std::string client, id;   // whose, and its own name for it; the id may be any bytes
  std::string fingerprint;  // of the body
  std::string name;         // x-request-id
  std::string upstream_key; // the caller's idempotency key; empty: the name
  priority level = priority::normal;
  std::uint8_t cache = 0; // how the cache may be used
  utc_time accepted{}, ready{}, expires{};
  std::string shape;     // those of one shape may be merged into one call; empty: it is asked alone
  std::uint8_t kind = 0; // of what is asked for
  bytes_ptr body;
};

class journal_file {
public:
  journal_file(const std::string& path, utc_time now, duration patience = 1s);

  const std::string& path() const noexcept { return db_->path(); }
  const sqlite::broken_file& found_broken() const noexcept { return broken_; }

  std::unique_ptr<sqlite::transaction> begin();

  struct known_request {
    std::int64_t number = 0;
    std::string fingerprint, name;
    kept_answer_ptr answer; // null: it has none yet
  };
  std::optional<known_request> find(const std::string& client, const std::string& id);
  /// Returns its number. No other request of that client has this id.
  std::int64_t add(const journal_request&);
  /// False, and nothing is changed, if it is unknown or has one already.
  bool answer(std::int64_t number, const kept_answer&, utc_time now, utc_time expires);
  /// None if it is unknown or has its answer.
  std::optional<journal_request> unanswered(std::int64_t number);
  void remove(std::int64_t number);

  struct waiting_request {
    std::int64_t number = 0;
    priority level = priority::normal;
    utc_time ready{};
    std::string shape;
  };
  std::vector<waiting_request> all_unanswered();

  struct expired {
    std::size_t requests = 0, repeats = 0;
    std::vector<std::int64_t> unanswered; // of them
  };
  /// Removes what has expired, at most `most` of each kind.
  expired expire(utc_time now, int most);

  /// Writes something: does the disk work again?
  void write_a_sign(utc_time now);

  struct repeated {
    std::string fingerprint;
    kept_answer_ptr answer;
  };
  std::optional<repeated> find_repeated(const std::string& key, utc_time now);
  /// The first one under a key stays until it has expired.
  void keep_repeated(const std::string& key, const std::string& fingerprint, const kept_answer&, utc_time now,
                     utc_time expires);

  struct facts {
    std::int64_t requests = 0, answered = 0, repeats = 0;
    std::optional<utc_time> oldest; // of those without an answer
    std::uint64_t bytes = 0;        // of the file that are in use
  };
  facts count();
  struct row {
    std::string client, id, name;
    priority level = priority::normal;
    utc_time accepted{};
    int status = 0; // 0: no answer yet
  };
  std::vector<row> latest(int most);
  std::uint64_t bytes_in_use();

private:
  explicit journal_file(sqlite::opened_file);
  sqlite::broken_file broken_;
  std::unique_ptr<sqlite::database> db_;
  struct statements;
  struct drop {
    void operator()(statements*) const noexcept;
  };
  std::unique_ptr<statements, drop> say_;
};

/// Header fields as lines "name: value".
std::string lines_of(const header_list&);
header_list headers_in(const std::string& lines);

} // namespace mainstay
