// Boxes by libsodium; names and fields as the specification has them: C and S are the permanent keys, C' and S' those
// of the connection.
#include "net/curve_session.hpp"

#include <algorithm>
#include <sodium.h>
#include <stdexcept>

namespace mainstay::mq {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t key_size = crypto_box_PUBLICKEYBYTES, mac_size = crypto_box_MACBYTES;
constexpr std::size_t short_nonce = 8, long_nonce = 16;
constexpr std::size_t cookie_size = long_nonce + 2 * key_size + mac_size;
constexpr std::size_t vouch_size = long_nonce + 2 * key_size + mac_size;
constexpr auto hello_name = "\5HELLO"sv, initiate_name = "\10INITIATE"sv, message_name = "\7MESSAGE"sv;
constexpr std::size_t hello_padding = 72, hello_signature = 64;
constexpr std::size_t hello_size = 6 + 2 + hello_padding + key_size + short_nonce + hello_signature + mac_size;
constexpr std::size_t least_initiate = 9 + cookie_size + short_nonce + key_size + vouch_size + mac_size;
static_assert(hello_size == 200 && least_initiate == 257 && cookie_size == 96);
static_assert(curve_session::overhead == message_name.size() + short_nonce + mac_size + 1);

const unsigned char* bytes(std::string_view s) noexcept { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes(std::string& s) noexcept { return reinterpret_cast<unsigned char*>(s.data()); }
template <std::size_t N>
std::string_view view(const std::array<unsigned char, N>& a) noexcept {
  return {reinterpret_cast<const char*>(a.data()), N};
}

/// A nonce: the text that says what it is for, and the number.
std::string nonce_of(std::string_view purpose, std::string_view number) { return std::string(purpose) += number; }

std::string random(std::size_t size) {
  std::string out(size, '\0');
  randombytes_buf(out.data(), size);
  return out;
}

/// Takes so many bytes off the front; there are as many.
std::string_view take(std::string_view& from, std::size_t size) {
  const auto part = from.substr(0, size);
  from.remove_prefix(size);
  return part;
}

std::string box(std::string_view text, const std::string& nonce, std::string_view to, const unsigned char* from) {
  std::string out(text.size() + mac_size, '\0');
  if (crypto_box_easy(bytes(out), bytes(text), text.size(), bytes(nonce), bytes(to), from) != 0)
    throw std::runtime_error("a box cannot be made"); // for a key that is none: checked before
  return out;
}

bool unbox(std::string& out, std::string_view boxed, const std::string& nonce, std::string_view from,
           const unsigned char* to) {
  out.resize(boxed.size() - mac_size);
  return crypto_box_open_easy(bytes(out), bytes(boxed), boxed.size(), bytes(nonce), bytes(from), to) == 0;
}

std::uint64_t number_of(std::string_view big_endian) noexcept {
  std::uint64_t n = 0;
  for (const char c : big_endian) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

} // namespace

std::shared_ptr<const curve_keys> make_curve_keys(std::string secret_key, std::set<std::string, std::less<>> clients) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be used");
  auto keys = std::make_shared<curve_keys>();
  keys->public_key.resize(key_size);
  if (secret_key.size() != key_size ||
      crypto_scalarmult_base(bytes(keys->public_key), bytes(std::string_view(secret_key))) != 0)
    throw std::runtime_error("the secret key is none");
  keys->secret_key = std::move(secret_key);
  keys->clients = std::move(clients);
  return keys;
}

curve_session::curve_session(std::shared_ptr<const curve_keys> keys) : keys_(std::move(keys)) {}

curve_session::~curve_session() {
  for (auto* k : {&transient_secret_, &cookie_key_, &shared_}) sodium_memzero(k->data(), k->size());
}

/// Numbers only ever grow: nothing is heard twice.
bool curve_session::is_next(std::string_view nonce) noexcept {
  const auto n = number_of(nonce);
  if (n <= heard_) return false;
  heard_ = n;
  return true;
}

void curve_session::append_nonce(std::string& out) {
  ++said_;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(said_ >> shift & 0xff);
}

bool curve_session::hello(std::string_view command, std::string& welcome) {
  if (greeted_ || command.size() != hello_size || !command.starts_with(hello_name)) return false;
  command.remove_prefix(hello_name.size());
  if (take(command, 2) != "\1\0"sv) return false;
  take(command, hello_padding);
  const auto peer = take(command, key_size);
  const auto number = take(command, short_nonce);
  if (!is_next(number)) return false;
  std::string signature;
  if (!unbox(signature, command, nonce_of("CurveZMQHELLO---", number), peer,
             bytes(std::string_view(keys_->secret_key))))
    return false;
  if (signature != std::string(hello_signature, '\0')) return false;
  peer_ = peer;
  crypto_box_keypair(transient_public_.data(), transient_secret_.data());
  randombytes_buf(cookie_key_.data(), cookie_key_.size());

  // The cookie comes back in the INITIATE: Box [C' + s'](K).
  const auto cookie_number = random(long_nonce);
  auto inside = peer_ + std::string(view(transient_secret_));
  std::string cookie(inside.size() + mac_size, '\0');
  crypto_secretbox_easy(bytes(cookie), bytes(std::string_view(inside)), inside.size(),
                        bytes(std::string_view(nonce_of("COOKIE--", cookie_number))), cookie_key_.data());
  sodium_memzero(inside.data(), inside.size());

  const auto number_out = random(long_nonce);
  const auto text = std::string(view(transient_public_)) + cookie_number + cookie;
  welcome = "\7WELCOME" + number_out +
            box(text, nonce_of("WELCOME-", number_out), peer_, bytes(std::string_view(keys_->secret_key)));
  greeted_ = true;
  return true;
}

curve_session::verdict curve_session::initiate(std::string_view command, std::string& metadata) {
  if (!greeted_ || done_ || command.size() < least_initiate || !command.starts_with(initiate_name))
    return verdict::malformed;
  command.remove_prefix(initiate_name.size());
  const auto cookie_number = take(command, long_nonce);
  const auto cookie = take(command, cookie_size - long_nonce);
  std::string inside(cookie.size() - mac_size, '\0');
  const bool ours = crypto_secretbox_open_easy(bytes(inside), bytes(cookie), cookie.size(),
                                               bytes(std::string_view(nonce_of("COOKIE--", cookie_number))),
                                               cookie_key_.data()) == 0 &&
                    inside == peer_ + std::string(view(transient_secret_));
  sodium_memzero(inside.data(), inside.size());
  const auto number = take(command, short_nonce);
  std::string text;
  if (!ours || !is_next(number) ||
      !unbox(text, command, nonce_of("CurveZMQINITIATE", number), peer_, transient_secret_.data()))
    return verdict::malformed;
  std::string_view rest(text);
  const auto client = take(rest, key_size);
  const auto vouch_number = take(rest, long_nonce);
  const auto vouch = take(rest, vouch_size - long_nonce);
  std::string vouched; // Box [C' + S](C->S'): that C' is C's, and meant for this door
  if (!unbox(vouched, vouch, nonce_of("VOUCH---", vouch_number), client, transient_secret_.data()) ||
      vouched != peer_ + keys_->public_key)
    return verdict::malformed;
  if (!keys_->clients.contains(client)) return verdict::stranger;
  if (crypto_box_beforenm(shared_.data(), bytes(std::string_view(peer_)), transient_secret_.data()) != 0)
    return verdict::malformed;
  client_ = client;
  metadata = rest;
  done_ = true;
  return verdict::fine;
}

std::string curve_session::ready(std::string_view metadata) {
  std::string number;
  append_nonce(number);
  return "\5READY" + number + box(metadata, nonce_of("CurveZMQREADY---", number), peer_, transient_secret_.data());
}

bool curve_session::open(std::string& message, unsigned char& flags) {
  if (!done_ || message.size() < overhead || !message.starts_with(message_name)) return false;
  const auto number = std::string_view(message).substr(message_name.size(), short_nonce);
  if (!is_next(number)) return false;
  const auto nonce = nonce_of("CurveZMQMESSAGEC", number);
  const auto head = message_name.size() + short_nonce;
  auto* boxed = bytes(message) + head; // opened where it is
  if (crypto_box_open_easy_afternm(boxed, boxed, message.size() - head, bytes(nonce), shared_.data()) != 0)
    return false;
  flags = boxed[0];
  message.resize(message.size() - mac_size);
  message.erase(0, head + 1);
  return true;
}

void curve_session::seal(std::string& out, unsigned char flags, std::string_view content) {
  out += message_name;
  std::string number;
  append_nonce(number);
  out += number;
  const auto at = out.size() + mac_size;
  out.resize(at);
  out += static_cast<char>(flags);
  out += content;
  const auto size = content.size() + 1;
  // The text stands where its box will, behind the place of its mark: boxed where it is.
  crypto_box_detached_afternm(bytes(out) + at, bytes(out) + at - mac_size, bytes(out) + at, size,
                              bytes(std::string_view(nonce_of("CurveZMQMESSAGES", number))), shared_.data());
}

} // namespace mainstay::mq
