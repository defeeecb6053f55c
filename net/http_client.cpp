// The thread behind client: commands come in through one queue and an eventfd, epoll says which socket curl works on
// next, the observers hear what came after every drive. Nothing here waits but epoll_wait, and nothing scans all calls.
#include "net/http_client.hpp"

#include "net/deadline_wheel.hpp"
#include "net/http_pool.hpp"
#include "net/http_transfer.hpp"
#include "net/wakeup.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <new>
#include <sys/epoll.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <variant>

namespace mainstay::http {

namespace {

struct cancel_call {
  call_handle handle;
};
struct grant_credit {
  call_handle handle;
  std::size_t bytes;
};
struct apply_caps {};
using command = std::variant<call_start, cancel_call, grant_credit, apply_caps>;

constexpr std::uint64_t wakeup_tag = ~std::uint64_t{0};
constexpr std::size_t spare_transfers = 1024; // kept for reuse, some kilobytes each

struct descriptor {
  int fd;
  ~descriptor() { close(fd); }
};

int make_epoll() {
  static const CURLcode curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (curl_ready != CURLE_OK) throw std::runtime_error("libcurl cannot be initialised");
  int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

} // namespace

struct client::impl {
  impl();
  ~impl();

  // From any thread.
  void push(command);
  connection_pool& pool_named(const std::string&);

  // On the client's thread.
  struct open_call {
    std::unique_ptr<transfer> way;
    connection_pool* pool = nullptr;
  };
  void loop();
  int wait_ms() const;
  void run_commands();
  void run(call_start&);
  void run(const cancel_call&);
  void run(const grant_credit&);
  void run(const apply_caps&);
  connection_pool& driven_pool(const std::string& name);
  std::unique_ptr<transfer> spare_transfer();
  void tell_touched(connection_pool&);
  void settle(connection_pool&);
  void expire();
  void finish(transfer&, std::optional<call_error>);
  void admit_waiting(connection_pool&);
  void cancel_all();

  // Destroyed bottom up: transfers leave the wheel and the pools before those go.
  descriptor epoll{make_epoll()};
  wakeup wake;
  std::mutex queue_mutex;
  std::vector<command> queue;
  std::atomic<bool> stopping{false};
  std::atomic<call_handle> last_handle{0};
  std::atomic<std::size_t> open_count{0};

  std::mutex pools_mutex; // guards the two lists, not the pools
  std::vector<std::unique_ptr<connection_pool>> pools;
  std::unordered_map<std::string, connection_pool*> pools_by_name;

