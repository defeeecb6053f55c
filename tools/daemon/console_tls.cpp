#include "tools/daemon/console_tls.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace mainstay {
namespace {

int in_memory(const std::string& text) {
  const int fd = ::memfd_create("mainstay-tls", MFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
  if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return fd;
  const int error = errno;
  ::close(fd);
  throw std::system_error(error, std::generic_category(), "memfd");
}

std::string chain_and_key(const config::certificate& c) { return c.chain + "\n" + c.key.reveal(); }

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

void swap_in(int fresh, int place) noexcept {
  ::dup3(fresh, place, O_CLOEXEC); // of two descriptors that are open it cannot fail
  ::close(fresh);
}

} // namespace

console_tls::console_tls(const config::certificate& c)
  : certificate_(in_memory(chain_and_key(c))), authority_(in_memory(c.ca)) {}

console_tls::~console_tls() {
  ::close(certificate_);
  ::close(authority_);
}

void console_tls::replace(const config::certificate& c) {
  const int certificate = in_memory(chain_and_key(c));
  int authority = -1;
  try {
    authority = in_memory(c.ca);
  } catch (...) {
    ::close(certificate);
    throw;
  }
  swap_in(certificate, certificate_);
  swap_in(authority, authority_);
}

std::string console_tls::certificate_path() const { return path_of(certificate_); }
std::string console_tls::authority_path() const { return path_of(authority_); }

} // namespace mainstay
