#include "actors/entrance.hpp"

namespace mainstay {

namespace {

/// Whether that message may pass, which came from `who`. May change it.
using judge = bool (*)(caf::mailbox_element& what, const caf::node_id& who);

bool is_of_peers(caf::mailbox_element& what, const caf::node_id& who) {
  auto& content = what.content();
  if (!content.match_elements<peer_message, caf::strong_actor_ptr>()) return false;
  const auto& from = content.get_as<caf::strong_actor_ptr>(1);
  what.mid = caf::make_message_id(); // no question, which would be answered
  return from && from->node() == who;
}

bool is_of_consoles(caf::mailbox_element& what, const caf::node_id&) {
  if (!what.mid.is_request() || !what.content().match_elements<console_ask>()) return false;
  what.mid = what.mid.with_category(caf::message_id::normal_message_category); // another is for streams
  return true;
}

class entrance final : public caf::monitorable_actor {
public:
  entrance(caf::actor_config& config, caf::strong_actor_ptr behind, judge may_pass)
    : monitorable_actor(config), behind_(std::move(behind)), may_pass_(may_pass) {}

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) override {
    const auto sender = what->sender;
    if (!sender || sender->node() == node() || !what->stages.empty()) return; // whoever says so is none of us
    if (may_pass_(*what, sender->node()))
      behind_->enqueue(std::move(what), unit);
    else
      bounce(what, caf::sec::unexpected_message);
  }

  void add_link(caf::abstract_actor*) override {}
  void remove_link(caf::abstract_actor*) override {}
  bool add_backlink(caf::abstract_actor*) override { return false; }
  bool remove_backlink(caf::abstract_actor*) override { return false; }

private:
  const caf::strong_actor_ptr behind_;
  const judge may_pass_;
};

template <class Handle>
Handle make(const caf::strong_actor_ptr& behind, judge may_pass) {
  auto& sys = caf::actor_cast<caf::abstract_actor*>(behind)->home_system();
  caf::actor_config config{nullptr};
  return caf::actor_cast<Handle>(
      caf::make_actor<entrance, caf::actor>(sys.next_actor_id(), sys.node(), &sys, config, behind, may_pass));
}

} // namespace

peer_actor entrance_of(const cluster_actor& behind) {
  return make<peer_actor>(caf::actor_cast<caf::strong_actor_ptr>(behind), is_of_peers);
}

console_actor entrance_of(const admin_actor& behind) {
  return make<console_actor>(caf::actor_cast<caf::strong_actor_ptr>(behind), is_of_consoles);
}

} // namespace mainstay
