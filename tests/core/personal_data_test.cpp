// What identifies a person, and what only looks so.
#include "core/check_digits.hpp"
#include "core/personal_data.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace personal_data_test {

using namespace mainstay;

namespace {

personal_kinds all_kinds() {
  personal_kinds out;
  for (auto k :
       {personal_kind::email, personal_kind::phone, personal_kind::card, personal_kind::id_number, personal_kind::iban})
    out.add(k);
  return out;
}

/// "kind:text" of each match, with a blank between.
std::string found(std::string_view text, personal_kinds kinds = all_kinds()) {
  std::vector<personal_match> matches;
  find_personal_data(text, kinds, matches);
  std::string out;
  std::size_t before = 0;
  for (auto& m : matches) {
    BOOST_TEST((m.begin >= before && m.begin < m.end && m.end <= text.size()));
    before = m.end;
    out += (out.empty() ? "" : " | ") + std::string(to_string(m.kind)) + ":" +
           std::string(text.substr(m.begin, m.end - m.begin));
  }
  return out;
}

struct line {
  const char *text, *found;
};

void judge(std::initializer_list<line> lines) {
  for (auto& l : lines) BOOST_TEST(found(l.text) == l.found, l.text << " -> " << found(l.text));
}

} // namespace

BOOST_AUTO_TEST_SUITE(personal_data)

BOOST_AUTO_TEST_CASE(addresses_of_mail_are_found_wherever_they_stand) {
  judge({{"bob@example.com", "email:bob@example.com"},
         {"Write to Bob.O-Neil+x@mail.example.co.uk.", "email:Bob.O-Neil+x@mail.example.co.uk"},
         {"<bob@example.com>, (ann@example.org)", "email:bob@example.com | email:ann@example.org"},
         {"邮箱bob@example.com，电话", "email:bob@example.com"},
         {"mailto:bob@example.com?subject=x", "email:bob@example.com"},
         {"bob@example.com:ann@example.com", "email:bob@example.com | email:ann@example.com"},
         {"13800138000@163.com", "email:13800138000@163.com"},
         {"{\"a\":\"x\\nbob@example.com\"}", "email:bob@example.com"},
         {"a_b%c@x-y.museum", "email:a_b%c@x-y.museum"},
         {"us@xn--fsq.xn--0zwm56d", "email:us@xn--fsq.xn--0zwm56d"},
         {"@bob@example.com", "email:bob@example.com"}});
}

BOOST_AUTO_TEST_CASE(what_has_an_at_sign_need_be_no_address) {
  judge({{"@override", ""},
         {"@app.route(\"/\")", ""},
         {"react@18.2.0", ""},
         {"user@localhost", ""},
         {"logo@2x.png", ""},
         {"git@github.com:owner/repo.git", ""},
         {"a @ b.com", ""},
         {"x@y.z", ""},
         {"see .@example.com", ""},
         {"5 apples @ 3.50", ""},
         {"@", ""},
         {"a@-.com", ""}});
}

BOOST_AUTO_TEST_CASE(telephone_numbers_are_found_in_the_forms_people_write) {
  judge({{"13800138000", "phone:13800138000"},
         {"电话：13800138000。", "phone:13800138000"},
         {"请拨打138-0013-8000联系", "phone:138-0013-8000"},
         {"138 0013 8000", "phone:138 0013 8000"},
         {"+86 138 0013 8000", "phone:+86 138 0013 8000"},
         {"+8613800138000", "phone:+8613800138000"},
         {"8613800138000", "phone:8613800138000"},
         {"0086-13800138000", "phone:0086-13800138000"},
         {"010-62345678", "phone:010-62345678"},
         {"(021) 6234-5678", "phone:(021) 6234-5678"},
         {"0755-86013388", "phone:0755-86013388"},
         {"400-820-8820", "phone:400-820-8820"},
         {"(415) 555-2671", "phone:(415) 555-2671"},
         {"call 415-555-2671 2 times", "phone:415-555-2671"},
         {"415.555.2671", "phone:415.555.2671"},
         {"1-415-555-2671", "phone:1-415-555-2671"},
         {"+1 (415) 555-2671", "phone:+1 (415) 555-2671"},
         {"tel:+14155552671", "phone:+14155552671"},
         {"+44 20 7946 0958", "phone:+44 20 7946 0958"},
         {"+49 30 901820", "phone:+49 30 901820"},
         {"+33 6 12 34 56 78", "phone:+33 6 12 34 56 78"},
         {"020 7946 0958", "phone:020 7946 0958"},
         {"07700 900123", "phone:07700 900123"},
         {"Bob,13800138000,25", "phone:13800138000"},
         {"13800138000/13900139000", "phone:13800138000 | phone:13900139000"},
         {"{\"phone\":13800138000}", "phone:13800138000"}});
}

