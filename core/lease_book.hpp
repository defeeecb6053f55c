// Who holds and who waits for what, by the request that owns it, and when a forgotten reservation is swept.
// Promise: each lease and each waiter is handed out for ending once.
#pragma once

#include "core/waiting_room.hpp"

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace mainstay {

struct key_lease {
  lease_id id;
  std::uint32_t target = 0;
  std::shared_ptr<key_entry> key;
  std::shared_ptr<meter_gate> meter;
  std::shared_ptr<provider_gate> provider;
  learned_gate* learned; // the key's
  meter_tickets tickets;
  learned_tickets taught;
  std::uint64_t hour_ticket;
  instant granted;
  duration gap; // since the grant before, of that key and model
  instant expires{};
  std::shared_ptr<model_gate> returning{}; // which it takes room of, if any
  bool sent = false;
  std::unique_ptr<shared_tickets> call{}; // of its key, in a cluster
};

struct client_lease {
  lease_id id;
  std::shared_ptr<client_entry> client;
  meter_tickets tickets;
  address_meters::taken address;
  instant expires{};
  client_admission answer;
};

class lease_book {
public:
  struct owner {
    std::vector<key_lease> leases;
    std::vector<client_lease> admissions;
    std::vector<std::unique_ptr<waiter>> waiting;
  };

  key_lease* find_lease(lease_id);
  client_lease* find_admission(lease_id);
  waiter* find_waiter(lease_id);

  key_lease& add(key_lease);
  client_lease& add(client_lease);
  waiter& add(std::unique_ptr<waiter>);

  void keep(lease_id, instant expires);
  std::optional<key_lease> take_lease(lease_id);
  std::optional<client_lease> take_admission(lease_id);
  std::unique_ptr<waiter> take_waiter(lease_id);
  owner take_owner(request_id, serial_range);

  /// One whose time is over; none if there is none. It is still in the book: the caller takes it.
  std::optional<lease_id> expired(instant now);
  instant next_expiry();

  /// Every waiter, first come first.
  std::vector<waiter*> waiters() const;
  std::size_t leases() const noexcept { return leases_; }
  bool empty() const noexcept { return owners_.empty(); }

private:
  struct expiry {
    instant at;
    lease_id id;
    friend bool operator>(const expiry& a, const expiry& b) noexcept { return a.at > b.at; }
  };
  void watch(instant at, lease_id);
  bool is_current(const expiry&);
  template <class T>
  std::optional<T> take(lease_id, std::vector<T> owner::*);
  std::unordered_map<request_id, owner> owners_;
  std::vector<expiry> expiries_; // a heap; an ended lease leaves its entry until that comes up or the heap is cleaned
  std::size_t leases_ = 0;
};

} // namespace mainstay
