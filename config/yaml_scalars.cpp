// Scalars: expansion, and each kind of value with the message that tells how it is written.
#include "config/spelling.hpp"
#include "config/units.hpp"
#include "config/yaml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace mainstay::config {
namespace {

constexpr std::size_t longest_name = 256;
constexpr std::size_t longest_secret = 4096; // headers have to carry it

std::string show(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%g", value);
  return out;
}

template <class T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool all_between(const std::string& text, unsigned char low, unsigned char high) {
  return std::all_of(text.begin(), text.end(), [=](unsigned char c) { return c >= low && c <= high; });
}

// "?" and "!" are what yaml-cpp notes for plain and quoted scalars.
bool is_plain_tag(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!" || tag.rfind("tag:yaml.org,2002:", 0) == 0;
}

} // namespace

std::optional<expansion> cursor::text() const {
  if (node_.IsNull()) {
    error("has no value");
  } else if (!node_.IsScalar()) {
    error(node_.IsMap() ? "must be a single value, not a mapping" : "must be a single value, not a list");
  } else if (!is_plain_tag(node_.Tag())) {
    error("has a YAML tag that is not served here; write \"${NAME}\" to read the environment");
  } else {
    auto out = expand(node_.Scalar(), shared_->env);
    for (const auto& value : out.secrets) shared_->found.keep_out(value); // wherever somebody put it
    if (out.errors.empty()) return out;
    for (auto& what : out.errors) error(std::move(what));
  }
  return std::nullopt;
}

std::optional<std::string> cursor::name() const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto& name = read->text;
  if (name.empty())
    error("is empty");
  else if (name.size() > longest_name)
    error("is longer than " + std::to_string(longest_name) + " characters");
  else if (!is_name(name))
    error("must be printable ASCII without blanks at its ends");
  else
    return name;
  return std::nullopt;
}

std::optional<cursor::secret_text> cursor::secret_value() const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto& value = read->text;
  shared_->found.keep_out(value);
  if (value.empty()) {
    if (!read->defaulted.empty()) return secret_text{secret(), read->defaulted};
    error(read->changed ? "is empty: the environment variable is set, but to nothing" : "is empty");
  } else if (value.size() > longest_secret) {
    error("is longer than " + std::to_string(longest_secret) + " characters");
  } else if (!all_between(value, 0x21, 0x7e)) {
    error("must be visible ASCII: it holds a blank, a line end, another control character or a non-ASCII letter");
  } else {
    return secret_text{secret(value), {}};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> cursor::whole(std::uint64_t min, std::uint64_t max) const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto value = parse_number<std::uint64_t>(read->text);
  if (value && *value >= min && *value <= max) return value;
  error("must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<double> cursor::number(double min, double max) const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto value = parse_number<double>(read->text);
  if (value && *value >= min && *value <= max) return value; // false for nan
  error("must be a number from " + show(min) + " to " + show(max));
  return std::nullopt;
}

std::optional<double> cursor::weight() const {
  constexpr double smallest = 1e-6, largest = 1e6;
  const auto read = text();
  if (!read) return std::nullopt;
  const auto value = parse_number<double>(read->text);
  if (value && *value >= smallest && *value <= largest) return value;
  error("a weight must be a number above 0, at most " + show(largest));
  return std::nullopt;
}

std::optional<duration> cursor::time(duration min, duration max) const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto value = parse_duration(read->text);
  if (value && *value >= min && *value <= max) return value;
  if (value)
    error("must be from " + format_duration(min) + " to " + format_duration(max));
  else
    error("is not a duration: write a number and its unit, such as 250ms, 5s, 2m, 1h or 1d");
  return std::nullopt;
}

std::optional<std::uint64_t> cursor::size(std::uint64_t min, std::uint64_t max) const {
  const auto read = text();
  if (!read) return std::nullopt;
  const auto value = parse_size(read->text);
  if (value && *value >= min && *value <= max) return value;
  if (value)
    error("must be from " + format_size(min) + " to " + format_size(max));
  else
    error("is not a size: write a whole number and its unit, such as 512B, 64KiB, 32MiB or 10MB");
  return std::nullopt;
}

std::optional<bool> cursor::flag() const { return choice<bool>({{"true", true}, {"false", false}}); }

} // namespace mainstay::config
