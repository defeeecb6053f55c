// The run of one request: reads it, asks cache, governor, breaker and upstream in turn, carries out what the plan says
// next, answers the caller, and reports once. Everything needed to go on without it stands in the run_record; it may
// die at any time.
#pragma once

#include "actors/run_record.hpp"

namespace mainstay {

/// `names` are the stable names of this request's configuration; `where`: whose turn its first step is (null: CAF's).
run_actor spawn_request_run(caf::actor_system&, caf::execution_unit* where, run_record_ptr, directory_ptr names);

} // namespace mainstay
