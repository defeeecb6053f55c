// The life of one call between the callbacks of curl. Which callback moves which phase:
//   waiting -> connecting (enter) -> sending (on_connected) -> expecting (on_progress: all is out) -> reading (first
//   body byte)
// curl may go back to connecting by itself, when a reused connection turns out to be dead; on_connected then comes
// again.
#include "net/http_transfer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace mainstay::http {

namespace {

/// The part of a URL that names host and port, as written.
std::string authority_of(const std::string& url) {
  auto scheme = url.find("://");
  auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

bool starts_with_nocase(std::string_view line, std::string_view prefix) {
  return line.size() >= prefix.size() && curl_strnequal(line.data(), prefix.data(), prefix.size());
}

bool breaks_the_line(std::string_view line) {
  return line.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos;
}

long milliseconds(duration d) {
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return static_cast<long>(std::clamp<std::int64_t>(ms, 1, std::numeric_limits<std::int32_t>::max()));
}

/// `from` + `d` without running over: limits may be "as good as never".
instant after(instant from, duration d) { return d < instant::max() - from ? from + d : instant::max(); }

} // namespace

transfer::transfer(watcher& w, touched_list& touched) : watcher_(w), touched_(touched), easy_(curl_easy_init()) {
  if (!easy_) throw std::bad_alloc();
  set_lasting_options();
}

transfer::~transfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

void transfer::set_lasting_options() {
  auto set = [this](auto option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, words_.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L); // else ending a call waits for the resolver's thread
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOPROXY, ""); // a proxy that is given is meant, whatever the environment says
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_SOCKS5_AUTH, static_cast<long>(CURLAUTH_BASIC)); // GSSAPI would block the thread
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 20L);
  set(CURLOPT_TCP_KEEPINTVL, 5L);
  // With a directory of certificates curl reads all of them anew for every connection; one file is read once and kept.
  if (auto* file = std::getenv("SSL_CERT_FILE"); file && *file) {
    set(CURLOPT_CAINFO, file);
    set(CURLOPT_PROXY_CAINFO, file);
  }
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_PROXY_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_CA_CACHE_TIMEOUT, 3600L);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &on_write);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_READFUNCTION, &on_read);
  set(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_SEEKFUNCTION, &on_seek);
  set(CURLOPT_SEEKDATA, static_cast<void*>(this));
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &on_connected);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
}

std::optional<call_error> transfer::take(call_start&& start) {
  handle_ = start.handle;
  call_ = std::move(start.what);
  observer_ = std::move(start.observer);
  authority_ = authority_of(call_.url);
  phase_ = phase::waiting;
  total_at_ = after(start.at, call_.timeouts.total);
  phase_at_ = instant::max();
  head_.reset(call_.head_limit);
  credit_ =
      static_cast<std::int64_t>(std::min<std::size_t>(call_.credit, std::numeric_limits<std::int64_t>::max() / 2));
  paused_ = leaving_ = repeated_ = false;
  found_.reset();
  summary_ = {};
  received_bytes_ = 0;
  idle_ = call_.timeouts.idle;
  connects_seen_ = 0;
  connects_known_ = false;
  times_begun_ = 0;
  words_[0] = '\0';
  if (!set_headers()) return call_error{failure_class::caller_fault, "a header line holds a line break"};
  if (curl_easy_setopt(easy_, CURLOPT_URL, call_.url.c_str()) != CURLE_OK)
    return call_error{failure_class::connect_failed, "the URL is too long"};
  set_body();
  curl_easy_setopt(easy_, CURLOPT_PROXY, call_.proxy.c_str());
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(call_.timeouts.connect));
  curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 0L);
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 0L);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 1L);
  return std::nullopt;
}

bool transfer::set_headers() {
  bool typed = false;
  auto add = [this](const char* line) {
    auto* longer = curl_slist_append(headers_, line);
    if (longer) headers_ = longer;
    return longer != nullptr;
  };
  for (auto& line : call_.header_lines) {
    if (breaks_the_line(line) || !add(line.c_str())) return false;
    typed = typed || starts_with_nocase(line, "content-type:");
  }
  auto& authorization = call_.authorization.reveal();
  if (!authorization.empty() && (breaks_the_line(authorization) || !add(authorization.c_str()))) return false;
  if (!typed && !add("Content-Type:")) return false; // curl would call it a form
  if (!add("Expect:")) return false;
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  return true;
}

