// Failure classes by phase: before the connection stood, before the head was whole, after it.
#include "net/http_call_outcome.hpp"

namespace mainstay::http {

namespace {

std::string printable(std::string_view words) {
  constexpr std::size_t longest = 200;
  std::string out{words.substr(0, longest)};
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return out;
}

failure_class class_before_connection(CURLcode code, bool resolved) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY: return failure_class::dns_failed;
  case CURLE_OPERATION_TIMEDOUT: return resolved ? failure_class::connect_timeout : failure_class::dns_failed;
  default: return failure_class::connect_failed;
  }
}

failure_class class_after_connection(CURLcode code, std::string_view words, bool head_complete) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST: // curl reconnects by itself where a reused connection died
  case CURLE_COULDNT_RESOLVE_PROXY: return failure_class::dns_failed;
  case CURLE_COULDNT_CONNECT: return failure_class::connect_failed;
  case CURLE_OPERATION_TIMEDOUT: return failure_class::connect_timeout;
  case CURLE_UNSUPPORTED_PROTOCOL: // an answer that is no HTTP at all
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_FILESIZE_EXCEEDED: // a content-length beyond all numbers
  case CURLE_WRITE_ERROR: return failure_class::malformed;
  case CURLE_OUT_OF_MEMORY: // curl's answer to a head line beyond 100 kB
    return head_complete ? failure_class::truncated : failure_class::malformed;
  default: break;
  }
  // curl reports a chunk size that is no number like a broken connection; only its words differ
  if (words.find("in chunked-encoding") != std::string_view::npos) return failure_class::malformed;
  return head_complete ? failure_class::truncated : failure_class::reset;
}

} // namespace

std::optional<call_error> outcome_of(CURLcode code, std::string_view words, call_reach reach) {
  if (code == CURLE_OK) {
    if (reach.head_complete) return std::nullopt;
    return call_error{failure_class::reset, "the connection ended inside the response head"};
  }
  auto what = reach.connected ? class_after_connection(code, words, reach.head_complete)
                              : class_before_connection(code, reach.resolved);
  return call_error{what, printable(words.empty() ? curl_easy_strerror(code) : words)};
}

} // namespace mainstay::http
