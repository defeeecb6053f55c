// Answering those who wait. Pools that are woken take turns of one grant each; a pool that gets nothing goes back to
// the lines of whatever held it up. Work is bounded per tick; what is left over is done at the next one, at once.
#include "core/governor_body.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

namespace {

constexpr int most_vain_looks = 512;      // per tick
constexpr std::size_t waiters_tried = 16; // of one pool's level in one turn, past those who may not go now
constexpr std::size_t tried_per_client = 4;
constexpr int most_shed = 16; // per grant

/// Held back is never more than half of a limit: the others pause for that long, not until nothing is in use.
bool may_be_promised(const waiter& w, meter_gate* meter) {
  return meter && meter->meter.limits().tpm.value_or(0) / 2 >= w.tokens;
}

} // namespace

std::vector<capacity_answer> governor::tick(instant now) {
  auto& b = *body_;
  b.last_seen = now;
  b.sweep(now);
  b.decide_admissions(now);
  b.room.ring(now);
  for (int vain = 0; vain < most_vain_looks;) {
    auto* next = b.room.next_ready();
    if (!next) break;
    auto* at = dynamic_cast<gate*>(next);
    if (!(at ? b.pass(*at, now) : b.serve(static_cast<pool&>(*next), now))) ++vain;
  }
  return std::exchange(b.answers, {});
}

instant governor::next_wake(instant now) {
  auto& b = *body_;
  if (b.room.has_ready()) return now;
  auto next = std::min(b.room.next_due(), b.book.next_expiry());
  if (b.quotas) next = std::min(next, b.quotas->next_wake());
  return b.undecided.empty() ? next : std::min(next, b.undecided.front().until);
}

bool governor::body::pass(gate& g, instant now) {
  if (g.line.empty()) return false;
  if (g.closed(now)) {
    room.alarm(g, g.opens_at(now));
    return false;
  }
  if (g.to_ask == 0) return false;
  room.wake(static_cast<wakeable&>(g)); // before the pool wakes itself: the next pool's turn comes first
  --g.to_ask;                           // before: what happens to this pool may open the gate for the others anew
  const bool granted = serve(*g.line.front(), now);
  if (granted) g.to_ask = g.line.size();
  return granted;
}

bool governor::body::serve(pool& p, instant now) {
  room.take_in_hand(p);
  refuse_late(p, now, now);
  const auto size = p.queue.size();
  const bool granted = !p.queue.empty() && give_turn(p, now);
  const bool answered = p.queue.size() < size;
  if (granted) shed(p, now);
  if (!granted && !answered) refuse_late(p, now + duration{1}, now); // whose last moment this was
  room.put_back(p, answered);
  return granted;
}

bool governor::body::give_turn(pool& p, instant now) {
  bool promise_kept = false;
  auto& first = static_cast<waiter&>(p.queue.most_urgent()); // all of them have the same gate
  if (first.held_by && first.held_by->closed(now)) {
    room.hold_up(p, {first.held_by.get(), first.held_by->opens_at(now)});
    if (p.promised) room.break_promise(p);
    all.look_ahead(*first.way, {first.excluded, 0, &first}, now, ahead);
    refuse_late(p, ahead.alive ? ahead.not_before : instant::max(), now);
    return false;
  }
  p.queue.in_turn(turns, waiters_tried, tried_per_client, weights, now);
  for (auto* place : turns) {
    auto& w = static_cast<waiter&>(*place);
    if (const auto c = all.choose(*w.way, {w.excluded, w.tokens, &w, left_free_by(w, now)}, now); c.pair) {
      answers.push_back(lend(w.id, c, *w.way, w.tokens, w.expires, w.held_by, now));
      room.serve(w, weights, now);
      book.take_waiter(w.id);
      return true;
    }
    const auto& prospect = outlook_of(w, now);
    if (prospect.hopeless(w.wait_until)) {
      refuse(w, prospect, now);
      continue;
    }
    for (const auto& o : prospect.obstacles) room.hold_up(p, o);
    if (left_free_by(w, now) > 0) { // others may go where it may not; nothing is promised to it meanwhile
      room.hold_up(p, {nullptr, w.since + load_reserve::longest_hold});
      continue;
    }
    if (w.promised_by && prospect.keeps_promise) promise_kept = true;
    if (may_be_promised(w, prospect.short_of_tokens)) {
      room.promise(w, *prospect.short_of_tokens);
      promise_kept = promise_kept || w.promised_by;
    }
    if (prospect.tokens_only) continue;
    // Nobody in this pool can go, however little it asks for. Whoever cannot last until somebody can is told now.
    all.look_ahead(*w.way, {w.excluded, 0, &w}, now, ahead);
    refuse_late(p, ahead.alive ? ahead.not_before : instant::max(), now);
    break;
  }
  if (p.promised && !promise_kept) room.break_promise(p); // others may have them, while it could not use them
  return false;
}

