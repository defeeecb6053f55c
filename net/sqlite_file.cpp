#include "net/sqlite_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace mainstay::sqlite {

namespace {

constexpr const char* parts[] = {"-wal", "-shm", "-journal", ""}; // the file itself last

std::string stamp(utc_time now) {
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm date{};
  ::gmtime_r(&seconds, &date);
  char out[32];
  std::strftime(out, sizeof out, "%Y-%m-%dT%H-%M-%SZ", &date);
  return out;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

void write_version(database& db, const file_form& form) {
  db.run(("PRAGMA user_version = " + std::to_string(form.version)).c_str());
}

/// False: there is no way from that version to ours.
bool bring_up_to_date(database& db, const file_form& form, std::int64_t from) {
  if (from < 1 || from >= form.version) return false;
  transaction all(db);
  for (auto v = from; v < form.version; ++v) db.run(form.upgrades[static_cast<std::size_t>(v - 1)]);
  write_version(db, form);
  all.commit();
  return true;
}

std::unique_ptr<database> open(const std::string& path, const file_form& form, duration patience) {
  auto db = std::make_unique<database>(path, patience);
  if (form.check_whole) db->check();
  const auto mark = db->number("PRAGMA application_id"), written = db->number("PRAGMA user_version");
  if (mark == form.mark && written == form.version) return db;
  if (mark == form.mark && !bring_up_to_date(*db, form, written))
    throw error(path, "was written by another version of mainstayd");
  if (mark == form.mark) return db;
  if (mark != 0 || written != 0 || db->number("SELECT count(*) FROM sqlite_schema") > 0)
    throw error(path, "is a database of another program");
  transaction all(*db);
  db->run(form.schema);
  db->run(("PRAGMA application_id = " + std::to_string(form.mark)).c_str());
  write_version(*db, form);
  all.commit();
  return db;
}

} // namespace

opened_file open_file(const std::string& path, const file_form& form, utc_time now, duration patience) {
  try {
    return {open(path, form, patience), {}};
  } catch (const error& e) {
    if (e.why() != fault::broken) throw;
    broken_file broken{e.what(), move_aside(path, now)};
    return {open(path, form, patience), std::move(broken)};
  }
}

std::string move_aside(const std::string& path, utc_time now) {
  auto to = path + ".broken-" + stamp(now);
  for (int n = 2; exists(to); ++n) to = path + ".broken-" + stamp(now) + "-" + std::to_string(n);
  for (const char* part : parts)
    if (std::rename((path + part).c_str(), (to + part).c_str()) != 0 && errno != ENOENT)
      throw error(path, std::string("is broken and cannot be moved aside: ") + std::strerror(errno));
  return to;
}

void remove_file(const std::string& path) {
  for (const char* part : parts)
    if (::unlink((path + part).c_str()) != 0 && errno != ENOENT)
      throw error(path, std::string("cannot be removed: ") + std::strerror(errno));
}

} // namespace mainstay::sqlite
