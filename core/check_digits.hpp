// Check digits and shapes by which numbers of persons are told from other numbers. Promises: pure, no heap; digits only
// where it says so.
#pragma once

#include <cstddef>
#include <string_view>

namespace mainstay {

/// Payment cards (ISO/IEC 7812-1, Luhn), over digits alone.
bool luhn_holds(std::string_view digits) noexcept;

/// Prefix and length of a network that issues cards, over digits alone.
bool is_card_prefix(std::string_view digits) noexcept;

/// A Chinese resident's number (GB 11643-1999): a province, a date of birth and the check character, which may be X.
bool is_resident_id(std::string_view eighteen) noexcept;

/// Characters of an IBAN of that country (ISO 13616 registry), 0: it has none. Case does not matter.
std::size_t iban_length(char first, char second) noexcept;

/// ISO 7064 mod 97-10, over letters and digits alone.
bool iban_holds(std::string_view compact) noexcept;

/// A country's calling code (ITU-T E.164) at the beginning of these digits: its length, 0: there is none.
std::size_t calling_code(std::string_view digits) noexcept;

} // namespace mainstay
