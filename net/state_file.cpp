#include "net/state_file.hpp"

#include <algorithm>
#include <cmath>

namespace mainstay {

namespace {

#define MAINSTAY_LOAD_HOURS                                                                                            \
  "CREATE TABLE load_hours (hour INTEGER PRIMARY KEY CHECK (hour BETWEEN 0 AND 167),"                                  \
  " tokens_per_minute INTEGER NOT NULL CHECK (tokens_per_minute >= 0),"                                                \
  " weeks INTEGER NOT NULL CHECK (weeks > 0)) STRICT"

#define MAINSTAY_COSTS                                                                                                 \
  "CREATE TABLE costs (hour INTEGER NOT NULL, client TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,"      \
  " usd REAL NOT NULL, saved_usd REAL NOT NULL, calls INTEGER NOT NULL, unpriced INTEGER NOT NULL,"                    \
  " saved INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL,"                 \
  " reasoning INTEGER NOT NULL, PRIMARY KEY (hour, client, model, provider)) STRICT, WITHOUT ROWID"

#define MAINSTAY_REQUESTS                                                                                              \
  "ALTER TABLE costs ADD COLUMN batch_usd REAL NOT NULL DEFAULT 0;"                                                    \
  "ALTER TABLE costs ADD COLUMN batched INTEGER NOT NULL DEFAULT 0;"                                                   \
  "ALTER TABLE costs ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;"                                                  \
  "ALTER TABLE costs ADD COLUMN rescued INTEGER NOT NULL DEFAULT 0;"                                                   \
  "ALTER TABLE costs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0"

#define MAINSTAY_CLIENTS                                                                                               \
  "CREATE TABLE clients (name TEXT PRIMARY KEY, revoked INTEGER NOT NULL, file_key_until INTEGER,"                     \
  " made INTEGER NOT NULL, models TEXT NOT NULL, rpm INTEGER, tpm INTEGER, concurrency INTEGER, daily_usd REAL,"       \
  " level TEXT, highest TEXT) STRICT, WITHOUT ROWID;"                                                                  \
  "CREATE TABLE client_keys (client TEXT NOT NULL, place INTEGER NOT NULL, hash TEXT NOT NULL, until INTEGER,"         \
  " PRIMARY KEY (client, place)) STRICT, WITHOUT ROWID"

#define MAINSTAY_CLIENT_TERMS                                                                                          \
  "ALTER TABLE clients ADD COLUMN rps INTEGER;"                                                                        \
  "ALTER TABLE clients ADD COLUMN address_rpm INTEGER;"                                                                \
  "ALTER TABLE clients ADD COLUMN address_concurrency INTEGER;"                                                        \
  "ALTER TABLE clients ADD COLUMN partial TEXT NOT NULL DEFAULT '';"                                                   \
  "ALTER TABLE clients ADD COLUMN canned INTEGER NOT NULL DEFAULT 0;"                                                  \
  "ALTER TABLE clients ADD COLUMN region TEXT NOT NULL DEFAULT ''"

#define MAINSTAY_CACHE_WRITES "ALTER TABLE costs ADD COLUMN cache_writes INTEGER NOT NULL DEFAULT 0"

#define MAINSTAY_QUOTAS                                                                                                \
  "CREATE TABLE quota_note (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER NOT NULL, ended INTEGER NOT NULL)"  \
  " STRICT;"                                                                                                           \
  "CREATE TABLE quotas (name TEXT PRIMARY KEY, counted INTEGER NOT NULL CHECK (counted > 0)) STRICT, WITHOUT ROWID"

constexpr const char* upgrades[] = {MAINSTAY_LOAD_HOURS,   MAINSTAY_COSTS,        MAINSTAY_REQUESTS, MAINSTAY_CLIENTS,
                                    MAINSTAY_CLIENT_TERMS, MAINSTAY_CACHE_WRITES, MAINSTAY_QUOTAS};

constexpr sqlite::file_form state_form{0x4d737431, 8,
                                       R"(
  CREATE TABLE months (
    provider TEXT NOT NULL,
    key TEXT NOT NULL,
    year INTEGER NOT NULL CHECK (year BETWEEN -32767 AND 32767),
    month INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12),
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (provider, key)
  ) STRICT, WITHOUT ROWID;
)" MAINSTAY_LOAD_HOURS ";" MAINSTAY_COSTS ";" MAINSTAY_REQUESTS ";" MAINSTAY_CLIENTS ";" MAINSTAY_CLIENT_TERMS
                                       ";" MAINSTAY_CACHE_WRITES ";" MAINSTAY_QUOTAS,
                                       true, upgrades};

