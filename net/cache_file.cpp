#include "net/cache_file.hpp"

namespace mainstay {

namespace {

constexpr sqlite::file_form cache_form{0x4d737432, 1, R"(
  CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    born INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    completion BLOB NOT NULL
  ) STRICT;
  CREATE INDEX answers_by_birth ON answers (born)
)",
                                       false}; // it may be large

using milliseconds = std::chrono::milliseconds;

std::int64_t as_number(utc_time t) { return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count(); }
utc_time as_time(std::int64_t n) { return utc_time(std::chrono::duration_cast<utc_time::duration>(milliseconds(n))); }

} // namespace

cache_file::cache_file(const std::string& path, utc_time now, duration patience)
  : cache_file(sqlite::open_file(path, cache_form, now, patience)) {}

cache_file::cache_file(sqlite::opened_file opened)
  : broken_(std::move(opened.broken)), db_(std::move(opened.db)),
    find_(db_->prepare("SELECT born, cost, completion FROM answers WHERE key = ?")),
    has_(db_->prepare("SELECT 1 FROM answers WHERE key = ?")),
    put_(db_->prepare(
        "INSERT INTO answers (key, born, cost, completion) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
        "SET born = excluded.born, cost = excluded.cost, completion = excluded.completion")),
    oldest_(db_->prepare("SELECT id, born FROM answers ORDER BY born LIMIT 1")),
    remove_(db_->prepare("DELETE FROM answers WHERE id = ?")), usage_(*db_),
    entries_(static_cast<std::size_t>(db_->number("SELECT count(*) FROM answers"))) {
  db_->run("PRAGMA synchronous = NORMAL"); // nobody is promised that it outlives the machine
}

cached_answer cache_file::find(const std::string& key) {
  find_.begin(key);
  cached_answer out;
  if (find_.next()) {
    out.born = as_time(find_.number(0));
    out.cost = static_cast<std::uint32_t>(find_.number(1));
    out.completion = make_bytes(find_.bytes(2));
  }
  find_.end();
  return out;
}

void cache_file::put(const std::vector<entry>& all) {
  std::size_t added = 0;
  sqlite::transaction together(*db_);
  for (const auto& e : all) {
    has_.begin(e.key);
    added += !has_.next();
    has_.end();
    put_.run(e.key, as_number(e.what.born), std::int64_t{e.what.cost}, sqlite::blob{*e.what.completion});
  }
  together.commit();
  entries_ += added;
}

std::size_t cache_file::prune(const bounds& within, utc_time now, std::size_t most) {
  const auto too_old = as_number(now - std::chrono::duration_cast<utc_time::duration>(within.kept));
  std::size_t gone = 0;
  sqlite::transaction together(*db_);
  while (gone < most) {
    oldest_.begin();
    if (!oldest_.next()) break;
    const auto id = oldest_.number(0), born = oldest_.number(1);
    oldest_.end();
    if (born > too_old && entries_ - gone <= within.entries && bytes() <= within.bytes) break;
    remove_.run(id);
    ++gone;
  }
  oldest_.end();
  together.commit();
  entries_ -= gone;
  return gone;
}

} // namespace mainstay
