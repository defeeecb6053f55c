// All cluster-wide limits of one node, by name: finds the share that a message is about, gathers what is to be asked,
// and forgets what is idle. Leaves sending to its owner: it says what to whom, and when it wants to be asked again.
#pragma once

#include "core/quota_note.hpp"
#include "core/quota_share.hpp"

#include <functional>
#include <memory>

namespace mainstay {

class quota_book {
public:
  /// Of a limit that a peer asks about before it was used here; nothing: there is no such limit.
  using find_terms = std::function<std::optional<quota_terms>(std::string_view name)>;

  /// `past`: what is known of the process before this one. Without it the other nodes are waited for (see on_word); who
  /// is alone in its cluster begins afresh. `start` is when this node began.
  quota_book(quota_cluster cluster, std::optional<quota_past> past, instant start, find_terms find);
  quota_book(const quota_book&) = delete;
  quota_book& operator=(const quota_book&) = delete;

  const quota_cluster& cluster() const noexcept { return cluster_; }
  /// The share of that limit, begun if need be. Who keeps the pointer keeps the share from being forgotten, and does
  /// not outlive the book.
  std::shared_ptr<quota_share> share(const std::string& name, const quota_terms&);

  struct message {
    node_index to;
    std::string name;
    quota_ask ask;
  };
  /// What is due, sorted by whom to ask, so that it may go in one message each.
  std::vector<message> tick(instant now);
  instant next_wake() const noexcept;

  std::optional<quota_grant> on_ask(node_index from, const std::string& name, const quota_ask&, instant now);
  void on_grant(node_index from, const std::string& name, const quota_grant&, instant now);
  /// Membership's word. A peer that is up was heard in that incarnation.
  void on_peer(node_index, bool up, std::uint64_t incarnation, instant now);

  /// A peer says whether it knew this node in another incarnation; where `past` is known that says more. Once all have
  /// said that they did not, nothing of a predecessor's can count, as long as one of the nodes outlived it: the home
  /// shares open.
  void on_word(node_index from, bool knew_another);
  bool fresh() const noexcept { return fresh_; }
  /// They still may say so.
  bool awaits_word() const noexcept { return !past_ && !fresh_ && !preceded_; }
  /// What the process after this one has to count of the home shares, if this one ends now.
  std::map<std::string, std::uint64_t, std::less<>> legacy(instant now) const;

  /// All shares, for who wants to look at them.
  const auto& shares() const noexcept { return shares_; }
  std::size_t size() const noexcept { return shares_.size(); }

private:
  quota_start beginning_of(std::string_view name) const;

  quota_cluster cluster_;
  std::optional<quota_past> past_;
  bool fresh_, preceded_ = false;
  std::vector<node_index> silent_; // have not said yet whether they knew another
  instant start_, swept_;
  find_terms find_;
  wake_queue due_;
  std::map<std::string, std::shared_ptr<quota_share>, std::less<>> shares_;
};

} // namespace mainstay
