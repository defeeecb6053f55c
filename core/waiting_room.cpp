// Order matters when the last waiter of a pool leaves: the pool goes before the route that its group hangs on.
#include "core/waiting_room.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

pool* waiting_room::find(const route& r, const lane& which) {
  if (r.group->lanes.empty()) return nullptr;
  const auto found = r.group->lanes.find(which);
  return found == r.group->lanes.end() || found->second->queue.empty() ? nullptr : found->second;
}

pool& waiting_room::open(const route& r, lane which) {
  if (const auto found = r.group->lanes.find(which); found != r.group->lanes.end()) return *found->second;
  auto fresh = std::make_unique<pool>();
  auto& p = *fresh;
  p.serial = next_pool_++;
  p.which = std::move(which);
  p.group = r.group;
  p.group->lanes.emplace(p.which, &p);
  for (const auto& s : r.spans) {
    p.providers.push_back(s.provider);
    s.provider->interested.emplace(p.serial, &p);
  }
  pools_.emplace(&p, std::move(fresh));
  return p;
}

void waiting_room::join(waiter& w, lane which) {
  w.order = next_order_++;
  w.in = &open(*w.way, std::move(which));
  w.in->queue.push(w);
  w.in->tokens += w.tokens;
  ++waiting_[static_cast<std::size_t>(w.level)];
  set_alarm(*w.in);
}

void waiting_room::leave(waiter& w) {
  w.in->queue.remove(w);
  departed(w);
}

void waiting_room::serve(waiter& w, const level_weights& weights, instant now) {
  w.in->queue.serve(w, weights, now);
  departed(w);
}

void waiting_room::departed(waiter& w) {
  --waiting_[static_cast<std::size_t>(w.level)];
  if (w.promised_by) break_promise(*w.in);
  auto& p = *std::exchange(w.in, nullptr);
  p.tokens -= w.tokens;
  if (p.in_hand) return;
  if (!p.queue.empty()) return wake(static_cast<wakeable&>(p));
  if (!p.ready) close(p); // else next_ready closes it
}

void waiting_room::hold_up(pool& p, const obstacle& o) {
  if (!o.at) {
    p.look_at = std::min(p.look_at, o.until);
    return;
  }
  if (o.until < o.at->due) alarm(*o.at, o.until);
  if (o.at->demand) o.at->demand->somebody_waits();
  for (const auto& [at, place] : p.lines)
    if (at == o.at) return;
  p.lines.emplace_back(o.at, o.at->line.insert(o.at->line.end(), &p));
}

void waiting_room::leave_lines(pool& p) {
  for (const auto& [at, place] : p.lines) {
    at->line.erase(place);
    if (at->line.empty()) alarm(*at, instant::max());
  }
  p.lines.clear();
  p.look_at = instant::max();
}

void waiting_room::promise(waiter& w, meter_gate& meter) {
  if (meter.promised_to || w.in->promised) return;
  meter.promised_to = &w;
  meter.promised = w.tokens;
  w.promised_by = &meter;
  w.in->promised = &w;
}

void waiting_room::break_promise(pool& p) {
  auto& meter = *std::exchange(std::exchange(p.promised, nullptr)->promised_by, nullptr);
  meter.promised_to = nullptr;
  wake(static_cast<gate&>(meter));
}

void waiting_room::take_in_hand(pool& p) {
  leave_lines(p);
  p.in_hand = true;
}

void waiting_room::put_back(pool& p, bool look_again) {
  p.in_hand = false;
  if (!p.queue.empty()) {
    set_alarm(p);
    if (look_again) wake(static_cast<wakeable&>(p));
  } else if (!p.ready) {
    close(p);
  }
}

void waiting_room::set_alarm(pool& p) {
  alarm(p, p.queue.empty() ? instant::max() : std::min(p.look_at, p.queue.most_urgent().wait_until));
}

void waiting_room::wake(wakeable& w) {
  if (std::exchange(w.ready, true)) return;
  ready_.push_back(&w);
}

void waiting_room::wake(gate& g) {
  if (g.line.empty()) return;
  g.to_ask = g.line.size();
  wake(static_cast<wakeable&>(g));
}

void waiting_room::alarm(wakeable& w, instant at) {
  if (w.due == at) return;
  if (w.due != instant::max()) alarms_.erase({w.due, w.serial, &w});
  w.due = at;
  if (at != instant::max()) alarms_.emplace(at, w.serial, &w);
}

void waiting_room::ring(instant now) {
  while (!alarms_.empty() && std::get<0>(*alarms_.begin()) <= now) {
    auto& w = *std::get<2>(*alarms_.begin());
    alarm(w, instant::max());
    if (auto* g = dynamic_cast<gate*>(&w))
      wake(*g);
    else
      wake(w);
  }
}

wakeable* waiting_room::next_ready() {
  while (!ready_.empty()) {
    auto& w = *ready_.front();
    ready_.pop_front();
    w.ready = false;
    auto* p = dynamic_cast<pool*>(&w);
    if (!p || !p->queue.empty()) return &w;
    close(*p);
  }
  return nullptr;
}

instant waiting_room::next_due() const noexcept {
  return alarms_.empty() ? instant::max() : std::get<0>(*alarms_.begin());
}

void waiting_room::close(pool& p) {
  leave_lines(p);
  alarm(p, instant::max());
  for (const auto& provider : p.providers) provider->interested.erase(p.serial);
  p.group->lanes.erase(p.which);
  pools_.erase(&p);
}

void waiting_room::clear(capacity& all) {
  while (!alarms_.empty()) alarm(*std::get<2>(*alarms_.begin()), instant::max());
  for (auto* w : ready_) w->ready = false;
  ready_.clear();
  while (!pools_.empty()) close(*pools_.begin()->first);
  waiting_ = {};
  for (auto& [name, key] : all.keys) {
    key->own->promised_to = nullptr;
    for (auto& m : key->models) m.meter->promised_to = nullptr;
  }
}

} // namespace mainstay
