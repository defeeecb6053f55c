#include "tools/mock/dialect.hpp"

namespace mainstay::mock {

const dialect& dialect_of(const target& at) {
  for (auto one : {&anthropic_dialect(), &gemini_dialect()})
    if (one->route_of(at)) return *one;
  return openai_dialect();
}

} // namespace mainstay::mock
