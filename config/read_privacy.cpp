// The section privacy: the audit, what is replaced in requests, and what may neither come in nor go out. Patterns are
// compiled here, once: a wrong one is an error with its place.
#include "config/sections.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::size_t longest_pattern = 8192, longest_name = 64;

std::optional<audit_settings> read_audit(const cursor& at) {
  audit_settings out;
  const section s(at, {"path", "rotate", "prompts"});
  s.size("rotate", out.rotate, 4u << 10, std::uint64_t{1} << 40);
  s.flag("prompts", out.prompts);
  if (out.prompts)
    s.find("prompts")->warn("what callers write is kept in the file; but for what redact names, as it came");
  const auto path = read_path(s);
  if (!path) return std::nullopt;
  out.path = *path;
  return out;
}

std::shared_ptr<const re2::RE2> read_pattern(const cursor& at) {
  const auto text = at.text();
  if (!text) return nullptr;
  if (text->text.empty() || text->text.size() > longest_pattern) {
    at.error("must be a pattern of 1 to " + std::to_string(longest_pattern) + " characters");
    return nullptr;
  }
  re2::RE2::Options how;
  how.set_log_errors(false);
  auto out = std::make_shared<const re2::RE2>(text->text, how);
  if (!out->ok()) {
    const auto where = text->text.find(out->error_arg());
    at.error("is no pattern of RE2: " + out->error() +
             (out->error_arg().empty() || where == std::string::npos
                  ? std::string()
                  : " (at character " + std::to_string(where + 1) + " of the pattern)"));
    return nullptr;
  }
  if (re2::RE2::PartialMatch("", *out)) {
    at.error("matches where nothing stands: it would be found everywhere");
    return nullptr;
  }
  return out;
}

/// Lower case, for placeholders have it in capitals.
std::optional<std::string> read_label(const section& s) {
  const auto* at = s.need("name");
  auto name = at ? at->name() : std::nullopt;
  if (!name) return std::nullopt;
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (name->size() <= longest_name && std::all_of(name->begin(), name->end(), fits)) return name;
  at->error("must be 1 to " + std::to_string(longest_name) + " of a-z, 0-9 and _");
  return std::nullopt;
}

std::optional<personal_kind> built_in(std::string_view name) {
  const auto it = std::find(personal_kind_names.begin(), personal_kind_names.end(), name);
  if (it == personal_kind_names.end()) return std::nullopt;
  return static_cast<personal_kind>(it - personal_kind_names.begin());
}

const named_pattern* find(const std::vector<named_pattern>& all, std::string_view name) {
  const auto it = std::find_if(all.begin(), all.end(), [&](auto& p) { return p.name == name; });
  return it == all.end() ? nullptr : &*it;
}

void read_custom(const cursor& at, privacy_rules& out) {
  const section s(at, {"name", "pattern"});
  auto name = read_label(s);
  const auto* c = s.need("pattern");
  auto expression = c ? read_pattern(*c) : nullptr;
  if (!name || !expression) return;
  if (built_in(*name) || find(out.custom, *name)) return at.error("the name " + *name + " is taken");
  out.custom.push_back({std::move(*name), std::move(expression)});
}

void read_known(const cursor& at, privacy_rules& out, const privacy_rules* section_rules) {
  const auto name = at.name();
  if (!name) return;
  if (const auto kind = built_in(*name)) {
    if (out.kinds.has(*kind)) at.error("is in this list already");
    return out.kinds.add(*kind);
  }
  const auto* known = section_rules ? find(section_rules->custom, *name) : nullptr;
  if (!known) return at.error("must be email, phone, card, id_number, iban, or { name, pattern }");
  if (find(out.custom, *name)) return at.error("is in this list already");
  out.custom.push_back(*known);
}

/// `section_rules`: whose patterns a client may name.
void read_redact(const cursor& at, privacy_rules& out, const privacy_rules* section_rules) {
  for (const auto& item : at.items())
    if (item.is_mapping())
      read_custom(item, out);
    else
      read_known(item, out, section_rules);
}

enum class way : std::uint8_t { in, out, both };

void read_deny(const cursor& at, privacy_rules& out, const std::string& prefix) {
  std::size_t number = 0;
  for (const auto& item : at.items()) {
    named_pattern rule{prefix + std::to_string(++number), nullptr};
    auto on = way::both;
    if (item.is_mapping()) {
      const section s(item, {"name", "pattern", "on"});
      if (s.find("name")) rule.name = read_label(s).value_or(rule.name);
      s.choice<way>("on", on, {{"in", way::in}, {"out", way::out}, {"both", way::both}});
      if (const auto* c = s.need("pattern")) rule.expression = read_pattern(*c);
    } else {
      rule.expression = read_pattern(item);
    }
    if (!rule.expression) continue;
    if (find(out.deny_in, rule.name) || find(out.deny_out, rule.name)) {
      item.error("the name " + rule.name + " is taken");
      continue;
    }
    if (on != way::out) out.deny_in.push_back(rule);
    if (on != way::in) out.deny_out.push_back(std::move(rule));
  }
}

} // namespace

privacy_draft read_privacy(const cursor& at) {
  privacy_draft out;
  const section s(at, {"audit", "redact", "deny"});
  privacy_rules rules;
  if (const auto* c = s.find("redact")) read_redact(*c, rules, nullptr);
  if (const auto* c = s.find("deny")) read_deny(*c, rules, "deny_");
  if (!rules.none()) out.rules = std::make_shared<const privacy_rules>(std::move(rules));
  if (const auto* c = s.find("audit")) out.audit = read_audit(*c);
  if (s.valid() && s.entries().empty()) at.error("is empty: fill it, or leave it out");
  return out;
}

privacy_rules_ptr read_privacy_of_client(const section& client, const privacy_rules_ptr& of_section) {
  const auto *redact = client.find("redact"), *deny = client.find("deny");
  if (!redact && !deny) return nullptr;
  auto out = of_section ? *of_section : privacy_rules();
  if (redact) {
    out.kinds = {};
    out.custom.clear();
    const bool none = redact->node().IsScalar() && redact->node().Scalar() == "none";
    if (!none) read_redact(*redact, out, of_section.get());
  }
  if (deny) read_deny(*deny, out, "client_deny_");
  return std::make_shared<const privacy_rules>(std::move(out));
}

std::optional<std::string> read_region(const section& s) {
  const auto* at = s.find("region");
  return at ? at->name() : std::nullopt;
}

} // namespace mainstay::config
