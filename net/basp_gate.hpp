// Who may be reached over one connection of CAF's (BASP 0.17): one actor, and nobody else. CAF itself delivers to every
// actor whose number is written on a message, and makes room for as much as it announces. Promises: what is for others
// is made to be for nobody, which CAF drops, or answers with an error; so is news of deaths, if it comes from `nodes`:
// what is published there outlives its connections, and CAF would believe it of every node; messages that are to be
// passed on to other nodes, or are larger than `largest`, end the connection, and what is no message is short. Knows
// headers only: the bytes are its owner's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mainstay {

class basp_gate {
public:
  enum class of : std::uint8_t { consoles, nodes };
  basp_gate(std::uint64_t receiver, std::size_t largest, of whom)
    : receiver_(receiver), largest_(largest), whom_(whom) {}

  static constexpr std::size_t header_size = 32;
  using header = std::array<unsigned char, header_size>;

  /// May change it. False: the connection is to end.
  bool admit(header&) const noexcept;
  /// What follows the header.
  static std::size_t payload_of(const header&) noexcept;
  /// A message to the one actor.
  bool is_for_us(const header&) const noexcept;

private:
  std::uint64_t receiver_;
  std::size_t largest_;
  of whom_;
};

} // namespace mainstay
