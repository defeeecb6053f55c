// Links to peers, dialled for CAF's middleman: each address, which is one of IP, by a thread of its own, so that one
// that answers nothing holds up nobody else. Promises: a dial takes a second at most, handshake included, and less when
// everything ends; what is dropped is closed at once, unless it is still being dialled: that may still become a link;
// a peer whose certificate is not let in, or who does not let ours in, is told of as one who refuses; over a link
// nobody is reached but the actor that asked for it.
#pragma once

#include "actors/cluster.hpp"
#include "tools/daemon/guest_list.hpp"

#include <caf/io/middleman_actor.hpp>

#include <map>
#include <memory>
#include <mutex>

namespace mainstay {

class dialled_links final : public peer_links {
public:
  /// `tls`: null: in the clear.
  dialled_links(caf::actor_system&, std::shared_ptr<const tls_context> tls);
  ~dialled_links() override;

  void dial(const std::string& address, const cluster_actor& whom) override;
  void drop(const std::string& address) override;
  /// For dials to come. Links to peers whose certificates have no name that it lets in are ended.
  void use_tls(std::shared_ptr<const tls_context>);
  /// No more dials; the diallers end.
  void close();

  class book; // of what is dialled, by address

private:
  caf::actor_system& system_;
  std::shared_ptr<const tls_context> tls_;
  std::mutex mutex_;
  std::shared_ptr<book> book_; // null: nothing was dialled yet
  bool closed_ = false;
  std::map<std::string, caf::io::middleman_actor> diallers_;
};

} // namespace mainstay
