#include "net/state_file.hpp"

#include <cmath>

namespace mainstay {

namespace {

#define MAINSTAY_LOAD_HOURS                                                                                            \
  "CREATE TABLE load_hours (hour INTEGER PRIMARY KEY CHECK (hour BETWEEN 0 AND 167),"                                  \
  " tokens_per_minute INTEGER NOT NULL CHECK (tokens_per_minute >= 0),"                                                \
  " weeks INTEGER NOT NULL CHECK (weeks > 0)) STRICT"

constexpr const char* upgrades[] = {MAINSTAY_LOAD_HOURS};

constexpr sqlite::file_form form{0x4d737431, 2, R"(
  CREATE TABLE months (
    provider TEXT NOT NULL,
    key TEXT NOT NULL,
    year INTEGER NOT NULL CHECK (year BETWEEN -32767 AND 32767),
    month INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12),
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (provider, key)
  ) STRICT, WITHOUT ROWID;
)" MAINSTAY_LOAD_HOURS,
                                 true, upgrades};

} // namespace

state_file::state_file(const std::string& path, utc_time now, duration patience)
  : state_file(sqlite::open_file(path, form, now, patience)) {}

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

load_pattern::cells state_file::load() {
  load_pattern::cells out{};
  auto rows = db_->prepare("SELECT hour, tokens_per_minute, weeks FROM load_hours WHERE hour BETWEEN 0 AND 167 AND "
                           "weeks BETWEEN 1 AND 1000000");
  while (rows.next())
    out[static_cast<std::size_t>(rows.number(0))] = {static_cast<double>(rows.number(1)),
                                                     static_cast<std::uint32_t>(rows.number(2))};
  return out;
}

void state_file::keep(const load_pattern::cells& cells) {
  sqlite::transaction all(*db_);
  auto put = db_->prepare("INSERT OR REPLACE INTO load_hours (hour, tokens_per_minute, weeks) VALUES (?, ?, ?)");
  for (std::size_t hour = 0; hour < cells.size(); ++hour)
    if (const auto& c = cells[hour]; c.weeks > 0)
      put.run(static_cast<std::int64_t>(hour), std::int64_t{std::llround(c.mean)}, std::int64_t{c.weeks});
  all.commit();
}

} // namespace mainstay
