// What travels between processes, and nothing else does: a console's question and its answer, and whatever nodes say to
// each other. Never a secret.
#pragma once

#include <caf/all.hpp>

#include <string>
#include <vector>

namespace mainstay {

/// One command line of the console, split into words.
struct console_ask {
  std::vector<std::string> words;
};
/// `json` is the answer (an object); where !ok it is {"error": "..."}.
struct console_reply {
  bool ok = false;
  std::string json;
};

/// All that nodes say to each other. `head` is a JSON object whose unknown members are ignored, `body` bytes. Nothing
/// secret is ever in one.
struct peer_message {
  std::uint16_t version = 0; // of the sender's protocol
  std::string kind, head, body;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, console_ask& x) {
  return f(caf::meta::type_name("mainstay::console_ask"), x.words);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, console_reply& x) {
  return f(caf::meta::type_name("mainstay::console_reply"), x.ok, x.json);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, peer_message& x) {
  return f(caf::meta::type_name("mainstay::peer_message"), x.version, x.kind, x.head, x.body);
}

} // namespace mainstay

CAF_BEGIN_TYPE_ID_BLOCK(mainstay, first_custom_type_id)
CAF_ADD_TYPE_ID(mainstay, (mainstay::console_ask))
CAF_ADD_TYPE_ID(mainstay, (mainstay::console_reply))
CAF_ADD_TYPE_ID(mainstay, (mainstay::peer_message))
CAF_END_TYPE_ID_BLOCK(mainstay)
