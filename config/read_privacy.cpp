// The section privacy: the audit. What is to be redacted or refused is not served yet, and must not look as if it were.
#include "config/sections.hpp"

namespace mainstay::config {
namespace {

std::optional<audit_settings> read_audit(const cursor& at) {
  audit_settings out;
  const section s(at, {"path", "rotate", "prompts"});
  s.size("rotate", out.rotate, 4u << 10, std::uint64_t{1} << 40);
  s.flag("prompts", out.prompts);
  if (out.prompts) s.find("prompts")->warn("whatever callers write is kept in the file as it came");
  const auto path = read_path(s);
  if (!path) return std::nullopt;
  out.path = *path;
  return out;
}

} // namespace

std::optional<audit_settings> read_privacy(const cursor& at) {
  const section s(at, {"audit", "redact", "deny"});
  for (auto key : {"redact", "deny"})
    if (const auto* c = s.find(key)) c->error("is not served by this version");
  if (const auto* c = s.find("audit")) return read_audit(*c);
  if (s.valid() && s.entries().empty()) at.error("is empty: fill it, or leave it out");
  return std::nullopt;
}

std::optional<std::string> read_region(const section& s) {
  const auto* at = s.find("region");
  return at ? at->name() : std::nullopt;
}

} // namespace mainstay::config
