#include "net/sqlite.hpp"

#include <sqlite3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mainstay::sqlite {

namespace {

fault fault_of(int code) {
  switch (code & 0xff) { // the rest tells more exactly what the words tell too
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return fault::locked;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return fault::broken;
  default: return fault::other;
  }
}

/// SQLite gives some names a meaning of their own (":memory:", "file:..."); a path that begins with a folder has none.
std::string plain(const std::string& path) { return path.starts_with('/') ? path : "./" + path; }

/// A new file is its owner's alone. An existing one is not touched: closing it would give up the locks that this
/// process has on it.
void create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd >= 0)
    ::close(fd);
  else if (errno != EEXIST)
    throw error(path, std::strerror(errno));
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) throw error(path, "is not a regular file");
}

} // namespace

void statement::finalize::operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
void database::close::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); } // after its last statement

statement::statement(database& in, std::string_view sql) : in_(&in) {
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v3(in.handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  handle_.reset(made);
  in.expect(code);
}

bool statement::next() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  try {
    in_->fail(code);
  } catch (...) {
    reset(); // or it would keep the transaction from ending
    throw;
  }
}

std::int64_t statement::number(int column) const noexcept { return sqlite3_column_int64(handle_.get(), column); }
double statement::real(int column) const noexcept { return sqlite3_column_double(handle_.get(), column); }

std::string statement::text(int column) const {
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  return begin ? std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))) : "";
}

std::string statement::bytes(int column) const {
  const auto* begin = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return begin ? std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))) : "";
}

bool statement::is_null(int column) const noexcept { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

void statement::reset() noexcept { sqlite3_reset(handle_.get()); }

void statement::bind(int at, std::int64_t value) { in_->expect(sqlite3_bind_int64(handle_.get(), at, value)); }
void statement::bind_null(int at) { in_->expect(sqlite3_bind_null(handle_.get(), at)); }
void statement::bind(int at, double value) { in_->expect(sqlite3_bind_double(handle_.get(), at, value)); }

void statement::bind(int at, std::string_view value) {
  in_->expect(sqlite3_bind_text64(handle_.get(), at, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void statement::bind(int at, const blob& value) {
  // a null pointer would be NULL
  const auto* begin = value.bytes.data() ? value.bytes.data() : "";
  in_->expect(sqlite3_bind_blob64(handle_.get(), at, begin, value.bytes.size(), SQLITE_TRANSIENT));
}

database::database(std::string path, duration patience) : path_(std::move(path)) {
  const auto file = plain(path_);
  create(path_);
  sqlite3* made = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(made);
  expect(code);
  if (sqlite3_db_readonly(made, "main") == 1) throw error(path_, "may only be read"); // opened all the same
  expect(sqlite3_busy_timeout(made, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(patience).count())));
  run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  transaction(*this).commit(); // takes the lock
}

void database::run(const char* sql) { expect(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr)); }

std::int64_t database::number(std::string_view sql) {
  auto s = prepare(sql);
  return s.next() ? s.number(0) : 0;
}

std::int64_t database::changes() const noexcept { return sqlite3_changes(handle_.get()); }

void database::check() {
  auto s = prepare("PRAGMA quick_check(1)");
  if (s.next() && s.text(0) != "ok") throw error(path_, s.text(0), fault::broken);
}

void database::expect(int code) const {
  if (code != SQLITE_OK) fail(code);
}

void database::fail(int code) const {
  auto* db = handle_.get();
  std::string words = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const bool of_the_system = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;
  if (const int system = db && of_the_system ? sqlite3_system_errno(db) : 0; system != 0)
    words += std::string(": ") + std::strerror(system);
  throw error(path_, words, fault_of(code));
}

usage::usage(database& of)
  : pages_(of.prepare("PRAGMA page_count")), free_pages_(of.prepare("PRAGMA freelist_count")),
    page_size_(static_cast<std::uint64_t>(of.number("PRAGMA page_size"))) {}

std::uint64_t usage::bytes() {
  const auto number = [](statement& s) {
    s.begin();
    const auto n = s.next() ? static_cast<std::uint64_t>(s.number(0)) : 0;
    s.end();
    return n;
  };
  return (number(pages_) - number(free_pages_)) * page_size_;
}

transaction::~transaction() {
  auto* db = in_.handle_.get();
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
}

} // namespace mainstay::sqlite
