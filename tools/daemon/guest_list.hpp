// The connections of one door of CAF's, or of one who dials: who has shown who it is, and who is to be shown out. From
// any thread but for streams, which are CAF's multiplexer thread's. Promises: at most `most`; when places are used up
// the oldest stranger makes room, and nobody who is known ever does.
#pragma once

#include "net/basp_gate.hpp"
#include "net/tls_stream.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace mainstay {

/// One connection. All but its end is the multiplexer thread's.
struct guest {
  explicit guest(int socket) : fd(socket) {}
  const int fd;
  std::optional<tls_stream> stream; // none: in the clear
  std::uint64_t number = 0;
  bool known = false;   // has shown a certificate that lets it in, or said something where none is asked for
  bool leaving = false; // shown out; CAF will notice
};

class guest_list : public std::enable_shared_from_this<guest_list> {
public:
  /// A guest's place on the list, which ends with it.
  class seat {
  public:
    seat(std::shared_ptr<guest_list> list, std::list<guest>::iterator at) : list_(std::move(list)), at_(at) {}
    seat(seat&&) noexcept = default;
    seat& operator=(seat&&) = delete;
    ~seat() {
      if (list_) list_->remove(at_);
    }
    guest* operator->() const noexcept { return &*at_; }
    guest_list& list() const noexcept { return *list_; }
    /// Who it is was shown. False: nobody who is let in any more.
    bool know() const { return list_->know(at_); }

  private:
    std::shared_ptr<guest_list> list_;
    std::list<guest>::iterator at_;
  };

  /// `context`: null: in the clear.
  guest_list(std::shared_ptr<const tls_context> context, std::size_t most, basp_gate gate)
    : gate(gate), context_(std::move(context)), most_(most) {}

  const basp_gate gate;

  /// A connection to us. Throws std::bad_alloc.
  seat add(int fd);
  /// One that was made by us, and may have spoken already.
  seat add(int fd, std::optional<tls_stream>);
  std::uint64_t newest();
  /// Whether one more may come in; if that takes it, the oldest stranger is shown out.
  bool has_room();
  /// Of a handshake.
  void time_is_up(std::uint64_t number);
  /// Whoever that is, if it is still there.
  void show_out(std::uint64_t number);
  std::shared_ptr<const tls_context> context();
  /// For connections to come; those of whom it does not let in are ended, handshakes under way when they are over.
  void use(std::shared_ptr<const tls_context>);
  /// For good.
  void close();

private:
  using place = std::list<guest>::iterator;
  void remove(place);
  bool know(place);
  bool is_welcome(const guest&) const;
  static void show_out(guest&);

  std::shared_ptr<const tls_context> context_;
  const std::size_t most_;
  std::mutex mutex_;
  std::list<guest> all_;
  std::uint64_t numbers_ = 0;
  bool closed_ = false;
};

} // namespace mainstay
