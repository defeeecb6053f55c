// Which of many sets are near a given one: weighted Jaccard similarity, the weight of what both have over the weight of
// what either has, found through an inverted index. A feature weighs its base times how rare it is in its group: one
// more for each halving of the share of the group's sets that have it (the inverse document frequency, in whole powers
// of two, so that all sums are exact). Groups share nothing.
// A look-up begins with the rarest features and stops gathering where the rest cannot reach the threshold any more
// (prefix filtering: Chaudhuri, Ganti, Kaushik, ICDE 2006; Bayardo, Ma, Srikant, WWW 2007), so common words are seldom
// read. Finds exactly what comparing with every set would, within a bound on work per look-up.
#pragma once

#include "core/question.hpp"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mainstay {

class jaccard_index {
public:
  using feature = question::feature;
  using set_id = std::uint32_t; // small numbers: they index arrays
  struct match {
    set_id id = 0;
    double score = 0;
  };

  /// `features`: each once. The id must be free.
  void add(set_id, std::uint64_t group, std::span<const feature> features);
  void remove(set_id);
  void clear();

  /// All of the group with at least that score (above 0), best first, of equals the latest added first; at most `most`.
  std::vector<match> find(std::uint64_t group, std::span<const feature>, double threshold, std::size_t most);
  /// Whether the latest find() reached the bound on its work: there may be more than it found.
  bool cut_short() const noexcept { return cut_short_; }

  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept; // about

private:
  using feature_id = std::uint32_t;
  struct postings { // whose feature it is, in the order in which they came; those before `first` are gone
    std::uint64_t what = 0;
    std::uint32_t base = 0, first = 0;
    std::vector<set_id> sets;
    std::size_t size() const noexcept { return sets.size() - first; }
  };
  struct one_set {
    std::uint64_t group = 0, order = 0;
    std::vector<feature_id> features; // sorted
  };
  static std::uint32_t weight(std::uint32_t base, std::size_t having, std::size_t all) noexcept;
  std::uint32_t weight_of(feature_id, std::size_t all) const noexcept;
  feature_id intern(std::uint64_t what, std::uint32_t base);
  void forget(feature_id);
  double score(const one_set&, std::size_t all, std::uint64_t sought) const;

  std::unordered_map<std::uint64_t, feature_id> ids_; // a feature's hash, mixed with its group's
  std::vector<postings> features_;
  std::vector<feature_id> free_;
  std::vector<one_set> sets_; // by id
  std::unordered_map<std::uint64_t, std::size_t> groups_;
  std::size_t size_ = 0, held_ = 0; // held_: features of all sets
  std::uint64_t next_order_ = 1;
  bool cut_short_ = false;
  // Of one look-up; kept for their memory.
  std::vector<std::uint32_t> overlap_; // by set; all zero between look-ups
  std::vector<set_id> touched_;
  std::vector<std::pair<std::uint32_t, set_id>> candidates_;
  std::vector<std::uint8_t> is_wanted_; // by feature; all zero between look-ups
};

} // namespace mainstay
