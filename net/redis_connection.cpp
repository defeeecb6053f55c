// The epoll adapter for hiredis' asynchronous context, and the greeting.
#include "net/redis_connection.hpp"

#include <cerrno>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <memory>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace mainstay {
namespace {

constexpr int reads_a_turn = 64; // of 16 KiB each

} // namespace

struct redis_connection::waiting {
  redis_connection* self;
  reply_callback done;
};

/// hiredis' C callbacks.
struct redis_connection::hooks {
  static redis_connection& of(void* p) { return *static_cast<redis_connection*>(p); }
  static void add_read(void* p) { of(p).want(of(p).wanted_ | EPOLLIN); }
  static void del_read(void* p) { of(p).want(of(p).wanted_ & ~std::uint32_t(EPOLLIN)); }
  static void add_write(void* p) { of(p).want(of(p).wanted_ | EPOLLOUT); }
  static void del_write(void* p) { of(p).want(of(p).wanted_ & ~std::uint32_t(EPOLLOUT)); }
  static void cleanup(void* p) { of(p).context_is_freed(); }

  static void connected(const redisAsyncContext* c, int status) {
    if (status != REDIS_OK) return; // cleanup follows
    auto& self = of(c->data);
    self.connected_ = true;
    self.greet();
  }

  static void replied(redisAsyncContext*, void* reply, void* data) {
    const std::unique_ptr<waiting> w(static_cast<waiting*>(data));
    auto& self = *w->self;
    --self.awaited_;
    const bool surplus = reply && self.awaited_ == 0 && self.sent_unasked();
    try {
      w->done(static_cast<const redisReply*>(reply));
    } catch (...) {} // through C there is no way for it
    if (surplus) self.close("it sent a reply that nobody asked for");
  }
};

redis_connection::redis_connection(int epoll_fd, std::uint64_t tag, const redis_settings& settings, observer o)
  : epoll_fd_(epoll_fd), tag_(tag), settings_(settings), observer_(std::move(o)) {}

redis_connection::~redis_connection() { close("closed"); }

void redis_connection::open(const std::string& address) {
  context_ = redisAsyncConnect(address.c_str(), settings_.port);
  if (!context_ || context_->err) {
    const std::string why = context_ ? context_->errstr : "out of memory";
    if (context_) redisAsyncFree(std::exchange(context_, nullptr)); // no hooks yet: nothing is called
    return observer_.ended(why);
  }
  context_->data = context_->ev.data = this;
  context_->ev.addRead = hooks::add_read;
  context_->ev.delRead = hooks::del_read;
  context_->ev.addWrite = hooks::add_write;
  context_->ev.delWrite = hooks::del_write;
  context_->ev.cleanup = hooks::cleanup;
  why_.clear();
  wanted_ = EPOLLOUT;
  epoll_event event{.events = wanted_, .data = {.u64 = tag_}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, context_->c.fd, &event) != 0) return close("epoll_ctl failed");
  redisAsyncSetConnectCallback(context_, hooks::connected);
}

void redis_connection::close(std::string why) {
  if (!context_) return;
  if (why_.empty()) why_ = std::move(why);
  ready_ = false;
  redisAsyncFree(context_); // inside a callback hiredis does it afterwards
}

void redis_connection::context_is_freed() {
  if (why_.empty()) why_ = context_->errstr && *context_->errstr ? context_->errstr : "connection closed";
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, context_->c.fd, nullptr);
  context_ = nullptr;
  connected_ = ready_ = false;
  observer_.ended(std::exchange(why_, {}));
}

bool redis_connection::send(std::span<const std::string_view> arguments, reply_callback done) {
  if (!context_) return false;
  std::vector<const char*> data;
  std::vector<std::size_t> sizes;
  for (auto a : arguments) {
    data.push_back(a.empty() ? "" : a.data());
    sizes.push_back(a.size());
  }
  auto w = std::make_unique<waiting>(waiting{this, std::move(done)});
  if (redisAsyncCommandArgv(context_, hooks::replied, w.get(), int(data.size()), data.data(), sizes.data()) != REDIS_OK)
    return false;
  w.release();
  ++awaited_;
  return true;
}

void redis_connection::greet() {
  const auto& password = settings_.password.reveal();
  if (!settings_.user.empty())
    expect_ok(std::vector<std::string_view>{"AUTH", settings_.user, password}, "AUTH", false);
  else if (!password.empty())
    expect_ok(std::vector<std::string_view>{"AUTH", password}, "AUTH", false);
  const auto database = std::to_string(settings_.database);
  if (settings_.database != 0) expect_ok(std::vector<std::string_view>{"SELECT", database}, "SELECT", false);
  expect_ok(std::vector<std::string_view>{"PING"}, "PING", true);
}

void redis_connection::expect_ok(std::span<const std::string_view> arguments, const char* what, bool last) {
  send(arguments, [this, what, last](const redisReply* r) {
    if (!r || !why_.empty()) return; // it is ending anyway
    if (r->type != REDIS_REPLY_STATUS)
      return close(std::string(what) + " was answered with " +
                   (r->type == REDIS_REPLY_ERROR ? r->str : "something strange"));
    if (!last) return;
    ready_ = true;
    observer_.ready();
  });
}

bool redis_connection::sent_unasked() const { return context_->c.reader->pos < context_->c.reader->len; }

void redis_connection::want(std::uint32_t events) {
  if (events == wanted_ || !context_) return;
  wanted_ = events;
  epoll_event event{.events = wanted_, .data = {.u64 = tag_}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, context_->c.fd, &event);
}

void redis_connection::read() {
  int bytes = 1; // the first round also learns of the connection's end
  for (int i = 0; i < reads_a_turn && context_ && bytes > 0; ++i) {
    char byte;
    if (connected_ && awaited_ == 0 && recv(context_->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
      return close("it sent a reply that nobody asked for");
    redisAsyncHandleRead(context_);
    if (context_ && ioctl(context_->c.fd, FIONREAD, &bytes) != 0) return;
  }
}

void redis_connection::handle(std::uint32_t events) {
  if (context_ && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) read();
  if (context_ && (events & EPOLLOUT)) redisAsyncHandleWrite(context_);
}

} // namespace mainstay
