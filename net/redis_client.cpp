// The client's thread and queue; what GET, SET and clearing a prefix mean as commands and replies.
#include "net/redis_client.hpp"

#include "net/redis_session.hpp"
#include "net/wakeup.hpp"

#include <algorithm>
#include <hiredis/hiredis.h>
#include <mutex>
#include <sys/epoll.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mainstay {
namespace {

constexpr std::size_t largest_value = 64u << 20; // larger ones are not stored
constexpr std::size_t most_unanswered_bytes = 128u << 20;
constexpr std::string_view keys_a_step = "500"; // of SCAN: well below a millisecond of Redis' time
constexpr std::uint64_t wake_tag = 0, redis_tag = 1;

struct descriptor {
  int fd;
  ~descriptor() { close(fd); }
};

int make_epoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

std::string glob_for_prefix(const std::string& prefix) {
  std::string glob;
  for (char c : prefix) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob + '*';
}

template <class F>
void refused(F tell) noexcept {
  try {
    tell();
  } catch (...) {} // the callback's affair
}

std::string text_of(const redisReply& r) { return {r.str, std::size_t(r.len)}; }

/// One clear() on its way through the key space.
struct sweep {
  std::string glob, cursor = "0";
  long deleted = 0;
  std::function<void(long)> done;
};

} // namespace

struct redis_client::impl {
  /// Runs once: with `go` on the client's thread, or refused on whichever.
  struct job {
    instant deadline;
    std::size_t value_bytes = 0;
    std::function<void(instant deadline, bool go)> run;
  };

