// What the configuration's privacy rules do to a request on its way in, and to its answer on the way back. First of
// all: of a body that was not shown to screen() no record is made.
#pragma once

#include "actors/run_record.hpp"
#include "net/redaction/redactor.hpp"

namespace mainstay {

/// By that client's rules, in whatever dialect it is written: before it is read, or made another one.
screened_request screen(const config::settings&, const config::client_settings*, bytes_ptr body);

/// What of it the record has to know.
void take_screened(run_record&, screened_request);

/// The caller's way as the run is to see it: what stands behind placeholders is put back, and what may not go out ends
/// there. The same one if there is nothing to do.
std::shared_ptr<reply_channel> screened(const run_record_ptr&, const directory&, std::shared_ptr<reply_channel> caller);

/// The same, of a kept answer that somebody collects.
std::shared_ptr<reply_channel> screened(const privacy_rules_ptr&, const placeholders_ptr&, const metrics_actor&,
                                        std::shared_ptr<reply_channel> caller);

} // namespace mainstay
