// The state machine behind net/http_chunked.hpp: one byte, one step; only chunk data is taken in runs.
#include "net/http_chunked.hpp"

#include <algorithm>

namespace mainstay::http {
namespace {

constexpr std::uint8_t most_size_digits = 16;
constexpr std::uint32_t most_skipped_bytes = 16u << 10;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

framing_fault bad(std::string_view message) { return {400, "bad_framing", message}; }

} // namespace

chunked_decoder::state chunked_decoder::feed(std::string_view& input, std::string& body, std::size_t body_limit) {
  while (!input.empty() && at_ != at::done) {
    if (at_ == at::data) {
      auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
      if (n > body_limit - std::min(body.size(), body_limit)) {
        refuse({413, "body_too_large", "request body too large"});
        return state::fault;
      }
      body.append(input.substr(0, n));
      input.remove_prefix(n);
      left_ -= n;
      if (left_ == 0) at_ = at::data_cr;
      continue;
    }
    if (!step(input.front(), body_limit - std::min(body.size(), body_limit))) return state::fault;
    input.remove_prefix(1);
  }
  return at_ == at::done ? state::complete : state::more;
}

bool chunked_decoder::step(char c, std::size_t room) {
  auto expect = [&](char wanted, at next) {
    if (c != wanted) return refuse(bad("malformed chunk"));
    at_ = next;
    return true;
  };
  switch (at_) {
  case at::size: return size_digit(c, room);
  case at::extension:
    if (c == '\r') return expect('\r', at::size_lf);
    return is_field_char(static_cast<unsigned char>(c)) ? count_skipped() : refuse(bad("malformed chunk extension"));
  case at::size_lf: return expect('\n', left_ > 0 ? at::data : at::line);
  case at::data_cr: return expect('\r', at::data_lf);
  case at::data_lf: digits_ = 0; return expect('\n', at::size);
  case at::line: // the start of a trailer line, or of the empty line that ends the body
    if (c == '\r') return expect('\r', at::last_lf);
    if (!is_token_char(static_cast<unsigned char>(c))) return refuse(bad("malformed trailer"));
    at_ = at::trailer;
    return count_skipped();
  case at::trailer:
    if (c == '\r') return expect('\r', at::trailer_lf);
    return is_field_char(static_cast<unsigned char>(c)) ? count_skipped() : refuse(bad("malformed trailer"));
  case at::trailer_lf: return expect('\n', at::line);
  case at::last_lf: return expect('\n', at::done);
  case at::data:
  case at::done: break; // not stepped through
  }
  return refuse(bad("malformed chunk"));
}

bool chunked_decoder::size_digit(char c, std::size_t room) {
  if (int value = hex_value(c); value >= 0) {
    if (++digits_ > most_size_digits) return refuse(bad("malformed chunk size"));
    left_ = left_ << 4 | static_cast<std::uint64_t>(value);
    return true;
  }
  if (digits_ == 0 || (c != ';' && c != '\r')) return refuse(bad("malformed chunk size"));
  if (left_ > room) return refuse({413, "body_too_large", "request body too large"});
  at_ = c == ';' ? at::extension : at::size_lf;
  return true;
}

bool chunked_decoder::count_skipped() {
  if (++skipped_ <= most_skipped_bytes) return true;
  return refuse({431, "chunk_extensions_too_large", "chunk extensions and trailers too large"});
}

bool chunked_decoder::refuse(framing_fault fault) noexcept {
  fault_ = fault;
  return false;
}

} // namespace mainstay::http
