// Finds what identifies a person in running text: addresses of mail, telephone numbers, payment cards, Chinese
// residents' numbers and IBANs, by shape, surroundings and check digits. One pass without heap but for the list; a
// number that is a part of a longer word, of a version, a date or a UUID is none. Promises: matches are in order, apart
// from each other, and begin and end between characters. Knows nothing of JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mainstay {

enum class personal_kind : std::uint8_t { email, phone, card, id_number, iban };
inline constexpr std::array personal_kind_names{"email", "phone", "card", "id_number", "iban"};
constexpr std::string_view to_string(personal_kind k) noexcept {
  return personal_kind_names[static_cast<std::size_t>(k)];
}

class personal_kinds {
public:
  void add(personal_kind k) noexcept { bits_ |= bit(k); }
  bool has(personal_kind k) const noexcept { return bits_ & bit(k); }
  bool none() const noexcept { return bits_ == 0; }
  friend bool operator==(personal_kinds, personal_kinds) = default;

private:
  static unsigned bit(personal_kind k) noexcept { return 1u << static_cast<unsigned>(k); }
  unsigned bits_ = 0;
};

struct personal_match {
  std::size_t begin = 0, end = 0;
  personal_kind kind = personal_kind::email;
};

/// Appends to `out`.
void find_personal_data(std::string_view text, personal_kinds, std::vector<personal_match>& out);

} // namespace mainstay