std::optional<std::int64_t> seconds_of(const std::optional<utc_time>& t) {
  if (!t) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(*t).time_since_epoch().count();
}

std::optional<utc_time> time_of(const std::optional<std::int64_t>& seconds) {
  if (!seconds) return std::nullopt;
  return utc_time(std::chrono::seconds(*seconds));
}

/// Names are printable: lines keep them apart.
std::string lines_of(const std::vector<std::string>& names) {
  std::string out;
  for (auto& n : names) (out += n) += '\n';
  return out;
}

std::vector<std::string> names_in(const std::string& lines) {
  std::vector<std::string> out;
  for (std::size_t from = 0, end; (end = lines.find('\n', from)) != lines.npos; from = end + 1)
    out.push_back(lines.substr(from, end - from));
  return out;
}

std::optional<std::string> word_of(const std::optional<priority>& p) {
  if (!p) return std::nullopt;
  return std::string(to_string(*p));
}

} // namespace

state_file::state_file(const std::string& path, utc_time now, duration patience)
  : state_file(sqlite::open_file(path, state_form, now, patience)) {}

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

std::vector<cost_ledger::row> state_file::costs() {
  std::vector<cost_ledger::row> out;
  auto rows = db_->prepare(
      "SELECT hour, client, model, provider, usd, saved_usd, calls, unpriced, saved, input, output, "
      "cached, reasoning, batch_usd, batched, answered, rescued, lost, cache_writes FROM costs ORDER BY hour");
  const auto count = [&rows](int column) { return static_cast<std::uint64_t>(rows.number(column)); };
  while (rows.next()) {
    cost_ledger::row r;
    r.where = {std::chrono::sys_time<std::chrono::hours>(std::chrono::hours(rows.number(0))), rows.text(1),
               rows.text(2), rows.text(3)};
    r.what.usd = rows.real(4);
    r.what.saved_usd = rows.real(5);
    r.what.calls = count(6);
    r.what.unpriced = count(7);
    r.what.saved = count(8);
    r.what.tokens = {count(9), count(10), count(11), count(12), count(18)};
    r.what.batch_usd = rows.real(13);
    r.what.batched = count(14);
    r.what.answered = count(15);
    r.what.rescued = count(16);
    r.what.lost = count(17);
    out.push_back(std::move(r));
  }
  return out;
}

