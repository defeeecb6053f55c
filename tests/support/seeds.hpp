// How often a seeded walk is walked. Sanitizers watch what memory it touches, and see nothing new in its hundredth
// round: they get a fifth, from the first seed on. The rules themselves are proved by the optimised build, which walks
// all.
#pragma once

namespace mainstay::test {

inline constexpr unsigned rounds(unsigned wanted) {
#ifdef __SANITIZE_ADDRESS__
  return (wanted + 4) / 5;
#else
  return wanted;
#endif
}

} // namespace mainstay::test
