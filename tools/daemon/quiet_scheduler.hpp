// CAF's work-stealing scheduler without one habit: whenever an actor ends, it wakes the clock's thread to forget that
// actor's timeouts. Here a request is an actor, and its timers are the loop's (actors/turn.hpp), so that would be a
// thread woken for nothing on every request: a tenth of its CPU. A timeout that an ended actor left behind comes due
// unheard, and keeps the actor's shell until then.
#pragma once

#include <caf/all.hpp>
#include <caf/policy/work_stealing.hpp>
#include <caf/scheduler/coordinator.hpp>

namespace mainstay {

class quiet_scheduler : public caf::scheduler::coordinator<caf::policy::work_stealing> {
  using base = caf::scheduler::coordinator<caf::policy::work_stealing>;
  using caf_clock = caf::detail::thread_safe_actor_clock;

  class quiet_clock : public caf_clock {
  public:
    explicit quiet_clock(caf_clock& real) : real_(real) {}
    void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type, uint64_t id) override {
      real_.set_ordinary_timeout(t, self, type, id);
    }
    void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override {
      real_.set_request_timeout(t, self, id);
    }
    void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type, uint64_t id) override {
      real_.set_multi_timeout(t, self, type, id);
    }
    void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override {
      real_.cancel_ordinary_timeout(self, type);
    }
    void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override {
      real_.cancel_request_timeout(self, id);
    }
    void cancel_timeouts(caf::abstract_actor*) override {}
    void schedule_message(time_point t, caf::strong_actor_ptr to, caf::mailbox_element_ptr what) override {
      real_.schedule_message(t, std::move(to), std::move(what));
    }
    void schedule_message(time_point t, caf::group to, caf::strong_actor_ptr from, caf::message what) override {
      real_.schedule_message(t, std::move(to), std::move(from), std::move(what));
    }
    void cancel_all() override { real_.cancel_all(); }

  private:
    caf_clock& real_;
  };

public:
  explicit quiet_scheduler(caf::actor_system& sys) : base(sys) {}
  caf_clock& clock() noexcept override { return quiet_; }
  static caf::actor_system::module* make(caf::actor_system& sys, caf::detail::type_list<>) {
    return new quiet_scheduler(sys);
  }

private:
  quiet_clock quiet_{base::clock()};
};

} // namespace mainstay
