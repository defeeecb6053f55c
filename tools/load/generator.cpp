#include "tools/load/generator.hpp"

#include "tools/load/http_door.hpp"

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
}

std::size_t generator::room() const noexcept {
  return options_.connections - std::min(options_.connections, open_.size() + resting_.size());
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
  if (what == fault::connect) resting_.push_back(now + rest_after_refusal);
  if (measuring_) counted_.finished(f, what, now);
  spare_.splice(spare_.begin(), open_, f.place);
}

void generator::begin_flight(instant intended, instant now) {
  if (spare_.empty()) spare_.emplace_front();
  auto place = spare_.begin();
  open_.splice(open_.end(), spare_, place);
  auto& slot = doors_[next_door_];
  next_door_ = (next_door_ + 1) % doors_.size();
  auto& f = *place;
  f.place = place;
  f.number = options_.same ? 0 : next_number_++;
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
  slot.way->send(f);
}

bool generator::may_start(instant now) const { return !interrupted_ && begun_ < wanted_ && now < ends_; }

void generator::pump(instant now) {
  while (!resting_.empty() && resting_.front() <= now) resting_.pop_front();
  for (auto free = room(); free > 0 && may_start(now); --free) begin_flight(now, now);
}

void generator::end_overdue(instant now) {
  while (!open_.empty() && now - open_.front().intended >= options_.timeout) {
    auto& f = open_.front();
    auto way = std::find_if(doors_.begin(), doors_.end(), [&](auto& d) { return d.kind == f.door; });
    way->way->abandon(f);
    finished(f, fault::timeout, now);
  }
}

instant generator::next_alarm(instant now) const {
  auto next = now + 1s;
  if (!open_.empty()) next = std::min(next, open_.front().intended + options_.timeout);
  if (!resting_.empty()) next = std::min(next, resting_.front());
  return next;
}

void generator::measure() {
  auto next_second = began_ + 1s;
  auto after = [this] { pump(clock::now()); };
  for (;;) {
    auto now = clock::now();
    end_overdue(now);
    pump(now);
    if (interrupted_ || (open_.empty() && !may_start(now))) break;
    reactor_.turn(std::min(next_alarm(now), next_second), after);
    for (auto& d : doors_) d.way->turn_ended();
    if (now < next_second) continue;
    next_second += 1s;
    if (measuring_) each_second_(counted_, open_.size());
  }
}

void generator::warm_up() {
  began_ = clock::now();
  ends_ = instant::max();
  wanted_ = options_.warmup;
  measure();
}

run_result generator::run() {
  if (options_.warmup) warm_up();
  begun_ = 0;
  wanted_ = options_.requests.value_or(without_end);
  auto cpu = cpu_time();
  began_ = clock::now();
  ends_ = options_.run_time ? began_ + *options_.run_time : instant::max();
  measuring_ = true;
  counted_.begin(began_);
  measure();
  counted_.end(clock::now());
  return {std::move(counted_), cpu_time() - cpu, open_.size()};
}

} // namespace mainstay::load
