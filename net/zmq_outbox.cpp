// Framing and accounting of answers.
#include "net/zmq_outbox.hpp"

#include "net/zmtp_wire.hpp"

#include <algorithm>

namespace mainstay::mq {

outgoing make_outgoing(std::string_view id, std::string_view kind, std::string_view headers, bytes_ptr body,
                       bool delimiter) {
  outgoing out;
  out.lead.reserve(id.size() + kind.size() + headers.size() + 40);
  if (delimiter) append_frame(out.lead, {}, true);
  append_frame(out.lead, id, true);
  append_frame(out.lead, kind, true);
  append_frame(out.lead, headers, true);
  append_frame_head(out.lead, body ? body->size() : 0, false);
  out.body = std::move(body);
  return out;
}

bool flow::admit(std::size_t cost) noexcept {
  const auto before = waiting_.fetch_add(cost);
  const auto all = all_->waiting.fetch_add(cost) + cost;
  const auto after = before + cost;
  if (before == 0 || (after <= 16 * limit_ && (all <= all_->ceiling || after <= share))) return true;
  release(cost);
  return false;
}

std::size_t flow::patience() const noexcept {
  return all_->waiting > all_->ceiling / 4 ? std::min(limit_, 4 * share) : limit_;
}

void flow::release(std::size_t cost) noexcept {
  waiting_.fetch_sub(cost);
  all_->waiting.fetch_sub(cost);
}

} // namespace mainstay::mq
