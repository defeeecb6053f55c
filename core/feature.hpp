// What a request may ask of a model beside text, and not every target can do: tools, and answers in JSON.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

enum class feature : std::uint8_t { tools, json };
inline constexpr std::array features{feature::tools, feature::json};

constexpr std::string_view to_string(feature f) noexcept { return f == feature::tools ? "tools" : "json"; }

class feature_set {
public:
  constexpr bool has(feature f) const noexcept { return bits_ & bit(f); }
  constexpr bool none() const noexcept { return bits_ == 0; }
  constexpr void add(feature f) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(f)); }
  constexpr void remove(feature f) noexcept { bits_ = static_cast<std::uint8_t>(bits_ & ~bit(f)); }
  constexpr feature_set operator&(feature_set o) const noexcept {
    o.bits_ = static_cast<std::uint8_t>(o.bits_ & bits_);
    return o;
  }
  friend constexpr bool operator==(feature_set, feature_set) = default;

private:
  static constexpr std::uint8_t bit(feature f) noexcept { return static_cast<std::uint8_t>(1u << static_cast<int>(f)); }
  std::uint8_t bits_ = 0;
};

/// "tools, json": as in headers.
inline std::string to_string(feature_set all) {
  std::string out;
  for (auto f : features)
    if (all.has(f)) (out += out.empty() ? "" : ", ") += to_string(f);
  return out;
}

/// The same read; "none" is none. Nothing: some name is no feature's.
inline std::optional<feature_set> features_named(std::string_view list) {
  feature_set out;
  for (bool more = list != "none"; more;) {
    const auto comma = list.find(',');
    auto word = list.substr(0, comma);
    word.remove_prefix(std::min(word.find_first_not_of(" \t"), word.size()));
    word = word.substr(0, word.find_last_not_of(" \t") + 1);
    const auto f = std::find_if(features.begin(), features.end(), [&](auto known) { return to_string(known) == word; });
    if (f == features.end()) return std::nullopt;
    out.add(*f);
    more = comma != list.npos;
    if (more) list.remove_prefix(comma + 1);
  }
  return out;
}

} // namespace mainstay
