#include "actors/quota_peers.hpp"

#include "actors/quota_words.hpp"

#include <utility>

namespace mainstay {

bool quota_peers::said(governor& policy, const peer_said& m, instant now, const send& to_peer) {
  auto* book = policy.quotas();
  const auto from = book ? book->cluster().index_of(m.from) : std::nullopt;
  if (!from || *from == book->cluster().self()) {
    ++dropped_;
    return false;
  }
  if (m.kind == "quota.word") {
    const auto word = words::word_in(m.head);
    if (!word || word->of != book->cluster().incarnation()) {
      ++dropped_;
      return false;
    }
    book->on_word(*from, word->knew);
  } else if (m.kind == "quota.ask") {
    std::vector<words::named_grant> answers;
    for (auto& [name, ask] : words::asks_in(m.head, dropped_)) {
      if (auto grant = book->on_ask(*from, name, ask, now))
        answers.emplace_back(std::move(name), *grant);
      else
        ++dropped_;
    }
    if (!answers.empty()) to_peer({m.from, "quota.grant", words::grants(answers), {}, {}});
  } else if (m.kind == "quota.grant") {
    for (const auto& [name, grant] : words::grants_in(m.head, dropped_)) book->on_grant(*from, name, grant, now);
  } else {
    return false; // of a later version
  }
  policy.on_quotas();
  return true;
}

void quota_peers::changed(governor& policy, const peer_changed& news, instant now, const send& to_peer) {
  auto* book = policy.quotas();
  const auto who = book ? book->cluster().index_of(news.peer) : std::nullopt;
  if (!who || *who == book->cluster().self()) return;
  book->on_peer(*who, news.up, news.incarnation, now);
  if (news.up)
    to_peer({news.peer, "quota.word", words::word({news.incarnation, book->cluster().began_anew(*who)}), {}, {}});
  policy.on_quotas();
}

/// What is lost is asked again.
void quota_peers::refused(governor& policy, const peer_refused& m, instant now) {
  auto* book = policy.quotas();
  if (!book || m.why != peer_refused::reason::unreachable) return;
  if (const auto who = book->cluster().index_of(m.to))
    book->on_peer(*who, false, book->cluster().incarnation_of(*who), now);
}

void quota_peers::ask(const std::vector<quota_book::message>& all, const quota_cluster& cluster, const send& to_peer) {
  std::vector<words::named_ask> some;
  for (std::size_t i = 0; i < all.size(); ++i) {
    some.emplace_back(all[i].name, all[i].ask);
    const bool last = i + 1 == all.size() || all[i + 1].to != all[i].to || some.size() == words::most_limits;
    if (!last) continue;
    to_peer({cluster.address(all[i].to), "quota.ask", words::asks(some), {}, {}});
    some.clear();
  }
}

} // namespace mainstay