void governor::body::refuse_late(pool& p, instant until, instant now) {
  while (!p.queue.empty() && p.queue.most_urgent().wait_until < until) {
    auto& w = static_cast<waiter&>(p.queue.most_urgent());
    refuse(w, outlook_of(w, now), now);
  }
}

void governor::body::refuse(waiter& w, const prospect& p, instant now) {
  const auto why = !p.alive ? refusal_reason::no_key : p.resting ? refusal_reason::resting : refusal_reason::over_limit;
  const auto not_before = p.alive && p.not_before > now ? p.not_before : instant::max();
  const bool outage = w.held_by && w.held_by->state.phase == outage_phase::down;
  answers.push_back(refusal{w.id, why, not_before, outage});
  room.leave(w);
  book.take_waiter(w.id);
}

std::optional<duration> governor::body::backlog(const pool& p, const queue_place& place, instant now) const {
  const auto rate = p.group->served.per_second(now);
  if (!rate) return {};
  const auto held = held_levels(p.queue, now);
  if (held[static_cast<std::size_t>(place.level)]) return {}; // what lets it go is not what got through
  const auto before = p.queue.before(place.client, place.level, place.wait_until, weights, held, now);
  auto all = before + 1;
  for (const auto& [which, other] : p.group->lanes) // they take turns
    if (other != &p) all += std::min(static_cast<double>(other->queue.size()), before + 1);
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(all / *rate));
}

void governor::body::shed(pool& p, instant now) {
  for (int i = 0; i < most_shed && !p.queue.empty(); ++i) {
    auto* last = p.queue.last_in_line(weights, held_levels(p.queue, now), now);
    if (!last) return;
    auto& w = static_cast<waiter&>(*last);
    if (w.held_by && w.held_by->holds()) return; // nobody can tell while load returns
    const auto wait = backlog(p, w, now);
    if (!in_vain(wait, w.wait_until, now)) return;
    answers.push_back(refusal{w.id, refusal_reason::backlog, now + *wait});
    room.leave(w);
    book.take_waiter(w.id);
  }
}

prospect& governor::body::outlook_of(const waiter& w, instant now) {
  all.look_ahead(*w.way, {w.excluded, w.tokens, &w, left_free_by(w, now)}, now, ahead);
  return ahead;
}

double governor::body::left_free_by(const waiter& w, instant now) const noexcept {
  return reserve.share(w.level, now - w.since);
}

level_flags governor::body::held_levels(const waiting_queue& queue, instant now) const {
  level_flags held{};
  for (std::size_t i = 0; i < priority_count; ++i) {
    const auto level = static_cast<priority>(i);
    const auto oldest = queue.oldest(level);
    held[i] = oldest && reserve.share(level, now - *oldest) > 0;
  }
  if (held == level_flags{}) return held;
  const auto& all = static_cast<const waiter&>(queue.most_urgent()).way->candidates;
  const auto has_window = [](auto& c) { return c.meter->meter.limits().rpm || c.meter->meter.limits().tpm; };
  return std::any_of(all.begin(), all.end(), has_window) ? held : level_flags{};
}

void governor::body::wake_all(provider_gate& provider) {
  for (auto& [serial, p] : provider.interested) room.wake(static_cast<wakeable&>(*p));
}

} // namespace mainstay
