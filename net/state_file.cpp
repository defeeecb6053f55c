#include "net/state_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <unistd.h>

namespace mainstay {

namespace {

constexpr std::int64_t our_mark = 0x4d737431; // "Mst1", in the file's head: `file` and SQLite show it as application_id
constexpr std::int64_t version = 1;

constexpr auto schema = R"(
  CREATE TABLE months (
    provider TEXT NOT NULL,
    key TEXT NOT NULL,
    year INTEGER NOT NULL CHECK (year BETWEEN -32767 AND 32767),
    month INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12),
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (provider, key)
  ) STRICT, WITHOUT ROWID
)";

std::string stamp(utc_time now) {
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm date{};
  ::gmtime_r(&seconds, &date);
  char out[32];
  std::strftime(out, sizeof out, "%Y-%m-%dT%H-%M-%SZ", &date);
  return out;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// With what SQLite keeps beside it, which belongs to that file alone.
std::string move_aside(const std::string& path, utc_time now) {
  auto to = path + ".broken-" + stamp(now);
  for (int n = 2; exists(to); ++n) to = path + ".broken-" + stamp(now) + "-" + std::to_string(n);
  for (const char* part : {"-wal", "-shm", "-journal", ""})
    if (std::rename((path + part).c_str(), (to + part).c_str()) != 0 && errno != ENOENT)
      throw sqlite::error(path, std::string("is broken and cannot be moved aside: ") + std::strerror(errno));
  return to;
}

} // namespace

state_file::state_file(const std::string& path, utc_time now, duration patience) : path_(path) {
  try {
    open(patience);
  } catch (const sqlite::error& e) {
    if (e.why() != sqlite::fault::broken) throw;
    db_.reset();
    broken_ = {e.what(), move_aside(path_, now)};
    open(patience);
  }
}

void state_file::open(duration patience) {
  db_ = std::make_unique<sqlite::database>(path_, patience);
  db_->check();
  const auto mark = db_->number("PRAGMA application_id"), written = db_->number("PRAGMA user_version");
  if (mark == our_mark && written == version) return;
  if (mark == our_mark) throw sqlite::error(path_, "was written by another version of mainstayd");
  if (mark != 0 || written != 0 || db_->number("SELECT count(*) FROM sqlite_schema") > 0)
    throw sqlite::error(path_, "is a database of another program");
  sqlite::transaction all(*db_);
  db_->run(schema);
  db_->run(("PRAGMA application_id = " + std::to_string(our_mark)).c_str());
  db_->run(("PRAGMA user_version = " + std::to_string(version)).c_str());
  all.commit();
}

std::vector<month_count> state_file::months() {
  std::vector<month_count> out;
  auto rows = db_->prepare("SELECT provider, key, year, month, used FROM months");
  while (rows.next())
    out.push_back({rows.text(0), rows.text(1),
                   std::chrono::year(static_cast<int>(rows.number(2))) /
                       std::chrono::month(static_cast<unsigned>(rows.number(3))),
                   static_cast<std::uint64_t>(rows.number(4))});
  return out;
}

void state_file::keep(const std::vector<month_count>& counts) {
  sqlite::transaction all(*db_);
  auto put = db_->prepare("INSERT OR REPLACE INTO months (provider, key, year, month, used) VALUES (?, ?, ?, ?, ?)");
  for (const auto& c : counts)
    put.run(c.provider, c.key, std::int64_t{static_cast<int>(c.month.year())},
            std::int64_t{static_cast<unsigned>(c.month.month())}, static_cast<std::int64_t>(c.used));
  all.commit();
}

} // namespace mainstay
