// The way back of a flight: of one run whose answer is given to many callers. Keeps what came so far and hands it to
// each caller from the beginning, at the caller's own pace and under its own labels; the bytes are shared. Promises:
// everybody gets every piece once, also under another run; the fastest reader says how much the provider may send, and
// a slow one holds up nobody; what is kept stays within a bound: beyond it nobody may join any more, and the slowest
// reader says how much may come. Whoever leaves gets nothing from then on. The leader's client, or the next one's that
// is still there, is charged, once. May be used from any thread. Who may board, and when all have left: actors/flights.
#pragma once

#include "actors/actors.hpp"
#include "core/final_answer.hpp"
#include "core/flight_book.hpp"

#include <deque>
#include <mutex>

namespace mainstay {

class flight_channel final : public reply_channel, public std::enable_shared_from_this<flight_channel> {
public:
  flight_channel(governor_actor, const flight_book::terms&);
  ~flight_channel() override;

  // -- the callers' runs

  struct passenger {
    request_id who = 0;
    std::string id; // x-request-id
    instant received{};
    header_list limits;                 // its client's, for its labels
    bool admitted = false;              // there is an admission to be settled
    std::shared_ptr<reply_channel> way; // a door's: tells how far it has read later, never while it is given more
    caf::actor_addr run;                // hears flight_ended
  };
  enum class state : std::uint8_t { flying, ended, failed, too_late };
  /// How far a caller is, and what there is to know about its flight.
  struct progress {
    state now = state::flying;
    bool head_sent = false;
    bool pays = false;                           // the flight settles with its client
    std::string source, provider, model, reason; // as its labels say: who answered, and why it is a degraded answer
  };
  /// Takes the caller along. Once more: its run is another now. too_late: the beginning is not kept any more.
  progress board(passenger);
  progress look(request_id who) const;
  /// It gets nothing any more.
  progress leave(request_id who);

  struct failure_told {
    final_answer answer;
    failure_class why = failure_class::server_error;
    std::uint64_t tokens = 0; // to be settled with this one's client
  };
  failure_told failure_of(request_id who) const;

  /// Of the attempts so far.
  struct story {
    request_id flight = 0; // its run's number; 0: it has not begun
    std::string text;
    int attempts = 0;
    duration provider_time{};
  };
  story so_far() const;

  // -- who seats them

  /// Whoever boards now gets all of it.
  bool open() const;
  void live_by(const flight_book::terms&);

  // -- the flight's own run, and the dispatcher

  void flown_by(caf::actor_addr run); // hears flight_terms
  flight_book::terms terms() const;
  void tell_story(story);
  void fail(const final_answer&, failure_class why, std::uint64_t tokens);
  /// What the flight cost.
  void pay(std::uint64_t tokens);

  void reply(int status, header_list headers, bytes_ptr body) override;
  void stream_head(header_list headers) override;
  void stream_event(bytes_ptr json) override;
  void stream_comment(std::string text) override;
  void stream_end(bytes_ptr usage_json, header_list trailers) override;
  void stream_error(int status, bytes_ptr error_json, header_list trailers) override;
  void observe_progress(std::size_t step, std::function<void(std::size_t)> written) override;

private:
  struct rider {
    passenger is;
    state now = state::flying;
    bool head_sent = false;
    std::uint64_t next = 0; // piece
    std::size_t sent = 0, read = 0;
  };
  struct piece {
    bytes_ptr event; // null: a comment
    std::string comment;
    std::size_t size() const noexcept { return event ? event->size() : comment.size(); }
  };
  enum class ending : std::uint8_t { none, whole, stream, failed };

  void keep(piece);
  void advance(rider&);
  void give_end(rider&);
  void end_as(ending, header_list labels, bytes_ptr body);
  void fail_all(failure_told);
  void trim();
  void on_read(request_id who, std::size_t bytes);
  void report_progress();
  header_list own(const header_list& of_flight, const rider&) const;
  void choose_payer();
  progress seen(const rider&) const;

  const governor_actor governor_;
  mutable std::mutex guard_;           // of all below; never held while anybody runs who may call us
  std::map<request_id, rider> riders_; // the first one pays
  std::optional<request_id> payer_;    // known when all have left, or at the end
  bool payer_left_ = false, paid_ = false;
  flight_book::terms terms_;
  caf::actor_addr run_;
  story story_;
  std::optional<header_list> head_;
  std::deque<piece> pieces_;
  std::uint64_t first_ = 0; // number of the first piece that is kept
  std::size_t kept_ = 0;    // bytes
  bool trimmed_ = false;
  ending end_ = ending::none;
  int status_ = 200;
  header_list last_labels_;
  bytes_ptr last_body_; // the whole answer, or the usage
  failure_told failure_;
  std::function<void(std::size_t)> written_;
  std::size_t furthest_ = 0, reported_ = 0; // bytes
};

} // namespace mainstay