void state_file::keep(const std::vector<cost_ledger::row>& costs) {
  sqlite::transaction all(*db_);
  auto put = db_->prepare(
      "INSERT OR REPLACE INTO costs (hour, client, model, provider, usd, saved_usd, calls, unpriced, "
      "saved, input, output, cached, reasoning, batch_usd, batched, answered, rescued, lost, cache_writes) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  std::int64_t newest = 0;
  for (const auto& [where, what] : costs) {
    const std::int64_t hour = where.hour.time_since_epoch().count();
    const auto& t = what.tokens;
    put.run(hour, where.client, where.model, where.provider, what.usd, what.saved_usd, count(what.calls),
            count(what.unpriced), count(what.saved), count(t.input), count(t.output), count(t.cached),
            count(t.reasoning), what.batch_usd, count(what.batched), count(what.answered), count(what.rescued),
            count(what.lost), count(t.cache_writes));
    newest = std::max(newest, hour);
  }
  db_->prepare("DELETE FROM costs WHERE hour < ?").run(newest - std::int64_t{cost_ledger::kept_for.count()});
  all.commit();
}

std::vector<client_change> state_file::clients() {
  std::vector<client_change> out;
  auto rows = db_->prepare(
      "SELECT name, revoked, file_key_until, made, models, rpm, tpm, concurrency, daily_usd, level, "
      "highest, rps, address_rpm, address_concurrency, partial, canned, region FROM clients ORDER BY name");
  auto keys = db_->prepare("SELECT hash, until FROM client_keys WHERE client = ? ORDER BY place");
  const auto set = [](std::optional<std::uint32_t>& to, const std::optional<std::int64_t>& n) {
    if (n) to = static_cast<std::uint32_t>(*n);
  };
  const auto whole = [](const sqlite::statement& row, int column) -> std::optional<std::int64_t> {
    return row.is_null(column) ? std::nullopt : std::optional(row.number(column));
  };
  while (rows.next()) {
    client_change c{rows.text(0), rows.number(1) != 0};
    c.file_key_until = time_of(whole(rows, 2));
    if (rows.number(3) != 0) {
      auto& t = c.made.emplace();
      t.models = names_in(rows.text(4));
      set(t.limits.rpm, whole(rows, 5));
      if (const auto n = whole(rows, 6)) t.limits.tpm = static_cast<std::uint64_t>(*n);
      set(t.limits.concurrency, whole(rows, 7));
      if (!rows.is_null(8)) t.daily_usd = rows.real(8);
      if (!rows.is_null(9)) t.level = priority_named(rows.text(9));
      if (!rows.is_null(10)) t.highest = priority_named(rows.text(10));
      set(t.limits.rps, whole(rows, 11));
      set(t.per_address.rpm, whole(rows, 12));
      set(t.per_address.concurrency, whole(rows, 13));
      t.partial = features_named(rows.text(14)).value_or(feature_set{});
      t.canned = rows.number(15) != 0;
      t.region = rows.text(16);
    }
    keys.begin(std::string_view(c.name));
    while (keys.next()) c.keys.push_back({keys.text(0), time_of(whole(keys, 1))});
    out.push_back(std::move(c));
  }
  return out;
}

void state_file::keep(const client_change& c) {
  sqlite::transaction all(*db_);
  db_->prepare("DELETE FROM clients WHERE name = ?").run(std::string_view(c.name));
  db_->prepare("DELETE FROM client_keys WHERE client = ?").run(std::string_view(c.name));
  if (!c.says_nothing()) {
    const auto t = c.made.value_or(client_terms{});
    db_->prepare("INSERT INTO clients (name, revoked, file_key_until, made, models, rpm, tpm, concurrency, daily_usd, "
                 "level, highest, rps, address_rpm, address_concurrency, partial, canned, region) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(std::string_view(c.name), int{c.revoked}, seconds_of(c.file_key_until), int{c.made.has_value()},
             lines_of(t.models), t.limits.rpm, t.limits.tpm, t.limits.concurrency, t.daily_usd, word_of(t.level),
             word_of(t.highest), t.limits.rps, t.per_address.rpm, t.per_address.concurrency, to_string(t.partial),
             int{t.canned}, std::string_view(t.region));
    auto put = db_->prepare("INSERT INTO client_keys (client, place, hash, until) VALUES (?, ?, ?, ?)");
    for (std::size_t i = 0; i < c.keys.size(); ++i)
      put.run(std::string_view(c.name), static_cast<int>(i), c.keys[i].hash, seconds_of(c.keys[i].until));
  }
  all.commit();
}

std::optional<quota_note> state_file::quotas() {
  auto note = db_->prepare("SELECT at_ms, ended FROM quota_note");
  if (!note.next()) return std::nullopt;
  quota_note out{utc_time(std::chrono::milliseconds(note.number(0))), note.number(1) != 0, {}};
  auto rows = db_->prepare("SELECT name, counted FROM quotas");
  while (rows.next()) out.counted.emplace(rows.text(0), static_cast<std::uint64_t>(rows.number(1)));
  return out;
}

void state_file::keep(const std::optional<quota_note>& note) {
  sqlite::transaction all(*db_);
  db_->prepare("DELETE FROM quota_note").run();
  db_->prepare("DELETE FROM quotas").run();
  if (note) {
    const auto at = std::chrono::floor<std::chrono::milliseconds>(note->at.time_since_epoch()).count();
    db_->prepare("INSERT INTO quota_note (one, at_ms, ended) VALUES (1, ?, ?)").run(std::int64_t{at}, int{note->ended});
    auto put = db_->prepare("INSERT INTO quotas (name, counted) VALUES (?, ?)");
    for (const auto& [name, counted] : note->counted) put.run(name, static_cast<std::int64_t>(counted));
  }
  all.commit();
}

} // namespace mainstay
