// What the generator and a door say to each other about one request: the door sends it and takes its answer in; the
// generator decides when, and counts.
#pragma once

#include "core/clock.hpp"
#include "tools/load/answer.hpp"

#include <cstdint>
#include <list>

namespace mainstay::load {

enum class door_kind : std::uint8_t { http, zmq };

/// A request under way.
struct flight {
  std::uint64_t id = 0;     // never used twice in a run
  std::uint64_t number = 0; // of the question
  door_kind door = door_kind::http;
  bool streamed = false;
  instant intended, sent; // when it was due, when it was handed to its door
  instant first_token, last_token;
  answer got;
  void* carrier = nullptr; // the door's own
  std::list<flight>::iterator place;
};

class door_owner {
public:
  virtual void tokens_came(flight&, std::size_t events, instant now) = 0;
  /// The door no longer knows the flight. fault::none: the answer came to its end and is to be judged.
  virtual void finished(flight&, fault, instant now) = 0;
  /// An answer, or a part of one, that nobody waits for.
  virtual void surplus() = 0;

protected:
  ~door_owner() = default;
};

class door {
public:
  virtual ~door() = default;
  /// Never calls back before it returns, unless the request cannot even be sent.
  virtual void send(flight&) = 0;
  /// Its time is over: whatever still comes of it is thrown away.
  virtual void abandon(flight&) = 0;
  /// Before every wait of the loop, outside all watchers. True: something came in, and more may be there.
  virtual bool before_wait() = 0;
};

} // namespace mainstay::load
