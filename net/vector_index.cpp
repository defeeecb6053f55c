#include "net/vector_index.hpp"

// The library's prefetching reads one neighbour beyond the end of a list: within what malloc gives, but the sanitizer
// is right to object.
#ifdef __SANITIZE_ADDRESS__
#define NO_MANUAL_VECTORIZATION
#endif
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace mainstay {

namespace {

// As hnswlib's documentation advises for recall: links a node, candidates while building and while searching.
constexpr std::size_t links = 16, while_building = 100, while_searching = 64;
constexpr std::size_t first_capacity = 2048;
constexpr std::size_t sparse = 4;          // places for each vector: too many
constexpr std::size_t moved_at_a_time = 4; // to a smaller graph, with each change

using graph = hnswlib::HierarchicalNSW<float>;

std::vector<float> of_unit_length(std::span<const float> v) {
  double square = 0;
  for (auto x : v) square += static_cast<double>(x) * x;
  const auto scale = static_cast<float>(1 / std::sqrt(square));
  std::vector<float> out(v.begin(), v.end());
  for (auto& x : out) x *= scale;
  return out;
}

} // namespace

struct vector_index::body {
  body(std::size_t dimensions, std::size_t whole) : space(dimensions), dimensions(dimensions), whole_up_to(whole) {}

  // The members have numbers from 0 on, used again; a whole group's vectors stand one after the other in this order.
  struct group {
    std::vector<vector_id> members;
    std::vector<bool> present;
    std::vector<std::size_t> free;
    std::vector<float> vectors;   // of a group that is compared whole
    std::unique_ptr<graph> links; // of a large one
    std::unique_ptr<graph> next;  // the smaller one that takes its place; below `moved` all are there already
    std::size_t moved = 0;

    std::size_t size() const noexcept { return members.size() - free.size(); }
    /// Where that number's vector is, or goes.
    graph& of(std::size_t number) { return next && number < moved ? *next : *links; }
  };
  struct place {
    std::uint64_t group = 0;
    std::size_t number = 0;
  };

  double cosine(const float* a, const float* b) {
    return 1.0 - static_cast<double>(space.get_dist_func()(a, b, space.get_dist_func_param()));
  }

  std::unique_ptr<graph> make_graph(std::size_t members) {
    auto made = std::make_unique<graph>(&space, std::max(first_capacity, 2 * members), links, while_building);
    made->setEf(while_searching);
    return made;
  }

  static void put(graph& in, const float* unit, std::size_t number) {
    if (in.cur_element_count >= in.max_elements_) in.resizeIndex(2 * in.max_elements_);
    in.addPoint(unit, number); // of a number used before: in its place
  }

  /// A step on the way to a smaller graph, where one is due.
  void shrink(group& g) {
    if (!g.links) return;
    if (!g.next) {
      const auto places = g.links->max_elements_;
      if (places <= first_capacity || places < sparse * g.size()) return;
      g.next = make_graph(g.size());
      g.moved = 0;
    }
    for (std::size_t n = 0; n < moved_at_a_time && g.moved < g.members.size(); ++g.moved) {
      if (!g.present[g.moved]) continue;
      put(*g.next, g.links->getDataByLabel<float>(g.moved).data(), g.moved);
      g.links->markDelete(g.moved);
      ++n;
    }
    if (g.moved == g.members.size()) g.links = std::move(g.next);
  }

  void grow_links(group& g) {
    auto made = make_graph(g.members.size());
    for (std::size_t i = 0; i < g.members.size(); ++i)
      if (g.present[i]) made->addPoint(&g.vectors[i * dimensions], i);
    std::vector<float>().swap(g.vectors);
    g.links = std::move(made);
  }

  hnswlib::InnerProductSpace space;
  std::size_t dimensions, whole_up_to;
  std::unordered_map<std::uint64_t, group> groups;
  std::unordered_map<vector_id, place> places;
};

vector_index::vector_index(std::size_t dimensions, std::size_t whole_up_to)
  : body_(std::make_unique<body>(dimensions, whole_up_to)) {}
vector_index::~vector_index() = default;

std::size_t vector_index::dimensions() const noexcept { return body_->dimensions; }
std::size_t vector_index::size() const noexcept { return body_->places.size(); }

std::size_t vector_index::capacity() const noexcept {
  std::size_t all = 0;
  for (const auto& [name, g] : body_->groups) {
    all += g.vectors.capacity() / std::max<std::size_t>(1, body_->dimensions);
    for (const auto* in : {g.links.get(), g.next.get()}) all += in ? in->max_elements_ : 0;
  }
  return all;
}

void vector_index::add(vector_id id, std::uint64_t group, std::span<const float> v) {
  auto& b = *body_;
  auto& g = b.groups[group];
  const auto unit = of_unit_length(v);
  if (g.free.empty()) {
    g.free.push_back(g.members.size());
    g.members.emplace_back();
    g.present.push_back(false);
    if (!g.links) g.vectors.resize(g.members.size() * b.dimensions);
  }
  const auto number = g.free.back();
  g.free.pop_back();
  g.members[number] = id;
  b.places[id] = {group, number};
  if (!g.links)
    std::copy(unit.begin(), unit.end(), g.vectors.begin() + static_cast<std::ptrdiff_t>(number * b.dimensions));
  g.present[number] = true;
  if (g.links) {
    body::put(g.of(number), unit.data(), number);
    b.shrink(g);
  } else if (g.members.size() > b.whole_up_to) {
    b.grow_links(g);
  }
}

void vector_index::remove(vector_id id) {
  auto& b = *body_;
  const auto at = b.places.find(id);
  if (at == b.places.end()) return;
  const auto group = b.groups.find(at->second.group);
  auto& g = group->second;
  const auto number = at->second.number;
  b.places.erase(at);
  g.present[number] = false;
  g.free.push_back(number);
  if (g.size() == 0) {
    b.groups.erase(group);
  } else if (g.links) {
    g.of(number).markDelete(number);
    b.shrink(g);
  }
}

std::vector<vector_index::match> vector_index::find(std::uint64_t group, std::span<const float> v, double threshold,
                                                    std::size_t most) const {
  auto& b = *body_;
  std::vector<match> out;
  const auto known = b.groups.find(group);
  if (known == b.groups.end() || v.size() != b.dimensions || !is_direction(v)) return out;
  auto& g = known->second;
  const auto unit = of_unit_length(v);
  if (g.links) {
    for (const auto* in : {g.links.get(), g.next.get()}) {
      if (!in || in->cur_element_count == 0) continue;
      for (auto found = in->searchKnn(unit.data(), most); !found.empty(); found.pop())
        out.push_back({g.members[found.top().second], 1.0 - static_cast<double>(found.top().first)});
    }
  } else {
    for (std::size_t i = 0; i < g.members.size(); ++i)
      if (g.present[i]) out.push_back({g.members[i], b.cosine(unit.data(), &g.vectors[i * b.dimensions])});
  }
  std::erase_if(out, [&](const match& m) { return m.score < threshold; });
  std::sort(out.begin(), out.end(), [](auto& x, auto& y) { return x.score > y.score; });
  if (out.size() > most) out.resize(most);
  return out;
}

bool is_direction(std::span<const float> v) noexcept {
  return std::all_of(v.begin(), v.end(), [](float x) { return std::isfinite(x); }) &&
         std::any_of(v.begin(), v.end(), [](float x) { return std::fabs(x) > 1e-12f; });
}

} // namespace mainstay
