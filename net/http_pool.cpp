// curl's socket and timer wishes become the loop's watches and a due time; admission keeps the caps.
#include "net/http_pool.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mainstay::http {

namespace {

/// Data unacknowledged for this long means the network or the peer's machine is gone: TCP's own patience is a quarter
/// of an hour.
constexpr unsigned unacknowledged_limit_ms = 15'000;

} // namespace

connection_pool::connection_pool(std::string name, event_loop& loop, owner& o, std::uint32_t index)
  : name_(std::move(name)), loop_(loop), owner_(o), index_(index), multi_(curl_multi_init()),
    share_(curl_share_init()) {
  if (!multi_ || !share_) {
    if (multi_) curl_multi_cleanup(multi_);
    if (share_) curl_share_cleanup(share_);
    throw std::bad_alloc();
  }
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, static_cast<void*>(this));
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, static_cast<void*>(this));
  apply_caps();
}

connection_pool::~connection_pool() {
  curl_multi_cleanup(multi_);
  curl_share_cleanup(share_);
}

void connection_pool::set_caps(std::uint32_t connections, std::uint32_t per_host) noexcept {
  connections_.store(std::max(connections, 1u));
  per_host_.store(std::max(per_host, 1u));
}

client::pool_view connection_pool::view() const { return {name_, active_.load(), made_.load()}; }

void connection_pool::apply_caps() {
  // As many as may be in flight are kept idle too; beyond that curl closes an idle connection before it makes a new
  // one.
  auto connections = static_cast<long>(connections_.load());
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
}

bool connection_pool::has_room(const transfer& t) const {
  if (active_.load(std::memory_order_relaxed) >= connections_.load()) return false;
  auto host = active_per_host_.find(t.authority());
  return host == active_per_host_.end() || host->second < per_host_.load();
}

bool connection_pool::admit(transfer& t) {
  if (!has_room(t)) {
    wait(t);
    return true;
  }
  if (!t.enter(multi_, share_, {&on_made, &on_close, this})) return false;
  active_.fetch_add(1, std::memory_order_relaxed);
  ++active_per_host_[t.authority()];
  return true;
}

void connection_pool::remove(transfer& t, bool spoilt) {
  if (!t.entered()) {
    auto at = std::find(waiting_.begin(), waiting_.end(), &t);
    if (at != waiting_.end()) waiting_.erase(at);
    return;
  }
  t.leave(spoilt);
  active_.fetch_sub(1, std::memory_order_relaxed);
  auto host = active_per_host_.find(t.authority());
  if (--host->second == 0) active_per_host_.erase(host);
}

transfer* connection_pool::next_with_room() {
  auto at = std::find_if(waiting_.begin(), waiting_.end(), [this](auto* t) { return has_room(*t); });
  if (at == waiting_.end()) return nullptr;
  auto* t = *at;
  waiting_.erase(at);
  return t;
}

void connection_pool::on_events(int fd, std::uint32_t events) {
  auto known = wishes_.find(fd);
  if (known == wishes_.end() || known->second.wanted == 0) { // an idle connection: the peer closed it
    if (known != wishes_.end()) known->second.watched = 0;
    return loop_.unwatch(fd);
  }
  int bits = 0;
  // An error or a hang-up is found out by reading (and writing), where curl gets the errno.
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) bits |= CURL_CSELECT_IN;
  if (events & (EPOLLOUT | EPOLLERR)) bits |= CURL_CSELECT_OUT;
  int running = 0;
  curl_multi_socket_action(multi_, fd, bits, &running);
  owner_.driven(*this);
}

void connection_pool::watch_sockets() {
  for (int fd : changed_) {
    auto at = wishes_.find(fd);
    if (at == wishes_.end()) continue; // closed meanwhile
    auto& w = at->second;
    if (w.wanted == 0 || w.wanted == w.watched) continue;
    if (w.watched == 0)
      loop_.watch(fd, w.wanted, *this);
    else
      loop_.rewatch(fd, w.wanted);
    w.watched = w.wanted;
  }
  changed_.clear();
}

void connection_pool::drive_timers() {
  timers_due_ = instant::max();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  if (timers_due_ != instant::max()) return;
  long ms = -1; // curl stays silent about a timer it believes we still know
  curl_multi_timeout(multi_, &ms);
  on_timer(multi_, ms, this);
}

transfer* connection_pool::next_finished(CURLcode& result) {
  int left = 0;
  while (auto* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    result = message->data.result;
    void* owner = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    return static_cast<transfer*>(owner);
  }
  return nullptr;
}

int connection_pool::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept {
  auto& pool = *static_cast<connection_pool*>(self);
  auto& w = pool.wishes_[fd];
  w.wanted = 0;
  if (what == CURL_POLL_REMOVE) {
    if (!w.connection) {
      pool.loop_.unwatch(fd);
      pool.wishes_.erase(fd);
    }
    return 0;
  }
  if (what & CURL_POLL_IN) w.wanted |= EPOLLIN;
  if (what & CURL_POLL_OUT) w.wanted |= EPOLLOUT;
  pool.changed_.push_back(fd);
  return 0;
}

int connection_pool::on_made(void* self, curl_socket_t fd, curlsocktype) noexcept {
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_limit_ms, sizeof unacknowledged_limit_ms);
  static_cast<connection_pool*>(self)->wishes_[fd].connection = true;
  return CURL_SOCKOPT_OK;
}

int connection_pool::on_close(void* self, curl_socket_t fd) noexcept {
  auto& pool = *static_cast<connection_pool*>(self);
  pool.loop_.unwatch(fd);
  pool.wishes_.erase(fd);
  return ::close(fd);
}

int connection_pool::on_timer(CURLM*, long ms, void* self) noexcept {
  auto& due = static_cast<connection_pool*>(self)->timers_due_;
  due = ms < 0 ? instant::max() : clock::now() + std::chrono::milliseconds{ms};
  return 0;
}

} // namespace mainstay::http
