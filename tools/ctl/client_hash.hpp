// `clients hash`: what the configuration keeps of a client's key, made here, with no node asked. The key is read from
// the standard input, never from the command line, which others on the machine can see.
#pragma once

#include <string>
#include <vector>

namespace mainstay::ctl {

bool is_client_hash(const std::vector<std::string>& words);
/// The exit code. `--new` makes a key, and shows both.
int client_hash(const std::vector<std::string>& words, bool json);

} // namespace mainstay::ctl
