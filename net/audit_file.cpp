#include "net/audit_file.hpp"

#include "net/sha256.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

namespace mainstay {

namespace {

constexpr std::size_t number_digits = 6;
constexpr std::size_t longest_tail = 1u << 20; // of a last line and what a crash left behind it

namespace files = std::filesystem;

std::optional<std::uint64_t> rotated_number(const std::string& name, const std::string& base) {
  if (name.size() < base.size() + 1 + number_digits || !name.starts_with(base + ".")) return std::nullopt;
  const auto digits = name.substr(base.size() + 1);
  if (digits.size() > 18 || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  return std::stoull(digits);
}

files::path folder_of(const std::string& path) {
  const auto folder = files::path(path).parent_path();
  return folder.empty() ? files::path(".") : folder;
}

std::vector<std::pair<std::uint64_t, std::string>> numbered(const std::string& path) {
  std::vector<std::pair<std::uint64_t, std::string>> out;
  std::error_code failed;
  const auto base = files::path(path).filename().string();
  for (files::directory_iterator at(folder_of(path), failed), end; !failed && at != end; at.increment(failed))
    if (const auto n = rotated_number(at->path().filename().string(), base)) {
      auto of = files::path(path);
      out.emplace_back(*n, of.replace_filename(at->path().filename()).string());
    }
  std::sort(out.begin(), out.end());
  return out;
}

/// A descriptor that goes with its scope.
struct held {
  int fd;
  ~held() {
    if (fd >= 0) ::close(fd);
  }
};

std::string read_from(int fd, std::uint64_t from, std::size_t bytes) {
  std::string out(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const auto n = ::pread(fd, out.data() + have, bytes - have, static_cast<off_t>(from + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

} // namespace

std::string audit_file::digest(std::string_view bytes) { return hex(sha256(bytes)); }

std::vector<std::string> audit_file::rotated(const std::string& path) {
  std::vector<std::string> out;
  for (auto& [n, name] : numbered(path)) out.push_back(std::move(name));
  return out;
}

audit_file::audit_file(std::string path, utc_time now) : path_(std::move(path)) {
  open();
  try {
    find_end(now);
  } catch (...) {
    close();
    throw;
  }
}

audit_file::~audit_file() { close(); }

void audit_file::close() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

void audit_file::fail(const char* what) const {
  throw audit_file_error(path_ + ": " + what + ": " + std::strerror(errno));
}

void audit_file::open() {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file_ < 0) fail("cannot be opened");
  struct stat found {};
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    close();
    if (taken) throw audit_file_error(path_ + ": another process is writing it");
    fail("cannot be locked");
  }
  if (::fstat(file_, &found) != 0 || !S_ISREG(found.st_mode)) {
    close();
    throw audit_file_error(path_ + ": is no file");
  }
  size_ = static_cast<std::uint64_t>(found.st_size);
}

/// The last whole line says where the chain goes on; where there is none yet, the last rotated file's does.
void audit_file::find_end(utc_time now) {
  const auto last_line = [this](int fd, std::uint64_t size, std::string& torn) -> std::string {
    const auto bytes = std::min<std::uint64_t>(size, longest_tail);
    auto tail = read_from(fd, size - bytes, bytes);
    const auto end = tail.rfind('\n');
    if (end == tail.npos && bytes < size) throw audit_file_error(path_ + ": its last line is no line of an audit");
    torn = end == tail.npos ? tail : tail.substr(end + 1);
    if (end == tail.npos) return "";
    tail.resize(end);
    return tail.substr(tail.rfind('\n') + 1); // npos + 1: all of it
  };
  std::string torn;
  auto line = last_line(file_, size_, torn);
  if (!torn.empty()) keep_torn(torn, now);
  if (size_ == 0) {
    const auto before = rotated(path_);
    if (before.empty()) return;
    const held last{::open(before.back().c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat found {};
    if (last.fd < 0 || ::fstat(last.fd, &found) != 0) throw audit_file_error(before.back() + ": cannot be read");
    line = last_line(last.fd, static_cast<std::uint64_t>(found.st_size), torn);
  }
  const auto marks = read_audit_line(line);
  if (!marks) throw audit_file_error(path_ + ": its last line is no line of an audit; move it away to begin a new one");
  head_ = {marks->seq, std::string(marks->hash)};
}

void audit_file::keep_torn(const std::string& what, utc_time now) {
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm date{};
  ::gmtime_r(&seconds, &date);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%SZ", &date);
  torn_part_ = path_ + ".torn-" + stamp;
  const held to{::open(torn_part_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (to.fd < 0 || ::write(to.fd, what.data(), what.size()) != static_cast<ssize_t>(what.size()))
    fail("what is left of its last line cannot be kept");
  if (::ftruncate(file_, static_cast<off_t>(size_ - what.size())) != 0) fail("cannot be cut");
  size_ -= what.size();
}

void audit_file::append(const std::vector<audit_entry>& entries) {
  if (file_ < 0) open_again();
  auto head = head_;
  std::string bytes;
  bytes.reserve(entries.size() * 512);
  for (auto& e : entries) {
    bytes += audit_line(e, head, digest);
    bytes += '\n';
  }
  ssize_t written = 0;
  do written = ::write(file_, bytes.data(), bytes.size());
  while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(bytes.size())) {
    const int why = written < 0 ? errno : ENOSPC;
    if (written > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) close(); // is cut when it is opened again
    errno = why;
    fail("cannot be written");
  }
  size_ += bytes.size();
  head_ = std::move(head);
}

void audit_file::sync() {
  if (file_ >= 0 && ::fdatasync(file_) != 0) fail("cannot be brought to the disk");
}

bool audit_file::in_place() const noexcept {
  struct stat ours {
  }, there{};
  return file_ >= 0 && ::fstat(file_, &ours) == 0 && ::stat(path_.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

void audit_file::rotate() {
  sync();
  const auto before = numbered(path_);
  auto number = std::to_string(before.empty() ? 1 : before.back().first + 1);
  number.insert(0, number_digits - std::min(number_digits, number.size()), '0');
  if (std::rename(path_.c_str(), (path_ + "." + number).c_str()) != 0) fail("cannot be renamed");
  open_again();
  sync_folder();
}

void audit_file::open_again() {
  const auto ours = head_;
  close();
  open();
  try {
    if (size_ > 0) find_end(std::chrono::system_clock::now());
  } catch (...) {
    close();
    throw;
  }
  if (head_.seq < ours.seq) head_ = ours;
}

void audit_file::sync_folder() const {
  const held folder{::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) fail("its folder cannot be brought to the disk");
}

} // namespace mainstay
