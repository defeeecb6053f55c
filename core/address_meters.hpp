// What each caller address of one client has of it: requests in any 60 s and requests open at once, by address.
// Bounded: an address that nothing counts for any more is forgotten, and where there are too many, the one that came
// last the longest ago. Promises: an address with a request open is not forgotten; none of them exceeds its limits in
// any window as long as it is remembered.
#pragma once

#include "core/key_meter.hpp"

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mainstay {

struct address_limits {
  std::optional<std::uint32_t> rpm, concurrency; // of each address
  bool none() const noexcept { return !rpm && !concurrency; }
  friend bool operator==(const address_limits&, const address_limits&) = default;
};

class address_meters {
public:
  explicit address_meters(std::size_t most = 10'000) : most_(most) {}

  void limit_to(const address_limits&);
  const address_limits& limits() const noexcept { return limits_; }

  struct entry {
    std::string address;
    key_meter meter;
  };
  /// What a request of that address takes one of.
  struct taken {
    std::shared_ptr<entry> of; // null: nothing
    meter_tickets tickets;
  };
  struct refusal {
    const char* limit = nullptr; // null: it is not refused
    instant fits_at{};           // max: when one that is open ends
  };
  refusal refuses(std::string_view address, instant now);
  taken take(std::string_view address, instant now);
  static void give_back(const taken&, bool was_sent, instant now);

  std::size_t size() const noexcept { return by_address_.size(); }

private:
  using place = std::list<std::shared_ptr<entry>>::iterator;
  void sweep(instant now);
  const std::size_t most_;
  address_limits limits_;
  std::list<std::shared_ptr<entry>> latest_;               // the one that came last in front
  std::unordered_map<std::string_view, place> by_address_; // into the entries
};

} // namespace mainstay