  std::vector<connection_pool*> driven; // by index; the thread's own list of pools it has met
  deadline_wheel wheel{clock::now()};
  transfer::touched_list touched;
  std::unordered_map<call_handle, open_call> open;
  std::vector<std::unique_ptr<transfer>> spare;
  std::thread thread;
};

client::impl::impl() {
  epoll_event wish{};
  wish.events = EPOLLIN;
  wish.data.u64 = wakeup_tag;
  if (epoll_ctl(epoll.fd, EPOLL_CTL_ADD, wake.fd(), &wish) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  thread = std::thread([this] { loop(); });
}

client::impl::~impl() {
  stopping.store(true);
  wake.signal();
  thread.join();
}

void client::impl::push(command c) {
  {
    std::lock_guard lock(queue_mutex);
    queue.push_back(std::move(c));
  }
  wake.signal();
}

connection_pool& client::impl::pool_named(const std::string& name) {
  std::lock_guard lock(pools_mutex);
  auto known = pools_by_name.find(name);
  if (known != pools_by_name.end()) return *known->second;
  auto index = static_cast<std::uint32_t>(pools.size());
  auto& made = *pools.emplace_back(std::make_unique<connection_pool>(name, epoll.fd, index));
  pools_by_name.emplace(name, &made);
  return made;
}

void client::impl::loop() {
  block_signals_in_this_thread();
  pthread_setname_np(pthread_self(), "http-client");
  std::array<epoll_event, 1024> events;
  while (!stopping.load()) {
    auto count = epoll_wait(epoll.fd, events.data(), events.size(), wait_ms());
    bool commands = false;
    for (int i = 0; i < count; ++i) {
      auto tag = events[i].data.u64;
      if (tag == wakeup_tag) {
        commands = true;
        continue;
      }
      auto& pool = *driven[tag >> 32];
      pool.drive(static_cast<int>(tag & 0xFFFFFFFF), events[i].events);
      settle(pool);
    }
    if (commands) {
      wake.clear();
      run_commands();
    }
    for (auto* pool : driven) {
      if (!pool || pool->timers_due() > clock::now()) continue;
      pool->drive_timers();
      settle(*pool);
    }
    expire(); // last: bytes that lay waiting while this thread could not run count before the deadline does
  }
  cancel_all();
  // Closing TLS connections writes to them: in this thread, where a peer that is gone raises no signal.
  spare.clear();
  driven.clear();
  std::lock_guard lock(pools_mutex);
  pools_by_name.clear();
  pools.clear();
}

int client::impl::wait_ms() const {
  auto now = clock::now();
  auto until = wheel.empty() ? instant::max() : now + deadline_wheel::tick;
  for (auto* pool : driven)
    if (pool) until = std::min(until, pool->timers_due());
  if (until == instant::max()) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(until - now).count()));
}

void client::impl::run_commands() {
  std::vector<command> batch;
  {
    std::lock_guard lock(queue_mutex);
    batch.swap(queue);
  }
  for (auto& c : batch) std::visit([this](auto& what) { run(what); }, c);
}

void client::impl::run(call_start& start) {
  std::unique_ptr<transfer> way;
  connection_pool* pool = nullptr;
  if (!stopping.load()) {
    try {
      pool = &driven_pool(start.what.pool);
      way = spare_transfer();
    } catch (const std::bad_alloc&) {}
  }
  if (!way) {
    open_count.fetch_sub(1);
    auto error = stopping.load() ? call_error{failure_class::cancelled, "the client is closing"}
                                 : call_error{failure_class::connect_failed, "libcurl has no memory left"};
    start.observer->on_end(std::move(error), {});
    return;
  }
  auto& t = *way;
  open.emplace(start.handle, open_call{std::move(way), pool});
  if (auto error = t.take(std::move(start))) return finish(t, std::move(error));
  wheel.arm(t, t.deadline_wanted());
  if (!pool->admit(t)) finish(t, call_error{failure_class::connect_failed, "libcurl has no memory left"});
}

void client::impl::run(const cancel_call& c) {
  auto at = open.find(c.handle);
  if (at != open.end()) finish(*at->second.way, call_error{failure_class::cancelled, "cancelled"});
}

void client::impl::run(const grant_credit& c) {
  auto at = open.find(c.handle);
  if (at == open.end()) return;
  auto& pool = *at->second.pool;
  auto& t = *at->second.way;
  auto error = t.add_credit(c.bytes);
  tell_touched(pool);
  if (error) finish(t, std::move(error));
  settle(pool);
}

void client::impl::run(const apply_caps&) {
  for (auto* pool : driven) {
    if (!pool) continue;
    pool->apply_caps();
    admit_waiting(*pool);
  }
}

connection_pool& client::impl::driven_pool(const std::string& name) {
  auto& pool = pool_named(name);
  if (driven.size() <= pool.index()) driven.resize(pool.index() + 1);
  if (!driven[pool.index()]) {
    driven[pool.index()] = &pool;
    pool.apply_caps();
  }
  return pool;
}

std::unique_ptr<transfer> client::impl::spare_transfer() {
  if (spare.empty()) return std::make_unique<transfer>(touched);
  auto t = std::move(spare.back());
  spare.pop_back();
  return t;
}

void client::impl::tell_touched(connection_pool& pool) {
  for (auto* t : touched) {
    pool.count_connections(*t);
    t->touched = false;
    t->flush();
    wheel.arm(*t, t->deadline_wanted());
  }
  touched.clear();
}

/// After every drive: what came goes to the observers, and finished calls end.
void client::impl::settle(connection_pool& pool) {
  tell_touched(pool);
  CURLcode result = CURLE_OK;
  while (auto* t = pool.next_finished(result)) {
    if (t->deserves_fresh_connection(result) && t->again_on_fresh_connection()) continue;
    finish(*t, t->verdict(result));
  }
}

void client::impl::expire() {
  auto now = clock::now();
  wheel.expire(now, [&](deadline_wheel::entry& entry) {
    auto& t = static_cast<transfer&>(entry);
    if (t.deadline_wanted() <= now) {
      finish(t, t.lateness());
    } else {
      wheel.arm(t, t.deadline_wanted());
    }
  });
}

void client::impl::finish(transfer& t, std::optional<call_error> error) {
  auto ended = std::move(open.extract(t.handle()).mapped());
  wheel.disarm(t);
  ended.pool->count_connections(t);
  ended.pool->remove(t, error.has_value());
  open_count.fetch_sub(1);
  t.end(std::move(error));
  if (spare.size() < spare_transfers) spare.push_back(std::move(ended.way));
  admit_waiting(*ended.pool);
}

void client::impl::admit_waiting(connection_pool& pool) {
  if (stopping.load()) return;
  while (auto* t = pool.next_with_room())
    if (!pool.admit(*t)) return pool.wait(*t); // no memory: the next call that ends brings another try
}

void client::impl::cancel_all() {
  while (!open.empty())
    finish(*open.begin()->second.way, call_error{failure_class::cancelled, "the client is closing"});
  for (bool more = true; more;) { // an observer may start another call as its last act: that is cancelled too
    run_commands();
    std::lock_guard lock(queue_mutex);
    more = !queue.empty();
  }
}

client::client() : impl_(std::make_unique<impl>()) {}
client::~client() = default;

void client::configure(const std::vector<pool_settings>& settings) {
  for (auto& s : settings) impl_->pool_named(s.name).set_caps(s.connections, s.per_host);
  impl_->push(apply_caps{});
}

call_handle client::start(call what, std::shared_ptr<call_observer> observer) {
  auto handle = impl_->last_handle.fetch_add(1) + 1;
  impl_->open_count.fetch_add(1);
  impl_->push(call_start{handle, std::move(what), std::move(observer), clock::now()});
  return handle;
}

void client::cancel(call_handle handle) { impl_->push(cancel_call{handle}); }

void client::add_credit(call_handle handle, std::size_t bytes) {
  if (bytes > 0) impl_->push(grant_credit{handle, bytes});
}

std::size_t client::open_calls() const noexcept { return impl_->open_count.load(); }

std::vector<client::pool_view> client::pools() const {
  std::lock_guard lock(impl_->pools_mutex);
  std::vector<pool_view> views;
  for (auto& pool : impl_->pools) views.push_back(pool->view());
  return views;
}

} // namespace mainstay::http
