// The head of a provider's answer, line by line as curl hands it on, and what we write for callers.
#include "net/http_framing.hpp"
#include "net/http_response_head.hpp"
#include "net/http_wire.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;
using progress = http::response_head::progress;

namespace {

/// A head that we write ends where it should, whatever the fields hold.
void check_written(const header_list& fields) {
  const auto text = http::head_text({.status = 200, .content_type = "application/json", .content_length = 2}, fields);
  http::head_scanner scanner;
  MUST(scanner.scan(text, {.bytes = text.size()}) == http::head_scanner::state::complete);
  MUST(scanner.size() == text.size());
  http::response_head again;
  again.reset(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(line.size());
    MUST(again.take_line(line) == (rest.empty() ? progress::complete : progress::more));
  }
  const auto read = again.take_fields();
  MUST(std::count_if(read.begin(), read.end(), [](auto& f) { return f.first == "content-length"; }) == 1);
  MUST(*find_header(read, "content-length") == "2");
  MUST(!find_header(read, "transfer-encoding") && !find_header(read, "connection"));
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  http::response_head head;
  head.reset(16u << 10);
  auto state = progress::more;
  std::size_t bytes = 0;
  while (!input.empty() && state != progress::malformed) {
    const std::string line(input.substr(0, input.find('\n') == input.npos ? input.npos : input.find('\n') + 1));
    input.remove_prefix(line.size());
    const bool was_complete = head.complete();
    state = head.take_line(line);
    bytes += line.size();
    MUST(state == progress::malformed || bytes <= 16u << 10);
    MUST(state != progress::complete || !was_complete);
  }
  if (state == progress::malformed) {
    MUST(*head.complaint() != '\0');
    return;
  }
  if (head.complete()) MUST(head.status() >= 200 && head.status() <= 999);
  const auto fields = head.take_fields();
  MUST(fields.size() <= http::response_head::max_fields);
  const std::string* length = nullptr;
  for (const auto& [name, value] : fields) {
    MUST(!name.empty());
    for (char c : name) MUST(c < 'A' || c > 'Z');
    if (name != "content-length") continue;
    MUST(!length || *length == value);
    length = &value;
  }
  check_written(fields);
}
