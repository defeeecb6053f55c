#include "net/truncation.hpp"

#include "core/token_estimate.hpp"
#include "net/chat_messages.hpp"
#include "net/json_text.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace mainstay {
namespace {

constexpr std::uint64_t least_fragment = 1000; // tokens of a turn that is cut; less of it would be noise
constexpr std::string_view marker =
    R"({"role":"system","content":"[Earlier turns of this conversation were left out, because it is too long.]"})";
constexpr std::uint64_t marker_tokens = 24; // of the role and the sentence

struct group { // of messages that stay or go together: [first, last)
  std::size_t first, last;
  std::uint64_t tokens = 0; // without its system messages, which stay anyway
};

class shortener {
public:
  shortener(const chat_request& request, std::uint64_t budget)
    : bytes_(*request.bytes), found_(read_messages(request)), all_(found_.all), room_(budget) {}

  bytes_ptr shorten() {
    const auto last_user = last_of(chat_role::user);
    if (last_user == all_.size()) return {};
    keep_.assign(all_.size(), false);
    auto rounds = split(last_user + 1, all_.size(), [](auto& m) { return m.role != chat_role::tool; });
    auto turns = split(0, last_user, [](auto& m) { return m.role == chat_role::user; });
    if (!take(found_.other_tokens + marker_tokens) || !keep_systems() ||
        !keep({last_user, last_user + 1, weigh(last_user)}))
      return {};
    if (!rounds.empty() && !keep(rounds.back())) return {};
    bool all_fit = true;
    for (std::size_t i = rounds.empty() ? 0 : rounds.size() - 1; all_fit && i-- > 0;) all_fit = keep(rounds[i]);
    for (std::size_t i = turns.size(); all_fit && i-- > 0;) {
      all_fit = keep(turns[i]);
      if (!all_fit) keep_end_of(turns[i]);
    }
    const bool all_stays = std::find(keep_.begin(), keep_.end(), false) == keep_.end();
    return all_stays && !cut_ ? nullptr : spliced();
  }

private:
  std::size_t last_of(chat_role role) const {
    for (auto i = all_.size(); i-- > 0;)
      if (all_[i].role == role) return i;
    return all_.size();
  }

  bool is_system(std::size_t i) const { return all_[i].role == chat_role::system; }
  std::uint64_t weigh(std::size_t i) const { return is_system(i) ? 0 : all_[i].tokens; }

  template <class Begins>
  std::vector<group> split(std::size_t first, std::size_t last, Begins begins) const {
    std::vector<group> out;
    for (auto i = first; i < last; ++i) {
      if (out.empty() || (begins(all_[i]) && !is_system(i))) out.push_back({i, i, 0});
      out.back().last = i + 1;
      out.back().tokens += weigh(i);
    }
    return out;
  }

  bool take(std::uint64_t tokens) {
    if (tokens > room_) return false;
    room_ -= tokens;
    return true;
  }

  bool keep_systems() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (!is_system(i)) continue;
      keep_[i] = true;
      if (!take(all_[i].tokens)) return false;
    }
    return true;
  }

  bool keep(const group& g) {
    if (!take(g.tokens)) return false;
    std::fill(keep_.begin() + static_cast<std::ptrdiff_t>(g.first), keep_.begin() + static_cast<std::ptrdiff_t>(g.last),
              true);
    return true;
  }

  /// The end of the user's text of a turn, with what followed it.
  void keep_end_of(const group& turn) {
    const auto& user = all_[turn.first];
    if (user.role != chat_role::user || !user.text) return;
    const auto [begin, end] = *user.text;
    const auto text = json::parse(std::string_view(bytes_).substr(begin, end - begin));
    if (!text) return;
    text_profile whole;
    whole.add(text->text);
    const auto rest = turn.tokens - std::min(turn.tokens, whole.tokens()) + 2; // either may be rounded up twice
    if (rest > room_ || room_ - rest < least_fragment) return;
    const auto tail = end_of(text->text, room_ - rest);
    text_profile kept;
    kept.add(tail);
    if (kept.tokens() < least_fragment || !keep({turn.first, turn.last, rest + kept.tokens()})) return;
    cut_ = turn.first;
    json::append_string(fragment_, tail);
  }

  /// As much of the end as weighs no more than that, in steps of a few words, from the beginning of a character on.
  static std::string_view end_of(std::string_view text, std::uint64_t tokens) {
    constexpr std::size_t step = 64;
    text_profile weight;
    auto from = text.size();
    while (from > 0) {
      const auto next = json::cut_before(text, from > step ? from - step : 0);
      auto longer = weight;
      longer.add(text.substr(next, from - next));
      if (longer.tokens() > tokens) break;
      weight = longer;
      from = next;
    }
    return text.substr(from);
  }

  bytes_ptr spliced() const {
    std::string out;
    out.reserve(bytes_.size() + marker.size());
    out.append(bytes_, 0, found_.list.begin + 1);
    bool marked = false, any = false;
    const auto add = [&](std::string_view message) {
      if (std::exchange(any, true)) out += ',';
      out += message;
    };
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const bool is_cut = cut_ == i;
      if ((!keep_[i] || is_cut) && !std::exchange(marked, true)) add(marker);
      if (!keep_[i]) continue;
      const auto [begin, end] = all_[i].where;
      add(std::string_view(bytes_).substr(begin, end - begin));
      if (!is_cut) continue;
      const auto [from, to] = *all_[i].text;
      out.replace(out.size() - (end - from), to - from, fragment_);
    }
    out.append(bytes_, found_.list.end - 1, std::string::npos);
    return make_bytes(std::move(out));
  }

  const std::string& bytes_;
  const chat_messages found_;
  const std::vector<chat_message>& all_;
  std::uint64_t room_;
  std::vector<bool> keep_;
  std::optional<std::size_t> cut_; // the message of which a part is kept
  std::string fragment_;
};

} // namespace

bytes_ptr leave_out_oldest(const chat_request& request, std::uint64_t budget) {
  if (request.prompt_tokens <= budget) return {}; // its parts, each rounded up, may come to more
  return shortener(request, budget).shorten();
}

} // namespace mainstay
