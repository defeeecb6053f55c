// Texts that were kept, by us or somebody else: headers in the journal, answers in shared caches, lines of an audit.
#include "core/audit_chain.hpp"
#include "net/cached_answer.hpp"
#include "net/journal_file.hpp"
#include "net/sha256.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

struct verdict {
  std::vector<audit_fault> faults;
  std::uint64_t lines = 0, lost = 0;
  audit_head head;
  friend bool operator==(const verdict&, const verdict&) = default;
};

const audit_digest digest = [](std::string_view text) { return hex(sha256(text)); };

verdict verify(const std::vector<std::string>& pieces) {
  verdict out;
  audit_verifier verifier(digest);
  const auto told = [&](const audit_fault& fault) { out.faults.push_back(fault); };
  for (const auto& piece : pieces) verifier.read(piece, told);
  verifier.end_file(told);
  out.lines = verifier.lines(), out.lost = verifier.lost(), out.head = verifier.head();
  return out;
}

/// Lines that we write are a chain without fault, and any other byte in it is seen.
void check_chain(std::string_view input, mainstay::fuzz::draws& draw) {
  audit_head head;
  std::string file;
  for (int i = 0; i < 2; ++i) {
    audit_entry entry;
    entry.request_id = entry.client = input.substr(0, 100);
    entry.cost_usd = 0.25 * i;
    entry.request = audit_text(std::string(input));
    file += audit_line(entry, head, digest) + "\n";
  }
  const auto sound = verify({file});
  MUST(sound.faults.empty() && sound.lines == 2 && sound.head == head);
  auto& byte = file[draw.below(file.size())];
  byte = static_cast<char>(byte ^ (1 + draw.below(255)));
  MUST(!verify({file}).faults.empty());
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  draws draw(input);
  const std::string text(input);
  const auto fields = headers_in(text);
  MUST(headers_in(lines_of(fields)) == fields);
  if (const auto kept = read_cached_answer(text)) {
    const auto again = read_cached_answer(to_text(kept));
    MUST(again && *again.completion == *kept.completion && again.born == kept.born && again.cost == kept.cost);
  }
  MUST(verify(cut(input, draw)) == verify({text}));
  check_chain(input, draw);
}
