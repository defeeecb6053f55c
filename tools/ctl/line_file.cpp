#include "tools/ctl/line_file.hpp"

#include <filesystem>

namespace mainstay::ctl {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

} // namespace

std::optional<line_file::line> line_file::next(std::size_t longest) {
  auto& from = *in_.rdbuf();
  constexpr auto end = std::char_traits<char>::eof();
  for (;;) {
    line out;
    bool blank = true, any = false;
    for (int c; (c = from.sbumpc()) != end;) {
      any = true;
      if (c == '\n') break;
      blank = blank && is_blank(static_cast<char>(c));
      if (out.text.size() < longest)
        out.text += static_cast<char>(c);
      else
        out.too_long = true;
    }
    if (!any) return std::nullopt;
    ++number_;
    if (blank) continue;
    out.number = number_;
    if (out.too_long) out.text.clear();
    return out;
  }
}

std::optional<std::uint64_t> line_file::count(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  line_file file(path);
  std::uint64_t lines = 0;
  while (file.next(0)) ++lines;
  return lines;
}

} // namespace mainstay::ctl
