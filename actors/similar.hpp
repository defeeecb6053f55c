// Answers to similar questions. Reading a question and finding its like may take milliseconds of computing, so this
// actor has a thread of its own and nobody's answer waits for what it takes in: that comes through a bounded queue,
// where what finds no room is dropped and counted. The store outlives the actor; an index that an actor died over is
// begun anew. Policy: core/lexical_answers, net/embedded_answers. Where a model
// embeds the questions, it is asked by actors/embedding_call: look-ups wait for it as long as the configuration says,
// answers are embedded two at a time, and only while it has nothing better to do.
#pragma once

#include "actors/actors.hpp"
#include "core/lexical_answers.hpp"
#include "net/embedded_answers.hpp"

#include <deque>
#include <mutex>

namespace mainstay {

/// Answers that wait to be taken in. From any thread.
class similar_writes {
public:
  struct one {
    bytes_ptr request, completion;
    std::string scope;
  };
  /// True: somebody has to be told that something waits.
  bool add(one);
  std::optional<one> take();
  void clear();
  std::uint64_t dropped() const;

private:
  mutable std::mutex guard_;
  std::deque<one> waiting_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

struct similar_store {
  similar_writes writes;
  bool enabled = false, always = false;
  double threshold = 0.6;
  question_book::settings bounds;
  std::optional<config::cache_settings::similar_answers::embedding_model> model;
  std::unique_ptr<lexical_answers> by_words; // null: none yet, or not by these means
  std::unique_ptr<embedded_answers> by_vectors;
  bool at_work = false; // on the above; still so when the next actor comes: their state is unknown
  bool trouble = false; // providers fail
  std::uint64_t hits = 0, misses = 0, unfit = 0, embedded = 0, not_embedded = 0;

  /// While providers fail, a twentieth lower.
  double threshold_now() const noexcept { return trouble ? threshold * 0.95 : threshold; }
};

caf::strong_actor_ptr spawn_similar(caf::actor_system&, std::shared_ptr<similar_store>, const config::settings_ptr&,
                                    const directory_ptr& names);

} // namespace mainstay
