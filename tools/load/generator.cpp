#include "tools/load/generator.hpp"

#include "tools/load/http_door.hpp"
#include "tools/load/zmq_door.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <system_error>

namespace mainstay::load {
namespace {

constexpr auto rest_after_refusal = 50ms;
constexpr std::size_t warming_callers = 64, dealers = 4;
constexpr auto without_end = std::numeric_limits<std::uint64_t>::max();

duration cpu_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto of = [](const timeval& t) { return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec); };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Thousands of connections must fit: the descriptors the system allows, not the shell's default.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

generator::generator(const options& o, std::function<void(const tally&, std::size_t)> each_second)
  : options_(o), each_second_(std::move(each_second)), question_(o.prompt_bytes, o.seed) {
  raise_descriptor_limit();
  watch_signals();
  open_doors();
}

generator::~generator() { close(signals_); }

void generator::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  reactor_.watch(signals_, EPOLLIN, *this);
}

void generator::ready(std::uint32_t) { interrupted_ = true; }

void generator::open_doors() {
  door_owner& owner = *this;
  if (!options_.http.empty())
    doors_.push_back({door_kind::http,
                      std::make_unique<http_door>(reactor_, owner, resolve(options_.http), options_.shape, question_)});
  if (!options_.zmq.empty())
    doors_.push_back({door_kind::zmq,
                      std::make_unique<zmq_door>(reactor_, owner, options_.zmq, std::min(options_.connections, dealers),
                                                 options_.shape, question_)});
}

void generator::tokens_came(flight& f, std::size_t events, instant now) {
  if (measuring_) counted_.tokens_came(f, events, now);
}

void generator::finished(flight& f, fault what, instant now) {
  if (what == fault::none) {
    std::string expected;
    if (options_.verify) {
      auto words = options_.shape.max_tokens ? std::min<std::size_t>(options_.words, *options_.shape.max_tokens)
                                             : options_.words;
      expected = expected_text(question_.of(f.number), words);
    }
    what = f.got.judge(options_.verify ? &expected : nullptr);
  }
  if (what == fault::connect && !rate_) resting_.push_back(now + rest_after_refusal);
  if (measuring_) counted_.finished(f, what, now);
  spare_.splice(spare_.begin(), open_, f.place);
}

flight& generator::new_flight(instant intended, instant now) {
  if (spare_.empty()) spare_.emplace_front();
  auto place = spare_.begin();
  open_.splice(open_.end(), spare_, place);
  auto& slot = doors_[next_door_];
  next_door_ = (next_door_ + 1) % doors_.size();
  auto& f = *place;
  f.place = place;
  f.id = next_id_++;
  f.number = options_.same ? 0 : f.id;
  f.door = slot.kind;
  slot.streams += options_.stream_share;
  f.streamed = slot.streams >= 1 - 1e-9;
  slot.streams -= f.streamed;
  f.intended = intended;
  f.sent = now;
  f.first_token = f.last_token = {};
  f.got.begin(f.streamed, options_.verify);
  ++begun_;
  if (measuring_) counted_.started(f);
  return f;
}

door& generator::door_of(const flight& f) {
  return *std::find_if(doors_.begin(), doors_.end(), [&](auto& d) { return d.kind == f.door; })->way;
}

bool generator::exhausted(instant now) const {
  return interrupted_ || begun_ >= wanted_ || (rate_ ? began_ + rate_->due(begun_) : now) >= ends_;
}

// The intended start of a request that should have left by now.
std::optional<instant> generator::next_due(instant now) const {
  if (exhausted(now)) return {};
  auto due = rate_ ? began_ + rate_->due(begun_) : now;
  return due <= now ? std::optional(due) : std::nullopt;
}

void generator::start_due(instant now) {
  while (!resting_.empty() && resting_.front() <= now) resting_.pop_front();
  while (auto due = next_due(now)) {
    if (now - *due >= options_.timeout) { // it waited for a free connection too long
      finished(new_flight(*due, now), fault::timeout, now);
      continue;
    }
    if (!room()) return;
    auto& f = new_flight(*due, now);
    door_of(f).send(f);
  }
}

void generator::end_overdue(instant now) {
  while (!open_.empty() && now - open_.front().intended >= options_.timeout) {
    auto& f = open_.front();
    door_of(f).abandon(f);
    finished(f, fault::timeout, now);
  }
}

instant generator::next_alarm(instant now) const {
  auto next = now + 1s;
  if (!open_.empty()) next = std::min(next, open_.front().intended + options_.timeout);
  if (!resting_.empty()) next = std::min(next, resting_.front());
  if (rate_ && !exhausted(now)) next = std::min(next, began_ + rate_->due(begun_) + (room() ? 0s : options_.timeout));
  return next;
}

// Until nothing is due any more and nothing is under way.
void generator::serve() {
  auto next_second = began_ + 1s;
  auto after = [this] { start_due(clock::now()); };
  for (;;) {
    auto now = clock::now();
    end_overdue(now);
    start_due(now);
    if (interrupted_ || (open_.empty() && exhausted(now))) return;
    bool more = false;
    for (auto& d : doors_) more = d.way->before_wait() || more;
    reactor_.turn(more ? now : std::min(next_alarm(now), next_second), after);
    if (now < next_second) continue;
    next_second += 1s;
    if (!measuring_) continue;
    counted_.close_seconds(now);
    each_second_(counted_, open_.size());
  }
}

void generator::warm_up() {
  callers_ = options_.rate ? std::min(options_.connections, warming_callers) : options_.connections;
  began_ = clock::now();
  ends_ = instant::max();
  wanted_ = options_.warmup;
  serve();
}

run_result generator::run() {
  if (options_.warmup) warm_up();
  rate_ = options_.rate ? &*options_.rate : nullptr;
  callers_ = options_.connections;
  begun_ = 0;
  wanted_ = options_.requests.value_or(without_end);
  if (rate_) wanted_ = std::min(wanted_, rate_->total().value_or(without_end));
  measuring_ = true;
  auto cpu = cpu_time();
  began_ = clock::now();
  ends_ = options_.run_time ? began_ + *options_.run_time : instant::max();
  counted_.begin(began_);
  serve();
  counted_.end(clock::now());
  return {std::move(counted_), cpu_time() - cpu, open_.size()};
}

} // namespace mainstay::load
