// The client's side of the loop: calls come in at once on the loop's own thread, and through its tasks from others;
// curl is driven when its sockets or timers say so; the observers hear what came after every drive. Nothing here waits,
// and nothing scans all calls.
#include "net/http_client.hpp"

#include "net/http_pool.hpp"
#include "net/http_transfer.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <stdexcept>
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

constexpr std::size_t spare_transfers = 256; // kept for reuse, some kilobytes each

/// Before any thread of curl's own could exist.
void make_curl_ready() {
  static const CURLcode curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (curl_ready != CURLE_OK) throw std::runtime_error("libcurl cannot be initialised");
}

} // namespace

struct client::impl final : event_loop::follower, connection_pool::owner, transfer::watcher {
  explicit impl(std::shared_ptr<event_loop>);

  // From any thread.
  void push(command);
  connection_pool& pool_named(const std::string&);

  // On the loop's thread.
  struct open_call {
    std::unique_ptr<transfer> way;
    connection_pool* pool = nullptr;
  };
  bool work() override;
  bool pending() const override { return !queue.empty(); }
  instant due() const override;
  void driven(connection_pool&) override;
  void deadline_of(transfer&) override;
  void run(call_start&);
  void run(const cancel_call&);
  void run(const grant_credit&);
  void run(const apply_caps&);
  connection_pool& driven_pool(const std::string& name);
  std::unique_ptr<transfer> spare_transfer();
  void tell_touched(connection_pool&);
  void settle(connection_pool&);
  void finish(transfer&, std::optional<call_error>);
  void admit_waiting(connection_pool&);
  void close();

  const std::shared_ptr<event_loop> loop;
  std::atomic<call_handle> last_handle{0};
  std::atomic<std::size_t> open_count{0};

  std::mutex pools_mutex; // guards the two lists, not the pools
  std::vector<std::unique_ptr<connection_pool>> pools;
  std::unordered_map<std::string, connection_pool*> pools_by_name;

  // The loop's thread's. Destroyed bottom up: transfers leave the pools before those go.
  std::vector<command> queue; // commands are done between drives of curl, never inside one
  std::vector<command> batch;
  bool closing = false;
  std::vector<connection_pool*> met; // by index; the thread's own list of pools
  transfer::touched_list touched;
  std::unordered_map<call_handle, open_call> open;
  std::vector<std::unique_ptr<transfer>> spare;
};

client::impl::impl(std::shared_ptr<event_loop> l) : loop(std::move(l)) {
  make_curl_ready();
  loop->run([this] { loop->follow(*this); });
}

/// The caller keeps the client until what it pushed has been seen: close() runs behind it in the loop's order.
void client::impl::push(command c) {
  if (loop->on_thread()) {
    queue.push_back(std::move(c));
    return;
  }
  auto carried = std::make_shared<command>(std::move(c));
  loop->post([this, carried] { queue.push_back(std::move(*carried)); });
}

connection_pool& client::impl::pool_named(const std::string& name) {
  std::lock_guard lock(pools_mutex);
  auto known = pools_by_name.find(name);
  if (known != pools_by_name.end()) return *known->second;
  auto index = static_cast<std::uint32_t>(pools.size());
  auto& made = *pools.emplace_back(std::make_unique<connection_pool>(name, *loop, *this, index));
  pools_by_name.emplace(name, &made);
  return made;
}

/// Commands first, then what curl wants to do now: calls that came together are sent together.
bool client::impl::work() {
  bool worked = !queue.empty();
  batch.swap(queue);
  for (auto& c : batch) std::visit([this](auto& what) { run(what); }, c);
  batch.clear();
  for (auto* pool : met) {
    if (!pool) continue;
    if (pool->timers_due() <= clock::now()) {
      pool->drive_timers();
      settle(*pool);
      worked = true;
    }
    pool->watch_sockets();
  }
  return worked;
}

instant client::impl::due() const {
  auto until = instant::max();
  for (auto* pool : met)
    if (pool) until = std::min(until, pool->timers_due());
  return until;
}

void client::impl::driven(connection_pool& pool) {
  settle(pool);
  pool.watch_sockets();
}

void client::impl::run(call_start& start) {
  std::unique_ptr<transfer> way;
  connection_pool* pool = nullptr;
  if (!closing) {
    try {
      pool = &driven_pool(start.what.pool);
      way = spare_transfer();
    } catch (const std::bad_alloc&) {}
  }
  if (!way) {
    open_count.fetch_sub(1);
    auto error = closing ? call_error{failure_class::cancelled, "the client is closing"}
                         : call_error{failure_class::connect_failed, "libcurl has no memory left"};
    start.observer->on_end(std::move(error), {});
    return;
  }
  auto& t = *way;
  open.emplace(start.handle, open_call{std::move(way), pool});
  if (auto error = t.take(std::move(start))) return finish(t, std::move(error));
  loop->arm(t, t.deadline_wanted());
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
  for (auto* pool : met) {
    if (!pool) continue;
    pool->apply_caps();
    admit_waiting(*pool);
  }
}

connection_pool& client::impl::driven_pool(const std::string& name) {
  auto& pool = pool_named(name);
  if (met.size() <= pool.index()) met.resize(pool.index() + 1);
  if (!met[pool.index()]) {
    met[pool.index()] = &pool;
    pool.apply_caps();
  }
  return pool;
}

std::unique_ptr<transfer> client::impl::spare_transfer() {
  if (spare.empty()) return std::make_unique<transfer>(*this, touched);
  auto t = std::move(spare.back());
  spare.pop_back();
  return t;
}

void client::impl::tell_touched(connection_pool& pool) {
  for (auto* t : touched) {
    pool.count_connections(*t);
    t->touched = false;
    t->flush();
    loop->arm(*t, t->deadline_wanted());
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

/// Bytes that lay waiting while this thread could not run have been read by now: deadlines are looked at last.
void client::impl::deadline_of(transfer& t) {
  if (t.deadline_wanted() <= clock::now())
    finish(t, t.lateness());
  else
    loop->arm(t, t.deadline_wanted());
}

void client::impl::finish(transfer& t, std::optional<call_error> error) {
  auto ended = std::move(open.extract(t.handle()).mapped());
  loop->disarm(t);
  ended.pool->count_connections(t);
  ended.pool->remove(t, error.has_value());
  open_count.fetch_sub(1);
  t.end(std::move(error));
  if (spare.size() < spare_transfers) spare.push_back(std::move(ended.way));
  admit_waiting(*ended.pool);
}

void client::impl::admit_waiting(connection_pool& pool) {
  if (closing) return;
  while (auto* t = pool.next_with_room())
    if (!pool.admit(*t)) return pool.wait(*t); // no memory: the next call that ends brings another try
}

/// On the loop's thread: closing TLS connections writes to them, and here a peer that is gone raises no signal.
void client::impl::close() {
  closing = true;
  while (!open.empty())
    finish(*open.begin()->second.way, call_error{failure_class::cancelled, "the client is closing"});
  while (!queue.empty()) work(); // an observer may start another call as its last act: that is cancelled too
  loop->unfollow(*this);
  spare.clear();
  met.clear();
  std::lock_guard lock(pools_mutex);
  pools_by_name.clear();
  pools.clear();
}

client::client(std::shared_ptr<event_loop> loop) : impl_(std::make_unique<impl>(std::move(loop))) {}
client::~client() {
  impl_->loop->run([this] { impl_->close(); });
}

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
