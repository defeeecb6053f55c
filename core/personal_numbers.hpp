// Numbers that belong to persons, at one place in a text: telephones, cards, residents' numbers and IBANs in the forms
// people write them in.
#pragma once

#include "core/personal_data.hpp"
#include "core/text_marks.hpp"

namespace mainstay {

inline constexpr std::size_t longest_digit_group = 19; // of a number that is one

/// What begins at this digit, or at a '+' or bracket before it; `floor`: not before that. Its end is 0: nothing does.
personal_match personal_number_at(const text_marks::surroundings&, std::size_t digit, std::size_t floor,
                                  personal_kinds);

/// The end of the IBAN that begins at these two letters; 0: none does.
std::size_t iban_end(const text_marks::surroundings&, std::size_t letters);

} // namespace mainstay
