#include "net/journal_file.hpp"

#include <string_view>

namespace mainstay {

namespace {

constexpr const char* upgrades[] = {"ALTER TABLE requests ADD COLUMN shape TEXT NOT NULL DEFAULT ''",
                                    "ALTER TABLE requests ADD COLUMN kind INTEGER NOT NULL DEFAULT 0",
                                    "ALTER TABLE requests ADD COLUMN region TEXT NOT NULL DEFAULT '';"
                                    "ALTER TABLE requests ADD COLUMN placeholders BLOB NOT NULL DEFAULT x''"};

// Bodies stand apart from what is looked up: a request's goes when its answer comes.
constexpr sqlite::file_form journal_form{0x4d737433, 4, R"(
  CREATE TABLE requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    id BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    name TEXT NOT NULL,
    upstream_key TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2),
    cache INTEGER NOT NULL CHECK (cache BETWEEN 0 AND 2),
    accepted INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    shape TEXT NOT NULL DEFAULT '',
    kind INTEGER NOT NULL DEFAULT 0,
    region TEXT NOT NULL DEFAULT '',
    placeholders BLOB NOT NULL DEFAULT x'',
    UNIQUE (client, id)
  ) STRICT;
  CREATE INDEX requests_by_end ON requests (expires);
  CREATE TABLE bodies (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE answers (
    number INTEGER PRIMARY KEY,
    headers BLOB NOT NULL,
    body BLOB NOT NULL,
    answered INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE repeats (
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers BLOB NOT NULL,
    body BLOB NOT NULL,
    expires INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX repeats_by_end ON repeats (expires);
  CREATE TABLE last_sign (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
)",
                                         true, upgrades};

std::int64_t stamp(utc_time t) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}
utc_time time_of(std::int64_t ms) { return utc_time(std::chrono::milliseconds(ms)); }
priority level_of(std::int64_t n) { return static_cast<priority>(n); }

kept_answer_ptr answer_of(int status, const std::string& headers, std::string body) {
  return std::make_shared<const kept_answer>(kept_answer{status, headers_in(headers), make_bytes(std::move(body))});
}

std::string_view text_of(const bytes_ptr& b) { return b ? std::string_view(*b) : std::string_view(); }

} // namespace

std::string lines_of(const header_list& headers) {
  std::string out;
  for (auto& [name, value] : headers) out += name + ": " + value + "\n";
  return out;
}

header_list headers_in(const std::string& lines) {
  header_list out;
  for (std::size_t at = 0; at < lines.size();) {
    const auto end = std::min(lines.find('\n', at), lines.size());
    const std::string_view line(lines.data() + at, end - at);
    if (const auto colon = line.find(": "); colon != line.npos)
      out.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    at = end + 1;
  }
  return out;
}

struct journal_file::statements {
  explicit statements(sqlite::database& db)
    : find(db.prepare(
          "SELECT number, fingerprint, name, status, placeholders FROM requests WHERE client = ? AND id = ?")),
      add(db.prepare(
          "INSERT INTO requests (client, id, fingerprint, name, upstream_key, level, cache, accepted, "
          "ready, expires, shape, kind, region, placeholders) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "RETURNING number")),
      add_body(db.prepare("INSERT INTO bodies (number, body) VALUES (?, ?)")),
      settle(db.prepare("UPDATE requests SET status = ?, expires = ? WHERE number = ? AND status = 0")),
      answer(db.prepare("INSERT INTO answers (number, headers, body, answered) VALUES (?, ?, ?, ?)")),
      drop_body(db.prepare("DELETE FROM bodies WHERE number = ?")),
      drop_answer(db.prepare("DELETE FROM answers WHERE number = ?")),
      drop_request(db.prepare("DELETE FROM requests WHERE number = ?")),
      read_answer(db.prepare("SELECT headers, body FROM answers WHERE number = ?")),
      read(db.prepare(
          "SELECT client, id, fingerprint, name, upstream_key, level, cache, accepted, ready, expires, "
          "shape, kind, body, region FROM requests JOIN bodies USING (number) WHERE number = ? AND status = 0")),
      ended(db.prepare("SELECT number, status FROM requests WHERE expires <= ? ORDER BY expires LIMIT ?")),
      drop_repeats(db.prepare("DELETE FROM repeats WHERE key IN (SELECT key FROM repeats WHERE expires <= ? LIMIT ?)")),
      find_repeat(db.prepare("SELECT fingerprint, status, headers, body FROM repeats WHERE key = ? AND expires > ?")),
      keep_repeat(db.prepare("INSERT INTO repeats (key, fingerprint, status, headers, body, expires) VALUES (?, ?, ?, "
                             "?, ?, ?) ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, status = "
                             "excluded.status, headers = excluded.headers, body = excluded.body, expires = "
                             "excluded.expires WHERE repeats.expires <= ?")),
      usage(db) {}

  sqlite::statement find, add, add_body, settle, answer, drop_body, drop_answer, drop_request, read_answer, read, ended,
      drop_repeats, find_repeat, keep_repeat;
  sqlite::usage usage;
};

void journal_file::drop::operator()(statements* s) const noexcept { delete s; }

journal_file::journal_file(const std::string& path, utc_time now, duration patience)
  : journal_file(sqlite::open_file(path, journal_form, now, patience)) {}

journal_file::journal_file(sqlite::opened_file opened)
  : broken_(std::move(opened.broken)), db_(std::move(opened.db)), say_(new statements(*db_)) {}

std::unique_ptr<sqlite::transaction> journal_file::begin() { return std::make_unique<sqlite::transaction>(*db_); }

std::optional<journal_file::known_request> journal_file::find(const std::string& client, const std::string& id) {
  auto& s = say_->find;
  s.begin(client, sqlite::blob{id});
  if (!s.next()) return std::nullopt;
  known_request out{s.number(0), s.bytes(1), s.text(2), nullptr, s.bytes(4)};
  const auto status = static_cast<int>(s.number(3));
  s.end();
  if (status == 0) return out;
  auto& a = say_->read_answer;
  a.begin(out.number);
  if (a.next()) out.answer = answer_of(status, a.bytes(0), a.bytes(1));
  a.end();
  return out;
}

std::int64_t journal_file::add(const journal_request& r) {
  auto& s = say_->add;
  s.begin(r.client, sqlite::blob{r.id}, sqlite::blob{r.fingerprint}, r.name, r.upstream_key,
          static_cast<std::int64_t>(r.level), std::int64_t{r.cache}, stamp(r.accepted), stamp(r.ready),
          stamp(r.expires), r.shape, std::int64_t{r.kind}, r.region, sqlite::blob{r.placeholders});
  s.next();
  const auto number = s.number(0);
  s.end();
  say_->add_body.run(number, sqlite::blob{text_of(r.body)});
  return number;
}

bool journal_file::answer(std::int64_t number, const kept_answer& a, utc_time now, utc_time expires) {
  say_->settle.run(std::int64_t{a.status}, stamp(expires), number);
  if (db_->changes() == 0) return false;
  const auto headers = lines_of(a.headers);
  say_->answer.run(number, sqlite::blob{headers}, sqlite::blob{text_of(a.body)}, stamp(now));
  say_->drop_body.run(number);
  return true;
}

std::optional<journal_request> journal_file::unanswered(std::int64_t number) {
  auto& s = say_->read;
  s.begin(number);
  if (!s.next()) return std::nullopt;
  journal_request r;
  r.number = number;
  r.client = s.text(0);
  r.id = s.bytes(1);
  r.fingerprint = s.bytes(2);
  r.name = s.text(3);
  r.upstream_key = s.text(4);
  r.level = level_of(s.number(5));
  r.cache = static_cast<std::uint8_t>(s.number(6));
  r.accepted = time_of(s.number(7));
  r.ready = time_of(s.number(8));
  r.expires = time_of(s.number(9));
  r.shape = s.text(10);
  r.kind = static_cast<std::uint8_t>(s.number(11));
  r.body = make_bytes(s.bytes(12));
  r.region = s.text(13);
  s.end();
  return r;
}

void journal_file::remove(std::int64_t number) {
  say_->drop_body.run(number);
  say_->drop_answer.run(number);
  say_->drop_request.run(number);
}

std::vector<journal_file::waiting_request> journal_file::all_unanswered() {
  std::vector<waiting_request> out;
  auto rows = db_->prepare("SELECT number, level, ready, shape FROM requests WHERE status = 0 ORDER BY number");
  while (rows.next()) out.push_back({rows.number(0), level_of(rows.number(1)), time_of(rows.number(2)), rows.text(3)});
  return out;
}

journal_file::expired journal_file::expire(utc_time now, int most) {
  std::vector<std::int64_t> all, open;
  auto& s = say_->ended;
  s.begin(stamp(now), std::int64_t{most});
  while (s.next()) {
    all.push_back(s.number(0));
    if (s.number(1) == 0) open.push_back(s.number(0));
  }
  s.end();
  for (auto n : all) remove(n);
  say_->drop_repeats.run(stamp(now), std::int64_t{most});
  return {all.size(), static_cast<std::size_t>(db_->changes()), std::move(open)};
}

void journal_file::write_a_sign(utc_time now) {
  db_->prepare("INSERT OR REPLACE INTO last_sign (one, at) VALUES (1, ?)").run(stamp(now));
}

std::optional<journal_file::repeated> journal_file::find_repeated(const std::string& key, utc_time now) {
  auto& s = say_->find_repeat;
  s.begin(sqlite::blob{key}, stamp(now));
  if (!s.next()) return std::nullopt;
  repeated out{s.bytes(0), answer_of(static_cast<int>(s.number(1)), s.bytes(2), s.bytes(3))};
  s.end();
  return out;
}

void journal_file::keep_repeated(const std::string& key, const std::string& fingerprint, const kept_answer& a,
                                 utc_time now, utc_time expires) {
  const auto headers = lines_of(a.headers);
  say_->keep_repeat.run(sqlite::blob{key}, sqlite::blob{fingerprint}, std::int64_t{a.status}, sqlite::blob{headers},
                        sqlite::blob{text_of(a.body)}, stamp(expires), stamp(now));
}

std::uint64_t journal_file::bytes_in_use() { return say_->usage.bytes(); }

journal_file::facts journal_file::count() {
  facts f;
  auto s =
      db_->prepare("SELECT count(*), count(nullif(status, 0)), min(iif(status = 0, accepted, NULL)) FROM requests");
  if (s.next()) {
    f.requests = s.number(0);
    f.answered = s.number(1);
    if (!s.is_null(2)) f.oldest = time_of(s.number(2));
  }
  s.end();
  f.repeats = db_->number("SELECT count(*) FROM repeats");
  f.bytes = bytes_in_use();
  return f;
}

std::vector<journal_file::row> journal_file::latest(int most) {
  std::vector<row> out;
  auto s = db_->prepare("SELECT client, id, name, level, accepted, status FROM requests ORDER BY number DESC LIMIT ?");
  s.begin(std::int64_t{most});
  while (s.next())
    out.push_back(
        {s.text(0), s.bytes(1), s.text(2), level_of(s.number(3)), time_of(s.number(4)), static_cast<int>(s.number(5))});
  return out;
}

} // namespace mainstay
