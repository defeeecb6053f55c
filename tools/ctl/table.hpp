// Draws the console's JSON for people: scalars as lines, arrays of objects as tables, words of state in colour on a
// terminal.
#pragma once

#include <ostream>
#include <string>

namespace mainstay::ctl {

/// `json` is an object; anything else is printed as it is.
void draw(std::ostream&, const std::string& json, bool colours);

} // namespace mainstay::ctl
