// SQLite's C interface as RAII: a database file that is this process's alone, statements, transactions. Every call may
// block on the disk: for threads that may. One thread at a time.
// Promises: a failed call throws `error` with the file's path and SQLite's words, never a bound value; a transaction
// that is not committed is rolled back; what was committed outlives the process, and the machine's power too.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace mainstay::sqlite {

enum class fault : std::uint8_t {
  locked, // another process has the file
  broken, // it is no database, or a damaged one
  other,  // no such folder, no permission, no room, wrong SQL
};

class error : public std::runtime_error {
public:
  error(const std::string& path, const std::string& words, fault why = fault::other)
    : std::runtime_error(path + ": " + words), why_(why) {}
  fault why() const noexcept { return why_; }

private:
  fault why_;
};

class database;

/// Bytes that need not be UTF-8, to be bound to a parameter.
struct blob {
  std::string_view bytes;
};

class statement {
public:
  /// Binds to the parameters in order, from the first one on, and runs to the end; rows are dropped.
  template <class... Values>
  void run(const Values&... values) {
    begin(values...);
    while (next()) {}
  }
  /// Binds as `run` does; next() then goes to the first row. Begun anew, it leaves its earlier rows.
  template <class... Values>
  void begin(const Values&... values) {
    reset();
    [[maybe_unused]] int at = 0;
    (bind(++at, values), ...);
  }
  /// Goes to the next row; false: there is none.
  bool next();
  /// Leaves its rows, which would keep a log from being written back.
  void end() noexcept { reset(); }
  /// Of the row, by column from 0.
  std::int64_t number(int column) const noexcept;
  double real(int column) const noexcept;
  std::string text(int column) const;
  std::string bytes(int column) const;
  bool is_null(int column) const noexcept;

private:
  friend class database;
  statement(database&, std::string_view sql);
  void reset() noexcept;
  void bind(int at, std::int64_t);
  void bind(int at, int value) { bind(at, std::int64_t{value}); }
  void bind(int at, double);
  void bind(int at, std::string_view); // copied; must be UTF-8
  void bind_null(int at);
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    if (!value) return bind_null(at);
    if constexpr (std::is_integral_v<T>)
      bind(at, static_cast<std::int64_t>(*value));
    else
      bind(at, *value);
  }
  void bind(int at, const blob&); // copied
  struct finalize {
    void operator()(sqlite3_stmt*) const noexcept;
  };
  database* in_;
  std::unique_ptr<sqlite3_stmt, finalize> handle_;
};

class database {
public:
  /// Opens the file, or creates it for its owner alone to read, and locks it against every other process until it is
  /// closed; whoever holds it is waited for, at most for `patience`. Its journal is a write-ahead log (path-wal).
  explicit database(std::string path, duration patience = {});
  database(const database&) = delete; // statements point to it
  database& operator=(const database&) = delete;

  statement prepare(std::string_view sql) { return {*this, sql}; }
  /// One or more statements without parameters.
  void run(const char* sql);
  /// The first column of the first row; 0 if there is none.
  std::int64_t number(std::string_view sql);
  /// Rows that the latest INSERT, UPDATE or DELETE changed.
  std::int64_t changes() const noexcept;
  /// Reads the whole file; throws `broken` with the first thing that is wrong in it.
  void check();
  const std::string& path() const noexcept { return path_; }

private:
  friend class statement;
  friend class transaction;
  void expect(int code) const; // SQLITE_OK
  [[noreturn]] void fail(int code) const;
  struct close {
    void operator()(sqlite3*) const noexcept;
  };
  std::string path_;
  std::unique_ptr<sqlite3, close> handle_;
};

/// How much of a file is in use; what was deleted leaves room that is used again.
class usage {
public:
  explicit usage(database&);
  std::uint64_t bytes();

private:
  statement pages_, free_pages_;
  std::uint64_t page_size_;
};

/// What happens between its birth and commit() happens wholly or not at all.
class transaction {
public:
  explicit transaction(database& in) : in_(in) { in_.run("BEGIN IMMEDIATE"); }
  ~transaction();
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  void commit() { in_.run("COMMIT"); }

private:
  database& in_;
};

} // namespace mainstay::sqlite