BOOST_AUTO_TEST_CASE(numbers_of_other_things_are_no_telephones) {
  judge({{"1700000000", ""},
         {"1700000000000", ""},
         {"2024-11-28 03:06:24", ""},
         {"2024-11-28T03:06:24.123456Z", ""},
         {"20241128030624", ""},
         {"01-02-2024 10:30", ""},
         {"v1.22.333.4444", ""},
         {"192.168.100.200", ""},
         {"10.0.0.1:8080", ""},
         {"550e8400-e29b-41d4-a716-446655440000", ""},
         {"order #13800138000", ""},
         {"ORD13800138000", ""},
         {"SN_13800138000", ""},
         {"3.14159265358979", ""},
         {"0.13800138000", ""},
         {"$13800138000", ""},
         {"https://example.com/p/13800138000", ""},
         {"978-7-111-12806-9", ""},
         {"4155552671", ""},
         {"0012345678901", ""},
         {"d41d8cd98f00b204e9800998ecf8427e", ""},
         {"100 200 300", ""},
         {"12345678", ""},
         {"+12345678", ""},
         {"1,380,013,800,000", ""},
         {"12010013800138000123", ""}});
}

BOOST_AUTO_TEST_CASE(cards_have_a_network_a_length_and_luhns_digit) {
  judge({{"4111111111111111", "card:4111111111111111"},
         {"4111 1111 1111 1111 exp 12/29", "card:4111 1111 1111 1111"},
         {"5555-5555-5555-4444", "card:5555-5555-5555-4444"},
         {"3782 822463 10005", "card:3782 822463 10005"},
         {"卡号6222021234567890129", ""}, // wrong digit
         {"6011111111111117", "card:6011111111111117"},
         {"3530111333300000", "card:3530111333300000"},
         {"30569309025904", "card:30569309025904"},
         {"4111111111111112", ""},
         {"9111111111111111", ""},
         {"4111.1111.1111.1111", ""},
         {"41111111-1111-1111-1111-111111111111", ""},
         {"a4111111111111111", ""}});
  std::string union_pay = "622202123456789012";
  for (char c = '0'; c <= '9'; ++c)
    if (luhn_holds(union_pay + c)) BOOST_TEST(found("卡号" + union_pay + c) == "card:" + union_pay + c);
}

BOOST_AUTO_TEST_CASE(residents_numbers_have_a_place_a_birthday_and_a_check_character) {
  judge({{"11010519491231002X", "id_number:11010519491231002X"},
         {"身份证11010519491231002x，", "id_number:11010519491231002x"},
         {"440524188001010014", "id_number:440524188001010014"},
         {"110105 19491231 002X", "id_number:110105 19491231 002X"},
         {"440524188001010015", ""},   // wrong check
         {"990524188001010014", ""},   // no such province
         {"440524188013010014", ""},   // no such month
         {"202411280001234567", ""}}); // an order's number
}

BOOST_AUTO_TEST_CASE(ibans_have_a_countrys_length_and_a_remainder_of_one) {
  judge({{"DE89370400440532013000", "iban:DE89370400440532013000"},
         {"DE89 3704 0044 0532 0130 00.", "iban:DE89 3704 0044 0532 0130 00"},
         {"GB29 NWBK 6016 1331 9268 19", "iban:GB29 NWBK 6016 1331 9268 19"},
         {"gb29nwbk60161331926819", "iban:gb29nwbk60161331926819"},
         {"NO9386011117947", "iban:NO9386011117947"},
         {"IBAN:FR1420041010050500013M02606", "iban:FR1420041010050500013M02606"},
         {"DE88370400440532013000", ""},
         {"XX89370400440532013000", ""},
         {"DE8937040044053201300", ""},
         {"ADE89370400440532013000", ""},
         {"DE893704004405320130001", ""}});
}

BOOST_AUTO_TEST_CASE(only_what_is_wanted_is_found) {
  personal_kinds mail;
  mail.add(personal_kind::email);
  BOOST_TEST(found("bob@example.com 13800138000 4111111111111111", mail) == "email:bob@example.com");
  BOOST_TEST(found("bob@example.com", {}) == "");
}

BOOST_AUTO_TEST_CASE(endless_numbers_and_hostile_texts_take_no_time) {
  BOOST_TEST(found(std::string(1'000'000, '1')) == "");
  std::string blanks, signs;
  for (int i = 0; i < 200'000; ++i) blanks += "1 ", signs += "a@";
  BOOST_TEST(found(blanks) == "");
  BOOST_TEST(found(signs) == "");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace personal_data_test
