#include "actors/flight_channel.hpp"

#include "actors/attempt.hpp"
#include "actors/reply_labels.hpp"
#include "actors/turn.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t progress_step = 64u << 10;
constexpr std::size_t most_kept = 64u << 20; // bytes of a stream, for those who are behind

template <class Message>
void tell_run(const caf::actor_addr& run, Message what) {
  if (auto to = caf::actor_cast<run_actor>(run)) tell(to, std::move(what));
}

} // namespace

flight_channel::flight_channel(governor_actor governor, const flight_book::terms& terms)
  : governor_(std::move(governor)), terms_(terms) {}

flight_channel::~flight_channel() { pay(0); }

// -- the callers' runs

flight_channel::progress flight_channel::board(passenger p) {
  std::lock_guard lock(guard_);
  const auto who = p.who;
  if (first_ > 0 && !riders_.count(who)) return {state::too_late, false, false, {}};
  auto [it, fresh] = riders_.try_emplace(who);
  auto& r = it->second;
  if (!fresh) {
    r.is.run = std::move(p.run);
    return seen(r);
  }
  r.is = std::move(p);
  if (head_)
    r.is.way->observe_progress(progress_step, [weak = weak_from_this(), who](std::size_t bytes) {
      if (auto self = weak.lock()) self->on_read(who, bytes);
    });
  advance(r);
  return seen(r);
}

flight_channel::progress flight_channel::look(request_id who) const {
  std::lock_guard lock(guard_);
  const auto r = riders_.find(who);
  return r == riders_.end() ? progress{} : seen(r->second);
}

flight_channel::progress flight_channel::leave(request_id who) {
  std::lock_guard lock(guard_);
  const auto it = riders_.find(who);
  if (it == riders_.end()) return {};
  auto& r = it->second;
  if (r.now == state::ended) return seen(r); // it has everything
  if (r.is.way && head_) r.is.way->observe_progress(0, nullptr);
  if (riders_.size() == 1 && end_ == ending::none && !payer_) {
    choose_payer();
    payer_left_ = payer_.has_value();
  }
  auto out = seen(r);
  riders_.erase(it);
  trim();
  report_progress();
  return out;
}

/// Whose client is charged with what the flight costs: of those who are still there, the first one's.
void flight_channel::choose_payer() {
  if (!payer_ && !riders_.empty() && riders_.begin()->second.is.admitted) payer_ = riders_.begin()->first;
}

flight_channel::progress flight_channel::seen(const rider& r) const {
  progress p;
  p.now = r.now;
  p.head_sent = r.head_sent;
  p.pays = payer_ == r.is.who && end_ != ending::failed;
  if (end_ == ending::failed) return p;
  const auto label = [this](const char* name) {
    const auto* value = find_header(head_ ? *head_ : last_labels_, name);
    return value ? *value : std::string();
  };
  p.source = label("x-mainstay-source");
  p.provider = label("x-mainstay-provider");
  p.model = label("x-mainstay-model");
  p.reason = label("x-mainstay-reason");
  return p;
}

flight_channel::failure_told flight_channel::failure_of(request_id who) const {
  std::lock_guard lock(guard_);
  auto told = failure_;
  if (payer_ != who) told.tokens = 0;
  return told;
}

flight_channel::story flight_channel::so_far() const {
  std::lock_guard lock(guard_);
  return story_;
}

/// One piece after the other, as long as this reader keeps up; then the end.
void flight_channel::advance(rider& r) {
  if (r.now != state::flying) return;
  if (head_ && !std::exchange(r.head_sent, true)) r.is.way->stream_head(own(*head_, r));
  for (; r.next < first_ + pieces_.size(); ++r.next) {
    if (r.sent - std::min(r.sent, r.read) >= stream_window) return;
    const auto& p = pieces_[r.next - first_];
    if (p.event) {
      r.is.way->stream_event(p.event);
      r.sent += p.event->size();
    } else {
      r.is.way->stream_comment(p.comment);
    }
  }
  if (end_ != ending::none) give_end(r);
}

void flight_channel::give_end(rider& r) {
  r.now = end_ == ending::failed ? state::failed : state::ended;
  if (end_ == ending::whole) r.is.way->reply(status_, own(last_labels_, r), last_body_);
  if (end_ == ending::stream) r.is.way->stream_end(last_body_, own(last_labels_, r));
  if (end_ != ending::failed) r.is.way.reset();
  tell_run(r.is.run, flight_ended{});
}

/// The flight's labels say where the answer comes from; whose it is and how long that one waited is its own.
header_list flight_channel::own(const header_list& of_flight, const rider& r) const {
  auto out = of_flight;
  for (auto& [name, value] : out) {
    if (name == "x-request-id") value = r.is.id;
    if (name == "x-mainstay-latency-ms") value = latency_text(clock::now() - r.is.received);
  }
  out.insert(out.end(), r.is.limits.begin(), r.is.limits.end());
  return out;
}

