#include "actors/turn.hpp"

namespace mainstay {

namespace {

constexpr int jobs_a_pass = 256;     // then the loop's other followers get theirs
constexpr std::size_t messages = 64; // of one actor before others get their turn

thread_local turn* current = nullptr;

} // namespace

turn::turn(caf::actor_system& sys, std::shared_ptr<event_loop> loop)
  : caf::execution_unit(&sys), loop_(std::move(loop)) {
  loop_->run([this] {
    current = this;
    loop_->follow(*this);
  });
}

turn::~turn() {
  loop_->run([this] {
    loop_->unfollow(*this);
    ending_ = true;
    std::exchange(later_, {}).clear(); // what is dropped may want to come again
    current = nullptr;
    for (auto* job : jobs_) caf::intrusive_ptr_release(job);
    caf::logger::set_current_actor_system(nullptr); // the system waits for whoever has its logger
  });
}

turn* turn::here() noexcept { return current; }

void turn::exec_later(caf::resumable* job) {
  if (loop_->on_thread())
    jobs_.push_back(job);
  else if (!loop_->post([this, job] { jobs_.push_back(job); }))
    system().scheduler().enqueue(job); // the loop has stopped
}

void turn::later(instant when, event_loop::task what) {
  if (!loop_->on_thread()) {
    loop_->post([this, when, what = std::move(what)]() mutable { later(when, std::move(what)); });
  } else if (!ending_) {
    later_.emplace(when, std::move(what));
  }
}

bool turn::run_due() {
  if (later_.empty() || later_.begin()->first > clock::now()) return false;
  auto what = std::move(later_.begin()->second);
  later_.erase(later_.begin());
  what();
  return true;
}

bool turn::work() {
  bool worked = !jobs_.empty();
  while (run_due()) worked = true;
  for (int i = 0; i < jobs_a_pass && !jobs_.empty(); ++i) {
    auto* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(this, messages)) {
    case caf::resumable::resume_later: jobs_.push_back(job); break;
    case caf::resumable::awaiting_message:
    case caf::resumable::done:
    case caf::resumable::shutdown_execution_unit: caf::intrusive_ptr_release(job); break;
    }
  }
  return worked;
}

} // namespace mainstay
