// A cursor over parsed YAML: reads one value, list or mapping and reports what is wrong with its exact place.
// Promises: a reader leaves its target untouched when the value is wrong; keys that nobody serves and keys written
// twice are errors; nothing here throws for what the file holds; a value is never repeated in a message unless it is a
// name.
#pragma once

#include "config/environment.hpp"
#include "config/findings.hpp"
#include "config/settings.hpp"

#include <yaml-cpp/yaml.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mainstay::config {

/// What every cursor of one file shares.
struct reading {
  findings& found;
  const environment& env;
};

template <class T>
using words_of = std::initializer_list<std::pair<std::string_view, T>>;

class cursor {
public:
  cursor(YAML::Node node, spot where, reading& shared)
    : node_(std::move(node)), where_(std::move(where)), shared_(&shared) {}

  const spot& where() const noexcept { return where_; }
  reading& shared() const noexcept { return *shared_; }
  void error(std::string what) const { shared_->found.error(where_, std::move(what)); }
  void warn(std::string what) const { shared_->found.warn(where_, std::move(what)); }

  bool is_mapping() const { return node_.IsMap(); }
  const YAML::Node& node() const noexcept { return node_; }

  /// A scalar after expansion; may be empty.
  std::optional<expansion> text() const;
  /// Printable ASCII, 1 to 256 characters, no blank at either end: names go into headers, labels and logs.
  std::optional<std::string> name() const;
  /// Visible ASCII. `defaulted` is set when it came out empty through a default: the variable to set.
  struct secret_text {
    secret value;
    std::string defaulted;
  };
  std::optional<secret_text> secret_value() const;
  std::optional<std::uint64_t> whole(std::uint64_t min, std::uint64_t max) const;
  std::optional<double> number(double min, double max) const;
  /// Above zero.
  std::optional<double> weight() const;
  std::optional<duration> time(duration min, duration max) const;
  std::optional<std::uint64_t> size(std::uint64_t min, std::uint64_t max) const;
  std::optional<bool> flag() const;

  template <class T>
  std::optional<T> choice(words_of<T> words) const {
    const auto written = text();
    if (!written) return std::nullopt;
    std::vector<std::string> known;
    for (const auto& [word, value] : words) {
      if (word == written->text) return value;
      known.emplace_back(word);
    }
    error("must be " + join(known, "or"));
    return std::nullopt;
  }

  /// The entries of a list; an empty list is an error: leaving the key out says that better.
  std::vector<cursor> items() const;

private:
  YAML::Node node_;
  spot where_;
  reading* shared_;
};

/// A mapping. Unknown and repeated keys are reported here, once.
class section {
public:
  section(const cursor&, std::initializer_list<std::string_view> known);
  /// A mapping whose keys are the user's own words (patterns of models).
  explicit section(const cursor&);

  bool valid() const noexcept { return valid_; }
  const cursor& at() const noexcept { return at_; }
  const std::vector<std::pair<std::string, cursor>>& entries() const noexcept { return entries_; }

  const cursor* find(std::string_view key) const noexcept;
  /// Its absence is an error.
  const cursor* need(std::string_view key) const;

  template <class T>
  void whole(std::string_view key, T& out, std::uint64_t min, std::uint64_t max) const {
    if (const auto* c = find(key))
      if (const auto value = c->whole(min, max)) out = static_cast<T>(*value);
  }
  void number(std::string_view key, double& out, double min, double max) const;
  void weight(std::string_view key, double& out) const;
  void time(std::string_view key, duration& out, duration min, duration max) const;
  void size(std::string_view key, std::size_t& out, std::uint64_t min, std::uint64_t max) const;
  void flag(std::string_view key, bool& out) const;
  template <class T>
  void choice(std::string_view key, T& out, words_of<T> words) const {
    if (const auto* c = find(key))
      if (const auto value = c->choice(words)) out = *value;
  }

private:
  void read(const cursor&, const std::vector<std::string_view>* known);
  cursor at_;
  bool valid_ = false;
  std::vector<std::pair<std::string, cursor>> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// The names used so far among things of one kind: a second use is an error that says where the first one is.
class unique_names {
public:
  explicit unique_names(std::string kind) : kind_(std::move(kind)) {}
  /// False, and an error at `where`, if the name was claimed before.
  bool claim(const std::string& name, const cursor& where);

private:
  std::string kind_;
  std::map<std::string, int> line_of_;
};

/// A required, unique name; empty if there is none or it is taken (the error is reported).
std::string read_name(const section&, unique_names&);

} // namespace mainstay::config
