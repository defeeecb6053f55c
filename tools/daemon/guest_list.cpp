#include "tools/daemon/guest_list.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace mainstay {

guest_list::seat guest_list::add(int fd) {
  std::lock_guard lock(mutex_);
  const auto at = all_.emplace(all_.end(), fd);
  try {
    if (context_) at->stream.emplace(*context_, fd);
  } catch (...) {
    all_.erase(at);
    throw;
  }
  at->number = ++numbers_;
  return {shared_from_this(), at};
}

guest_list::seat guest_list::add(int fd, std::optional<tls_stream> stream) {
  std::lock_guard lock(mutex_);
  const auto at = all_.emplace(all_.end(), fd);
  at->stream = std::move(stream);
  at->number = ++numbers_;
  at->known = true;
  if (closed_ || !is_welcome(*at)) show_out(*at);
  return {shared_from_this(), at};
}

std::uint64_t guest_list::newest() {
  std::lock_guard lock(mutex_);
  return numbers_;
}

void guest_list::remove(place at) {
  std::lock_guard lock(mutex_);
  all_.erase(at);
}

bool guest_list::know(place at) {
  std::lock_guard lock(mutex_);
  at->known = true;
  const bool welcome = is_welcome(*at);
  if (!welcome) show_out(*at);
  return welcome;
}

/// By now: a handshake may have begun under an earlier context.
bool guest_list::is_welcome(const guest& g) const {
  return !context_ || !g.stream || g.stream->is_welcome_to(*context_);
}

bool guest_list::has_room() {
  std::lock_guard lock(mutex_);
  const auto staying = all_.size() - std::count_if(all_.begin(), all_.end(), [](auto& g) { return g.leaving; });
  if (closed_) return false;
  if (staying < most_) return true;
  const auto oldest = std::find_if(all_.begin(), all_.end(), [](auto& g) { return !g.known && !g.leaving; });
  if (oldest == all_.end()) return false;
  show_out(*oldest);
  return true;
}

void guest_list::time_is_up(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  for (auto& g : all_)
    if (g.number == number && !g.known) show_out(g);
}

void guest_list::show_out(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  for (auto& g : all_)
    if (g.number == number) show_out(g);
}

std::shared_ptr<const tls_context> guest_list::context() {
  std::lock_guard lock(mutex_);
  return context_;
}

void guest_list::use(std::shared_ptr<const tls_context> context) {
  std::lock_guard lock(mutex_);
  context_ = std::move(context);
  for (auto& g : all_)
    if (g.known && !is_welcome(g)) show_out(g);
}

void guest_list::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& g : all_) show_out(g);
}

void guest_list::show_out(guest& g) {
  g.leaving = true;
  ::shutdown(g.fd, SHUT_RDWR);
}

} // namespace mainstay
