// The ways to one provider (an endpoint, perhaps through a proxy) and which of them the next call takes: the nearest
// healthy one. Every way has a circuit, as a provider with a single one has always had, and beside it a rest that only
// makes it the last choice. Promises: a call for a region takes no way outside it; a way that failed is avoided at once
// while another is well, looked at again by one call at a time when its rest is over, and used all the same when nobody
// is well; whoever is well gets calls by weight among those that are about as near. Pure: time and draws are passed in.
#pragma once

#include "core/circuit.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

struct way_settings {
  std::string name; // for logs, the console and metrics; unique among its provider's, and without secrets
  std::string host; // host and port of the endpoint: who shares it shares the cap per host
  std::string region;
  double weight = 1;
};

enum class way_state : std::uint8_t { healthy = 0, resting = 1, open = 2 }; // the metric's numbers
std::string_view to_string(way_state) noexcept;

class endpoint_choice {
  struct way;

public:
  /// One way without a name, until it is told of others.
  explicit endpoint_choice(circuit_settings = {});
  /// Ways that stay, by name, keep what is known of them. No `ways`: those it has.
  void reconfigure(circuit_settings, std::vector<way_settings> ways, std::uint32_t per_host);

  struct wish {
    std::string region;              // the way has to stand there; empty: anywhere
    std::vector<std::string> not_by; // these have just failed this request: a healthy other one, or none
    bool streamed = false;           // what the first byte is compared with: plain answers send it when they are whole
  };
  struct permit {
    std::shared_ptr<way> by; // null: refused
    instant retry_at{};      // when refused: see circuit::ask; instant::max() where there is no way in the region
    std::uint32_t generation = 0, epoch = 0;
    bool streamed = false;
    bool trial = false;     // it looks whether the way is well again
    bool other_way = false; // another healthy one is left
  };
  permit ask(const wish&, instant now, double draw);
  /// Its name where there are several; the only one needs none.
  std::string name_of(const permit&) const;

  /// How a call by that way ended. `refused`: for the caller's or the key's sake. `failing`, `silent`: the endpoint
  /// took the call, but gave no answer, or none in time.
  struct outcome {
    enum class kind : std::uint8_t { answered, refused, failing, silent, unreachable, neutral } what = kind::neutral;
    std::optional<duration> first_byte; // of an answer: since the call began
  };
  void settle(const permit&, const outcome&, instant now, double draw);

  /// It, or with no name all of them, gave a free answer, or is worth a try; or cannot be reached. See circuit.
  void let_try(std::string_view name, instant now);
  void still_down(std::string_view name, instant now, double draw);
  /// `from` found it open, or closed again. False: there is no way of that name.
  bool advise(std::string_view name, const std::string& from, instant until, instant now);
  bool advice_over(std::string_view name, instant now);
  instant advice_ends(instant now) const; // the first that does: see circuit
  void force(circuit_state, instant now);
  void automatic(instant now);

  /// All of them seen as one circuit: as good as the best of them.
  struct summary {
    circuit_state state;
    bool forced;
    int consecutive_failures;
    std::uint32_t times_opened;
    instant open_until;
    std::string told_by; // open or half-open only because this peer says so
  };
  summary sum(instant now) const;

  struct view {
    std::string name, region;
    double weight = 1;
    way_state state{};
    std::optional<duration> plain, streamed; // mean time to the first byte
    std::uint32_t under_way = 0;
    std::uint64_t calls = 0, failures = 0; // failures: to reach it
    instant rests_until{};
    std::string told_by; // likewise
  };
  std::vector<view> views(instant now) const;
  /// Those whose state is another than when last asked; of a single way, whose circuit is announced as such, nothing.
  std::vector<view> take_changes(instant now);

private:
  struct nearness { // of first bytes, exponentially weighted
    double mean_s = 0;
    bool known = false;
    instant at{};
    std::uint32_t passed_over = 0; // for nearer ones since then
    void learn(duration first_byte, instant now);
  };
  struct way {
    way_settings with;
    circuit reached;
    std::uint32_t under_way = 0;
    std::uint32_t trials = 0; // of those
    std::uint32_t epoch = 0;  // goes up with each strike: what began before says nothing of now
    int strikes = 0;          // since it was last well
    int errors = 0;           // failing answers in a row
    instant rests_until = instant::min();
    std::array<nearness, 2> near{}; // of plain answers, of streams
    std::uint64_t calls = 0, failures = 0;
    way_state told = way_state::healthy;
    std::string told_by; // the last who advised
  };
  using way_ptr = std::shared_ptr<way>;

  bool alone() const noexcept { return ways_.size() == 1; }
  static bool well(const way&, instant now);
  static way_state state_of(const way&, instant now);
  static view look(const way&, instant now);
  static std::string told_by(const way&, instant now);
  bool has_room(const way&) const;
  static way_ptr nearer(const way_ptr& drawn, const way_ptr& other, bool streamed, instant now);
  static std::size_t draw_by_weight(const std::vector<way_ptr>&, double& draw);
  way_ptr pick(std::vector<way_ptr>& among, const wish&, instant now, double& draw) const;
  bool take(const way_ptr&, const wish&, instant now, permit&);
  permit from_several(const wish&, instant now, double draw);
  void strike(way&, instant now, double draw) const;
  template <class What>
  bool each(std::string_view name, What what);

  circuit_settings settings_;
  std::uint32_t per_host_ = UINT32_MAX;
  std::vector<way_ptr> ways_; // in the order of the configuration
};

} // namespace mainstay