// -- who seats them

bool flight_channel::open() const {
  std::lock_guard lock(guard_);
  return !trimmed_ && end_ != ending::failed;
}

void flight_channel::live_by(const flight_book::terms& t) {
  std::lock_guard lock(guard_);
  terms_ = t;
  tell_run(run_, flight_terms{});
}

// -- the flight's own run, and the dispatcher

void flight_channel::flown_by(caf::actor_addr run) {
  std::lock_guard lock(guard_);
  run_ = std::move(run);
}

flight_book::terms flight_channel::terms() const {
  std::lock_guard lock(guard_);
  return terms_;
}

void flight_channel::tell_story(story s) {
  std::lock_guard lock(guard_);
  story_ = std::move(s);
}

void flight_channel::pay(std::uint64_t tokens) {
  std::lock_guard lock(guard_);
  if (!payer_ || std::exchange(paid_, true)) return;
  if (end_ == ending::failed && !payer_left_) return; // told with the failure: its own run settles it
  letter<settle_lease>::post(caf::actor_cast<caf::strong_actor_ptr>(governor_),
                             settle_lease{{*payer_, 0}, {true, tokens, {}}});
}

void flight_channel::fail(const final_answer& answer, failure_class why, std::uint64_t tokens) {
  fail_all({answer, why, tokens});
}

void flight_channel::fail_all(failure_told told) {
  std::lock_guard lock(guard_);
  if (end_ != ending::none) return;
  failure_ = std::move(told);
  end_ = ending::failed;
  choose_payer();
  for (auto& [who, r] : riders_) advance(r);
}

void flight_channel::end_as(ending how, header_list labels, bytes_ptr body) {
  if (end_ != ending::none) return;
  last_labels_ = std::move(labels);
  last_body_ = std::move(body);
  end_ = how;
  choose_payer();
  for (auto& [who, r] : riders_) advance(r);
}

void flight_channel::reply(int status, header_list headers, bytes_ptr body) {
  if (status >= 300) return stream_error(status, std::move(body), std::move(headers));
  std::lock_guard lock(guard_);
  status_ = status;
  end_as(ending::whole, std::move(headers), std::move(body));
}

void flight_channel::stream_head(header_list headers) {
  std::lock_guard lock(guard_);
  if (head_ || end_ != ending::none) return;
  head_ = std::move(headers);
  for (auto& [who, r] : riders_)
    r.is.way->observe_progress(progress_step, [weak = weak_from_this(), who = who](std::size_t bytes) {
      if (auto self = weak.lock()) self->on_read(who, bytes);
    });
  for (auto& [who, r] : riders_) advance(r);
}

void flight_channel::stream_event(bytes_ptr json) { keep({std::move(json), {}}); }

void flight_channel::stream_comment(std::string text) { keep({nullptr, std::move(text)}); }

void flight_channel::keep(piece p) {
  std::lock_guard lock(guard_);
  if (end_ != ending::none) return;
  kept_ += p.size();
  pieces_.push_back(std::move(p));
  for (auto& [who, r] : riders_) advance(r);
  trim();
}

void flight_channel::stream_end(bytes_ptr usage_json, header_list trailers) {
  std::lock_guard lock(guard_);
  end_as(ending::stream, std::move(trailers), std::move(usage_json));
}

/// From who answers in place of a run that died too often.
void flight_channel::stream_error(int status, bytes_ptr, header_list) {
  failure_told told;
  told.answer.status = status;
  told.answer.type = "server_error";
  told.answer.code = "internal_error";
  told.answer.message = "the request failed inside the gateway";
  fail_all(std::move(told));
}

// -- flow

void flight_channel::observe_progress(std::size_t, std::function<void(std::size_t)> written) {
  std::lock_guard lock(guard_);
  written_.swap(written);
}

void flight_channel::on_read(request_id who, std::size_t bytes) {
  std::lock_guard lock(guard_);
  const auto it = riders_.find(who);
  if (it == riders_.end()) return;
  auto& r = it->second;
  r.read += bytes;
  furthest_ = std::max(furthest_, r.read);
  advance(r);
  trim();
  report_progress();
}

/// What everybody has goes, once too much is kept: from then on nobody can begin at the beginning.
void flight_channel::trim() {
  if (kept_ <= most_kept) return;
  trimmed_ = true;
  auto needed = first_ + pieces_.size();
  for (auto& [who, r] : riders_)
    if (r.now == state::flying) needed = std::min(needed, r.next);
  for (; first_ < needed && kept_ > most_kept; ++first_) {
    kept_ -= pieces_.front().size();
    pieces_.pop_front();
  }
}

/// The run lets more through: as much as the fastest has read, unless the slowest is too far behind.
void flight_channel::report_progress() {
  if (!written_ || furthest_ <= reported_ || kept_ > most_kept) return;
  const auto more = furthest_ - std::exchange(reported_, furthest_);
  written_(more);
}

} // namespace mainstay