  explicit impl(redis_settings s)
    : settings(std::move(s)), epoll{make_epoll()}, session(settings, epoll.fd, redis_tag, wake) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = wake_tag}};
    if (epoll_ctl(epoll.fd, EPOLL_CTL_ADD, wake->fd(), &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  void submit(std::size_t value_bytes, std::function<void(instant, bool)> run);
  bool take(job&); // false: refused
  void run();
  void wait_and_handle();
  void begin_jobs();

  void begin_get(const std::string& key, instant deadline, std::function<void(redis_result, bytes_ptr)> done);
  void begin_set(const std::string& key, const std::string& value, duration ttl, bool if_absent, instant deadline);
  void scan(std::shared_ptr<sweep>);
  void delete_found(std::shared_ptr<sweep>, const redisReply& keys);
  void go_on(std::shared_ptr<sweep>);

  const redis_settings settings;
  const std::shared_ptr<wakeup> wake = std::make_shared<wakeup>();
  const descriptor epoll;
  redis_session session;
  std::mutex guard; // of the two below
  std::vector<job> queue;
  bool stopping = false;
  std::atomic<std::uint64_t> failures{0};
  std::thread thread;
};

bool redis_client::impl::take(job& j) {
  std::lock_guard lock(guard);
  if (stopping || !session.up() || session.unanswered() >= settings.max_pending) return false;
  if (session.unanswered_bytes() + j.value_bytes > most_unanswered_bytes) return false;
  session.reserve(j.value_bytes);
  j.deadline = clock::now() + settings.command_deadline; // under the lock: the queue is in the order of deadlines
  queue.push_back(std::move(j));
  return true;
}

void redis_client::impl::submit(std::size_t value_bytes, std::function<void(instant, bool)> run) {
  job j{{}, value_bytes, std::move(run)};
  if (take(j))
    wake->signal();
  else
    j.run({}, false);
}

void redis_client::impl::begin_jobs() {
  std::vector<job> jobs;
  {
    std::lock_guard lock(guard);
    jobs.swap(queue);
  }
  for (auto& j : jobs) {
    const bool go = session.up();
    if (!go) session.release(j.value_bytes);
    j.run(j.deadline, go);
  }
}

void redis_client::impl::wait_and_handle() {
  const auto next = session.next_tick();
  int wait_ms = -1;
  if (next != instant::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now()).count();
    wait_ms = int(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  epoll_event events[2];
  const int n = epoll_wait(epoll.fd, events, 2, wait_ms);
  wake->clear();
  // Replies first, deadlines after: a reply that is there was not late only because this thread was.
  for (int i = 0; i < n; ++i)
    if (events[i].data.u64 == redis_tag) session.handle(events[i].events);
}

void redis_client::impl::run() {
  block_signals_in_this_thread();
  for (;;) {
    {
      std::lock_guard lock(guard);
      if (stopping) break;
    }
    session.tick(clock::now());
    wait_and_handle();
    begin_jobs();
  }
  session.shut_down();
  begin_jobs(); // refused, now that the session is down
}

void redis_client::impl::begin_get(const std::string& key, instant deadline,
                                   std::function<void(redis_result, bytes_ptr)> done) {
  const std::vector<std::string_view> command{"GET", key};
  session.start(command, deadline, 0, [this, done = std::move(done)](const redisReply* r) {
    if (r && r->type == REDIS_REPLY_STRING) return done(redis_result::hit, make_bytes(text_of(*r)));
    if (r && r->type == REDIS_REPLY_NIL) return done(redis_result::miss, nullptr);
    ++failures;
    done(redis_result::unavailable, nullptr);
  });
}

void redis_client::impl::begin_set(const std::string& key, const std::string& value, duration ttl, bool if_absent,
                                   instant deadline) {
  const auto ms =
      std::to_string(std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(ttl).count()));
  std::vector<std::string_view> command{"SET", key, value, "PX", ms};
  if (if_absent) command.emplace_back("NX");
  session.start(command, deadline, value.size(), [this, if_absent](const redisReply* r) {
    const bool kept_what_was_there = r && if_absent && r->type == REDIS_REPLY_NIL;
    if (!kept_what_was_there && (!r || r->type != REDIS_REPLY_STATUS)) ++failures;
  });
}

void redis_client::impl::scan(std::shared_ptr<sweep> s) {
  const std::vector<std::string_view> command{"SCAN", s->cursor, "MATCH", s->glob, "COUNT", keys_a_step};
  const auto deadline = clock::now() + settings.command_deadline;
  session.start(command, deadline, 0, [this, s](const redisReply* r) {
    const bool usable = r && r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
                        r->element[0]->type == REDIS_REPLY_STRING && r->element[1]->type == REDIS_REPLY_ARRAY;
    if (!usable) {
      ++failures;
      return s->done(-1);
    }
    s->cursor = text_of(*r->element[0]);
    if (r->element[1]->elements == 0)
      go_on(s);
    else
      delete_found(s, *r->element[1]);
  });
}

void redis_client::impl::delete_found(std::shared_ptr<sweep> s, const redisReply& keys) {
  std::vector<std::string_view> command{"DEL"};
  for (std::size_t i = 0; i < keys.elements; ++i)
    if (keys.element[i]->type == REDIS_REPLY_STRING)
      command.emplace_back(keys.element[i]->str, std::size_t(keys.element[i]->len));
  const auto deadline = clock::now() + settings.command_deadline;
  session.reserve();
  const auto asked = static_cast<long long>(command.size() - 1);
  session.start(command, deadline, 0, [this, s, asked](const redisReply* r) {
    if (!r || r->type != REDIS_REPLY_INTEGER || r->integer < 0 || r->integer > asked) {
      ++failures;
      return s->done(-1);
    }
    s->deleted += long(r->integer);
    go_on(s);
  });
}

void redis_client::impl::go_on(std::shared_ptr<sweep> s) {
  if (s->cursor == "0") return s->done(s->deleted);
  session.reserve();
  scan(std::move(s));
}

redis_client::redis_client(redis_settings settings) : impl_(std::make_shared<impl>(std::move(settings))) {
  impl_->thread = std::thread([self = impl_] { self->run(); });
}

redis_client::~redis_client() {
  {
    std::lock_guard lock(impl_->guard);
    impl_->stopping = true;
  }
  impl_->wake->signal();
  // From a callback, on the client's own thread, there is nothing to wait for: the thread keeps what it needs until it
  // ends.
  if (impl_->thread.get_id() == std::this_thread::get_id())
    impl_->thread.detach();
  else
    impl_->thread.join();
}

void redis_client::get(std::string key, std::function<void(redis_result, bytes_ptr)> done) {
  impl_->submit(0, [p = impl_.get(), key = std::move(key), done = std::move(done)](instant deadline, bool go) mutable {
    if (go) return p->begin_get(key, deadline, std::move(done));
    ++p->failures;
    refused([&] { done(redis_result::unavailable, nullptr); });
  });
}

void redis_client::set(std::string key, bytes_ptr value, duration ttl, bool if_absent) {
  if (!value || ttl <= duration::zero()) return; // it would be over before it is there
  const auto bytes = value->size();
  if (bytes > largest_value) {
    ++impl_->failures;
    return;
  }
  impl_->submit(bytes, [p = impl_.get(), key = std::move(key), value = std::move(value), ttl,
                        if_absent](instant deadline, bool go) {
    if (go)
      p->begin_set(key, *value, ttl, if_absent, deadline);
    else
      ++p->failures;
  });
}

void redis_client::clear(std::string prefix, std::function<void(long)> done) {
  auto s = std::make_shared<sweep>(sweep{.glob = glob_for_prefix(prefix), .done = std::move(done)});
  impl_->submit(0, [p = impl_.get(), s](instant, bool go) {
    if (go) return p->scan(s);
    ++p->failures;
    refused([&] { s->done(-1); });
  });
}

void redis_client::freeze_until(instant until) noexcept { impl_->session.freeze_until(until); }

redis_client::view redis_client::look() const {
  const auto& s = impl_->session;
  return {s.connected(), s.breaker(), s.unanswered(), s.timeouts(), impl_->failures, s.commands()};
}

} // namespace mainstay
