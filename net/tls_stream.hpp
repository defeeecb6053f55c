// TLS on accepted sockets, and on those between nodes: what a door's connections share (certificate, protocol, tickets,
// who may come in), and the one stream of each. TLS 1.2 and 1.3, forward secrecy only, ALPN http/1.1, no renegotiation,
// no compression, no early data; sessions are resumed by tickets, which a new context does not know. Promises: reads
// and writes never block nor raise a signal, and answer as recv and sendmsg do; the handshake is part of the first
// reads; an idle stream holds no buffers. Time limits are its owner's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <sys/types.h>
#include <sys/uio.h>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace mainstay {

class tls_context {
public:
  /// PEM: a certificate with what leads to its issuer behind it, and its key. Throws std::runtime_error.
  tls_context(const std::string& chain, const std::string& key);

  /// Who may come in where certificates are asked for.
  struct guests {
    std::string authority;          // PEM: who issued theirs
    std::vector<std::string> names; // one of which is the subject's common name or a DNS name; empty: all of them
  };
  /// Mutual, without tickets: every connection shows its certificate.
  tls_context(const std::string& chain, const std::string& key, guests);

private:
  friend class tls_stream;
  struct deleter {
    void operator()(ssl_ctx_st*) const noexcept;
  };
  std::unique_ptr<ssl_ctx_st, deleter> context_;
};

class tls_stream {
public:
  enum class side : bool { accepting, dialling };
  /// On a non-blocking socket that stays its owner's. Who dials needs a mutual context: whoever may come in there is
  /// who may be reached. Throws std::bad_alloc.
  tls_stream(const tls_context&, int fd, side = side::accepting);

  /// Up to `room` bytes of what was sent; 0: the caller has ended its side, or the connection broke off without a word;
  /// -1 with errno EAGAIN: nothing for now; -1 otherwise: this cannot go on.
  ssize_t read(char* to, std::size_t room) noexcept;
  /// A record's worth of the parts at most. -1 with errno EAGAIN: the socket takes no more now; the same bytes are to
  /// come again, at least as many.
  ssize_t write(const iovec* parts, std::size_t count) noexcept;
  /// Goes on with the handshake; 1: something waits to be read, else as read.
  ssize_t await() noexcept;
  /// Tells the caller that nothing follows, if that is possible now.
  void end() noexcept;

  /// The handshake is over.
  bool is_open() const noexcept;
  /// The certificate that was shown has a name that this one lets in.
  bool is_welcome_to(const tls_context&) const noexcept;
  /// Bytes wait in here, of which the socket will not tell.
  bool has_unread() const noexcept;
  /// Reading goes on when the socket takes bytes: the handshake has something to say.
  bool reading_wants_room() const noexcept { return wants_room_; }
  /// What OpenSSL says of why it cannot go on.
  const char* why() const noexcept { return why_; }
  /// What came instead of a handshake was HTTP in the clear.
  bool met_plain_http() const noexcept { return plain_http_; }

private:
  ssize_t received(int n) noexcept;
  ssize_t fail(int why) noexcept;

  struct deleter {
    void operator()(ssl_st*) const noexcept;
  };
  std::unique_ptr<ssl_st, deleter> stream_;
  bool wants_room_ = false, plain_http_ = false, broken_ = false;
  const char* why_ = "";
};

} // namespace mainstay