void transfer::set_body() {
  body_size_ = 0;
  piece_ = offset_ = 0;
  if (call_.get) {
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
    return;
  }
  for (auto& piece : call_.body) body_size_ += piece->size();
  // One piece is read by curl where it lies; several are asked for through on_read.
  const char* whole = call_.body.empty() ? "" : call_.body.size() == 1 ? call_.body[0]->data() : nullptr;
  curl_easy_setopt(easy_, CURLOPT_POST, 1L);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, whole);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_size_));
}

bool transfer::enter(CURLM* multi, CURLSH* share, const socket_keeper& keeper) {
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTFUNCTION, keeper.on_made);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTDATA, keeper.self);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, keeper.on_close);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, keeper.self);
  curl_easy_setopt(easy_, CURLOPT_SHARE, share);
  phase_ = phase::connecting;
  if (curl_multi_add_handle(multi, easy_) != CURLM_OK) return false;
  multi_ = multi;
  return true;
}

bool transfer::deserves_fresh_connection(CURLcode code) const {
  return code == CURLE_SEND_ERROR && phase_ == phase::sending && !head_.begun() && !found_ && !repeated_ &&
         connects() == 0;
}

bool transfer::again_on_fresh_connection() {
  repeated_ = true;
  phase_ = phase::connecting;
  words_[0] = '\0';
  curl_multi_remove_handle(multi_, easy_);
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
  return curl_multi_add_handle(multi_, easy_) == CURLM_OK;
}

void transfer::leave(bool spoilt) {
  if (!multi_) return;
  long version = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_VERSION, &version);
  summary_.http_version = version == CURL_HTTP_VERSION_1_0   ? "1.0"
                          : version == CURL_HTTP_VERSION_1_1 ? "1.1"
                          : version == CURL_HTTP_VERSION_2_0 ? "2"
                                                             : "";
  summary_.new_connection = connects() > 0;
  // An HTTP/2 connection would survive its cancelled stream, and if it is the peer that froze, swallow the next call
  // too.
  if (spoilt) curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 1L);
  leaving_ = true;
  curl_multi_remove_handle(multi_, easy_);
  multi_ = nullptr;
}

void transfer::flush() {
  if (received_.empty()) return;
  auto piece = make_bytes(std::move(received_));
  received_.clear();
  observer_->on_data(std::move(piece));
}

std::optional<call_error> transfer::add_credit(std::size_t bytes) {
  auto room = std::numeric_limits<std::int64_t>::max() / 2 - std::max<std::int64_t>(credit_, 0);
  bool was_used_up = !credit_left();
  credit_ += static_cast<std::int64_t>(std::min<std::size_t>(bytes, static_cast<std::size_t>(room)));
  if (!was_used_up || !credit_left() || phase_ != phase::reading) return std::nullopt;
  phase_at_ = after(clock::now(), idle_);
  touch();
  if (!paused_) return std::nullopt;
  paused_ = false;
  auto code = curl_easy_pause(easy_, CURLPAUSE_CONT); // calls on_write with what was held back
  return code == CURLE_OK ? std::nullopt : verdict(code);
}

void transfer::end(std::optional<call_error> error) {
  auto observer = std::move(observer_);
  auto summary = std::move(summary_);
  summary.received_bytes = received_bytes_;
  call_ = {};
  release(received_);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, static_cast<char*>(nullptr));
  curl_slist_free_all(headers_);
  headers_ = nullptr;
  handle_ = 0;
  if (error || times_begun_ != 1) { // curl counts its repetitions over the handle's whole life and refuses every sixth
    curl_easy_reset(easy_);
    set_lasting_options();
  }
  observer->on_end(std::move(error), summary);
}

std::optional<call_error> transfer::verdict(CURLcode code) const {
  if (found_) return found_;
  curl_off_t name_known = 0;
  curl_easy_getinfo(easy_, CURLINFO_NAMELOOKUP_TIME_T, &name_known);
  call_reach reach{phase_ > phase::connecting, name_known > 0, head_.complete()};
  return outcome_of(code, words_.data(), reach);
}

call_error transfer::lateness() const {
  if (total_at_ <= phase_at_) {
    constexpr std::array words{"waiting for a connection of the pool", "connecting", "sending the request",
                               "waiting for the first byte", "reading the body"};
    return {failure_class::total_timeout, std::string{"the call's whole time passed while "} + words[int(phase_)]};
  }
  if (phase_ == phase::reading) return {failure_class::idle_timeout, "the response stopped in the middle"};
  return {failure_class::first_byte_timeout,
          head_.complete() ? "a response head, but no body came in time" : "no response came in time"};
}

