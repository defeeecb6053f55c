// The configuration: whatever the file holds, it is settings or errors with places inside the text, and no secret of
// the environment stands in any of them.
#include "config/load.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace mainstay;

namespace {

constexpr std::string_view variable = "SECRET_", value = "sk-9f1c7a44e0b2";

std::optional<std::string> lookup(const std::string& name) {
  if (name.starts_with(variable)) return std::string(value) + name.substr(variable.size());
  return std::nullopt;
}

void check(const std::vector<config::problem>& problems, int lines) {
  for (const auto& p : problems) {
    MUST(p.file == "fuzz.yaml" && !p.what.empty());
    MUST(p.line >= 0 && p.line <= lines && p.column >= 0);
    const auto text = to_string(p);
    MUST(text.find(value) == std::string::npos);
    MUST(text.find('\n') == std::string::npos);
  }
}

} // namespace

void mainstay::fuzz::try_input(std::string_view input) {
  // A list of prices is read from wherever the text says: not from where reading never ends.
  if (input.find("/dev/") != input.npos) return;
  if (input.find(value) != input.npos) return; // what the file says in the clear may be quoted
  const std::string text(input);
  const auto read = config::load_text(text, "fuzz.yaml", lookup);
  MUST((read.value == nullptr) == !read.errors.empty());
  const auto lines =
      static_cast<int>(1 + std::count(text.begin(), text.end(), '\n') + std::count(text.begin(), text.end(), '\r'));
  check(read.errors, lines);
  check(read.warnings, lines);
  const auto again = config::load_text(text, "fuzz.yaml", lookup);
  MUST(again.errors.size() == read.errors.size() && again.warnings.size() == read.warnings.size());
  for (std::size_t i = 0; i < read.errors.size(); ++i) MUST(to_string(read.errors[i]) == to_string(again.errors[i]));
  if (read.value) MUST(read.value->hash == again.value->hash);
}
