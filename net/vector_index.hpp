// Which of many vectors are near a given one, by the cosine of their angle. Groups share nothing. A small group is
// compared whole, exactly; a large one is searched through a graph of neighbours (HNSW: Malkov, Yashunin, TPAMI 2020;
// library: hnswlib), which may miss one in a hundred. Vectors are kept once, as floats of unit length. A graph that has
// three places in four empty is left for a smaller one, a few vectors with each change, so that memory follows the size
// and nobody waits for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace mainstay {

class vector_index {
public:
  using vector_id = std::uint32_t;
  struct match {
    vector_id id = 0;
    double score = 0;
  };

  /// `whole_up_to`: members of a group that is compared whole.
  explicit vector_index(std::size_t dimensions, std::size_t whole_up_to = 1000);
  ~vector_index();
  vector_index(const vector_index&) = delete;
  vector_index& operator=(const vector_index&) = delete;

  std::size_t dimensions() const noexcept;
  /// Of that many dimensions, of any length but zero. The id must be free.
  void add(vector_id, std::uint64_t group, std::span<const float>);
  void remove(vector_id);
  /// With at least that cosine, the best first.
  std::vector<match> find(std::uint64_t group, std::span<const float>, double threshold, std::size_t most) const;
  std::size_t size() const noexcept;
  /// Places for vectors that memory is taken for, those of no vector included.
  std::size_t capacity() const noexcept;

private:
  struct body;
  std::unique_ptr<body> body_;
};

/// False: it has no direction (empty, zero, or not finite).
bool is_direction(std::span<const float>) noexcept;

} // namespace mainstay