std::uint32_t transfer::take_new_connections() {
  if (std::exchange(connects_known_, phase_ == phase::reading)) return 0; // while an answer comes, curl makes none
  auto now = connects(), before = std::exchange(connects_seen_, now);
  return static_cast<std::uint32_t>(now - before);
}

long transfer::connects() const {
  long count = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &count);
  return count;
}

void transfer::touch() {
  if (touched || leaving_) return;
  touched = true;
  touched_.push_back(this);
}

/// False: curl is about to send what may have been acted on already, for the connection it went out on had served
/// before and ended without an answer.
bool transfer::request_begins() {
  ++times_begun_;
  if (clock::now() > call_.send_by && phase_ != phase::expecting) {
    found_ = call_error{failure_class::reset, "it was too late to send it", false, true};
    return false;
  }
  if (phase_ == phase::expecting) {
    found_ = call_error{failure_class::reset, "a kept connection ended after the request was sent", true, false};
    return false;
  }
  phase_ = phase::sending;
  phase_at_ = instant::max();
  summary_.sent_at = {};
  piece_ = offset_ = 0;
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
  touch();
  return true;
}

void transfer::request_sent() {
  phase_ = phase::expecting;
  summary_.sent_at = clock::now();
  phase_at_ = after(summary_.sent_at, call_.timeouts.first_byte);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 1L); // the progress callback has told all we want
  observer_->on_sent(summary_.sent_at);
  touch();
}

void transfer::check_sent(std::uint64_t body_bytes_out) {
  if (phase_ != phase::sending || body_bytes_out < body_size_) return;
  long request_bytes_out = 0; // the head's too: an empty body is "out" from the start
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &request_bytes_out);
  if (request_bytes_out > 0) request_sent();
}

std::size_t transfer::give_up(failure_class what, std::string detail) {
  found_ = call_error{what, std::move(detail)};
  return 0; // fewer bytes than offered: curl ends the transfer
}

std::size_t transfer::take_head_line(std::string_view line) {
  switch (head_.take_line(line)) {
  case response_head::progress::malformed: return give_up(failure_class::malformed, head_.complaint());
  case response_head::progress::more: break;
  case response_head::progress::complete:
    if (phase_ == phase::sending) request_sent(); // answered before it was heard out
    observer_->on_head(head_.status(), head_.take_fields());
    break;
  }
  return line.size();
}

std::size_t transfer::take_body(std::string_view piece) {
  if (phase_ < phase::reading) phase_ = phase::reading;
  touch();
  if (!credit_left()) {
    paused_ = true;
    phase_at_ = instant::max();
    return CURL_WRITEFUNC_PAUSE;
  }
  received_.append(piece);
  received_bytes_ += piece.size();
  credit_ -= static_cast<std::int64_t>(piece.size());
  phase_at_ = credit_left() ? after(clock::now(), idle_) : instant::max();
  return piece.size();
}

std::size_t transfer::give_body(char* to, std::size_t room) {
  std::size_t given = 0;
  while (given < room && piece_ < call_.body.size()) {
    auto& piece = *call_.body[piece_];
    auto n = std::min(room - given, piece.size() - offset_);
    std::memcpy(to + given, piece.data() + offset_, n);
    given += n;
    offset_ += n;
    if (offset_ == piece.size()) {
      ++piece_;
      offset_ = 0;
    }
  }
  return given;
}

bool transfer::seek_body(std::uint64_t offset) {
  if (offset > body_size_) return false;
  piece_ = 0;
  while (piece_ < call_.body.size() && offset >= call_.body[piece_]->size()) offset -= call_.body[piece_++]->size();
  offset_ = offset;
  return true;
}

std::size_t transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  return static_cast<transfer*>(self)->take_head_line({data, size * count});
}

std::size_t transfer::on_write(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  return static_cast<transfer*>(self)->take_body({data, size * count});
}

std::size_t transfer::on_read(char* to, std::size_t size, std::size_t count, void* self) noexcept {
  return static_cast<transfer*>(self)->give_body(to, size * count);
}

int transfer::on_seek(void* self, curl_off_t offset, int origin) noexcept {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  auto ok = static_cast<transfer*>(self)->seek_body(static_cast<std::uint64_t>(offset));
  return ok ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int transfer::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t uploaded) noexcept {
  static_cast<transfer*>(self)->check_sent(static_cast<std::uint64_t>(uploaded));
  return 0;
}

int transfer::on_connected(void* self, char*, char*, int, int) noexcept {
  return static_cast<transfer*>(self)->request_begins() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

} // namespace mainstay::http
