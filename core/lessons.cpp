#include "core/lessons.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mainstay {

namespace {

constexpr std::array<std::uint64_t, 4> sizes{128, 512, 2048, 8192};

std::size_t size_class(std::uint64_t tokens) {
  return static_cast<std::size_t>(std::lower_bound(sizes.begin(), sizes.end(), tokens) - sizes.begin());
}

duration from_seconds(double s) { return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s)); }

} // namespace

void provider_lessons::estimate::add(double seconds) noexcept {
  if (!known) {
    mean_s = seconds;
    deviation_s = seconds / 2;
    known = true;
    return;
  }
  deviation_s += (std::abs(mean_s - seconds) - deviation_s) / 4;
  mean_s += (seconds - mean_s) / 8;
}

lesson provider_lessons::of(const std::string& model, std::uint64_t answer_cap) const {
  auto found = models_.find(model);
  if (found == models_.end()) return {};
  auto& m = found->second;
  lesson out{m.grace, m.prefill_refused};
  auto last = answer_cap ? size_class(answer_cap) : m.by_size.size() - 1;
  for (std::size_t i = 0; i <= last; ++i)
    if (m.by_size[i].known)
      out.usual = std::max(out.usual, from_seconds(m.by_size[i].mean_s + 4 * m.by_size[i].deviation_s));
  return out;
}

void provider_lessons::learn(const std::string& model, const event& e) {
  if (models_.size() >= models_limit && !models_.count(model)) models_.erase(models_.begin());
  auto& m = models_[model];
  switch (e.what) {
  case event::kind::whole_answer:
    m.by_size[size_class(e.tokens)].add(std::chrono::duration<double>(e.took).count());
    m.answered_last = true;
    m.grace = {};
    break;
  case event::kind::too_slow: m.grace = std::exchange(m.answered_last, false) ? e.took * 2 : duration{}; break;
  case event::kind::prefill_refused: m.prefill_refused = true; break;
  }
}

} // namespace mainstay
