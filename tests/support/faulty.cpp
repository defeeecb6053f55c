// Loaded before libc (LD_PRELOAD): makes system calls fail at random, with errors that they do have, while a test says
// so. The page that $MAINSTAY_FAULTS names is shared with the test: how often of a million, of which kinds, and how
// many failed of each. Nothing fails that cannot in life: reading an eventfd, closing, taking something out of an
// epoll. CAF's own sockets (the console's) are left alone: it ends the process where epoll_ctl fails.
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <initializer_list>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

enum kind : std::uint32_t { doors, outgoing, files, descriptors, kinds };

struct page {
  std::atomic<std::uint32_t> of_a_million, which; // which: a bit for each kind
  std::atomic<std::uint32_t> failed[kinds];
};

page* shared() {
  static page* const mapped = []() -> page* {
    const char* path = std::getenv("MAINSTAY_FAULTS");
    if (!path) return nullptr;
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC)); // not by ours
    if (fd < 0) return nullptr;
    void* at = mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<page*>(at);
  }();
  return mapped;
}

constexpr int most_fds = 1 << 16;
std::atomic<bool> accepted[most_fds]; // by us, at a door

template <class Call>
Call real(Call, const char* name) {
  return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name));
}
#define REAL(call) static const auto next = real(&call, #call)

std::uint32_t draw() {
  thread_local std::uint64_t state = 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(gettid());
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return static_cast<std::uint32_t>(state >> 16);
}

bool is_caf(const void* caller) {
  Dl_info info{};
  return dladdr(caller, &info) && info.dli_fname && std::strstr(info.dli_fname, "libcaf_");
}

/// Should this one fail? Then errno is one of `errors`.
bool fails(kind what, const void* caller, std::initializer_list<int> errors) {
  auto* told = shared();
  if (!told || told->of_a_million == 0 || !(told->which >> what & 1) || draw() % 1'000'000 >= told->of_a_million)
    return false;
  if (is_caf(caller)) return false;
  errno = errors.begin()[draw() % errors.size()];
  ++told->failed[what];
  return true;
}

bool is_kind(int fd, mode_t type) {
  struct stat s {};
  return fd > 2 && fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == type;
}
kind side_of(int fd) { return fd >= 0 && fd < most_fds && accepted[fd] ? doors : outgoing; }

bool sending_fails(int fd, const void* caller) {
  return is_kind(fd, S_IFSOCK) && fails(side_of(fd), caller, {ECONNRESET, EPIPE, EINTR, ENOBUFS, ETIMEDOUT, EAGAIN});
}
bool receiving_fails(int fd, const void* caller) {
  return is_kind(fd, S_IFSOCK) && fails(side_of(fd), caller, {ECONNRESET, EINTR, ETIMEDOUT, ENOTCONN, EAGAIN});
}
bool writing_fails(int fd, const void* caller) {
  if (is_kind(fd, S_IFREG)) return fails(files, caller, {ENOSPC, EDQUOT, EIO, EINTR});
  return sending_fails(fd, caller);
}
bool reading_fails(int fd, const void* caller) {
  if (is_kind(fd, S_IFREG)) return fails(files, caller, {EIO, EINTR});
  return receiving_fails(fd, caller);
}
bool opening_fails(const void* caller) { return fails(files, caller, {EMFILE, ENFILE, ENOSPC, EACCES, EINTR}); }

bool active(kind what) {
  auto* told = shared();
  return told && told->of_a_million != 0 && (told->which >> what & 1);
}

} // namespace

#define CALLER __builtin_return_address(0)

extern "C" {

int socket(int domain, int type, int protocol) {
  REAL(socket);
  if (fails(descriptors, CALLER, {EMFILE, ENFILE, ENOBUFS, ENOMEM})) return -1;
  return next(domain, type, protocol);
}
int accept4(int fd, sockaddr* at, socklen_t* size, int flags) {
  REAL(accept4);
  if (fails(descriptors, CALLER, {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EPROTO})) return -1;
  const int got = next(fd, at, size, flags);
  if (got >= 0 && got < most_fds) accepted[got] = true;
  return got;
}
int connect(int fd, const sockaddr* at, socklen_t size) {
  REAL(connect);
  if (fails(outgoing, CALLER, {ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT, EHOSTUNREACH})) return -1;
  return next(fd, at, size);
}
int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < most_fds) accepted[fd] = false;
  return next(fd);
}
int eventfd(unsigned initial, int flags) {
  REAL(eventfd);
  if (fails(descriptors, CALLER, {EMFILE, ENFILE, ENOMEM})) return -1;
  return next(initial, flags);
}
int epoll_create1(int flags) {
  REAL(epoll_create1);
  if (fails(descriptors, CALLER, {EMFILE, ENFILE, ENOMEM})) return -1;
  return next(flags);
}
int epoll_ctl(int epoll, int what, int fd, epoll_event* event) {
  REAL(epoll_ctl);
  if (what == EPOLL_CTL_ADD && fails(descriptors, CALLER, {ENOSPC, ENOMEM})) return -1;
  return next(epoll, what, fd, event);
}
int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  REAL(epoll_wait);
  if (fails(descriptors, CALLER, {EINTR})) return -1;
  return next(epoll, events, most, timeout);
}
int pipe2(int fds[2], int flags) {
  REAL(pipe2);
  if (fails(descriptors, CALLER, {EMFILE, ENFILE})) return -1;
  return next(fds, flags);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  REAL(send);
  if (active(doors) || active(outgoing))
    if (sending_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size, flags);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  REAL(sendmsg);
  if (active(doors) || active(outgoing))
    if (sending_fails(fd, CALLER)) return -1;
  return next(fd, message, flags);
}
ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  REAL(recv);
  if (active(doors) || active(outgoing))
    if (receiving_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size, flags);
}
ssize_t write(int fd, const void* bytes, size_t size) {
  REAL(write);
  if (shared() && shared()->of_a_million && writing_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  REAL(writev);
  if (shared() && shared()->of_a_million && writing_fails(fd, CALLER)) return -1;
  return next(fd, parts, count);
}
ssize_t read(int fd, void* bytes, size_t size) {
  REAL(read);
  if (shared() && shared()->of_a_million && reading_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  REAL(pwrite64);
  if (active(files) && writing_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size, at);
}
ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) {
  REAL(pread64);
  if (active(files) && reading_fails(fd, CALLER)) return -1;
  return next(fd, bytes, size, at);
}

#define OPEN(call)                                                                                                     \
  int call(const char* path, int flags, ...) {                                                                         \
    REAL(call);                                                                                                        \
    if (active(files) && opening_fails(CALLER)) return -1;                                                             \
    va_list more;                                                                                                      \
    va_start(more, flags);                                                                                             \
    const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : mode_t{};                          \
    va_end(more);                                                                                                      \
    return next(path, flags, mode);                                                                                    \
  }
OPEN(open)
OPEN(open64)
int fsync(int fd) {
  REAL(fsync);
  if (fails(files, CALLER, {EIO, ENOSPC, EDQUOT})) return -1;
  return next(fd);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  if (fails(files, CALLER, {EIO, ENOSPC, EDQUOT})) return -1;
  return next(fd);
}
int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  if (fails(files, CALLER, {EIO, ENOSPC})) return -1;
  return next(fd, size);
}
int rename(const char* from, const char* to) {
  REAL(rename);
  if (fails(files, CALLER, {EIO, ENOSPC, EACCES})) return -1;
  return next(from, to);
}
}
