#include "core/check_digits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mainstay {

namespace {

int number(std::string_view digits) noexcept {
  int out = 0;
  for (char c : digits) out = out * 10 + (c - '0');
  return out;
}

bool all_digits(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

struct country {
  char name[3];
  std::uint8_t length;
};
// The registry's countries, release 99.
constexpr country countries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
    {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22},
    {"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30}};

} // namespace

bool luhn_holds(std::string_view digits) noexcept {
  int sum = 0;
  bool twice = false;
  for (auto c = digits.rbegin(); c != digits.rend(); ++c, twice = !twice) {
    const int d = (*c - '0') * (twice ? 2 : 1);
    sum += d > 9 ? d - 9 : d;
  }
  return !digits.empty() && sum % 10 == 0;
}

bool is_card_prefix(std::string_view digits) noexcept {
  const auto size = digits.size();
  if (size < 13 || size > 19) return false;
  const int two = number(digits.substr(0, 2)), three = number(digits.substr(0, 3)), four = number(digits.substr(0, 4));
  if (digits[0] == '4') return size == 13 || size == 16 || size == 19;                          // Visa
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return size == 16;            // Mastercard
  if (two == 34 || two == 37) return size == 15;                                                // American Express
  if (two == 62 || two == 81) return size >= 16;                                                // UnionPay
  if (four == 6011 || two == 65 || (three >= 644 && three <= 649)) return size >= 16;           // Discover
  if (four >= 3528 && four <= 3589) return size >= 16;                                          // JCB
  if ((three >= 300 && three <= 305) || two == 36 || two == 38 || two == 39) return size >= 14; // Diners Club
  return four == 5018 || four == 5020 || four == 5038 || four == 6304 || four == 6759 ? size >= 16 : false; // Maestro
}

bool is_resident_id(std::string_view id) noexcept {
  if (id.size() != 18 || !all_digits(id.substr(0, 17))) return false;
  constexpr std::uint8_t provinces[] = {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43,
                                        44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83};
  const int province = number(id.substr(0, 2)), year = number(id.substr(6, 4)), month = number(id.substr(10, 2)),
            day = number(id.substr(12, 2));
  constexpr std::uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!std::binary_search(std::begin(provinces), std::end(provinces), province)) return false;
  if (year < 1850 || year > 2199 || month < 1 || month > 12 || day < 1 || day > days[month - 1]) return false;
  constexpr std::uint8_t weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) sum += (id[i] - '0') * weights[i];
  return upper(id[17]) == "10X98765432"[sum % 11];
}

std::size_t iban_length(char first, char second) noexcept {
  const char a = upper(first), b = upper(second);
  for (auto& c : countries)
    if (c.name[0] == a && c.name[1] == b) return c.length;
  return 0;
}

bool iban_holds(std::string_view compact) noexcept {
  if (compact.size() < 5) return false;
  int rest = 0;
  const auto take = [&](std::string_view part) {
    for (char c : part) {
      const char u = upper(c);
      if (u >= '0' && u <= '9')
        rest = (rest * 10 + (u - '0')) % 97;
      else
        rest = (rest * 100 + (u - 'A' + 10)) % 97;
    }
  };
  take(compact.substr(4));
  take(compact.substr(0, 4));
  return rest == 1;
}

std::size_t calling_code(std::string_view digits) noexcept {
  if (digits.empty()) return 0;
  if (digits[0] == '1' || digits[0] == '7') return 1;
  if (digits.size() < 3) return 0;
  constexpr std::uint8_t of_two[] = {20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46,
                                     47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63,
                                     64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98};
  constexpr std::uint8_t groups_of_three[] = {21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50,
                                              59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99};
  const int two = number(digits.substr(0, 2));
  if (std::binary_search(std::begin(of_two), std::end(of_two), two)) return 2;
  return std::binary_search(std::begin(groups_of_three), std::end(groups_of_three), two) ? 3 : 0;
}

} // namespace mainstay
