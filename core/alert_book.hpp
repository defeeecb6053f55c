// Which alerts are on: each signal's value against its warning and its critical threshold. An alert begins once the
// value has been beyond the threshold for `hold`, and ends once it has been well within it for as long: a tenth of the
// way back to what is good, so that a value that trembles about the threshold does not ring all night. A value that
// nobody knows is neither: what is on stays on. No clock of its own.
#pragma once

#include "core/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

enum class alert_severity : std::uint8_t { warning, critical };
std::string_view to_string(alert_severity) noexcept;

/// When to tell of a signal.
struct alert_rule {
  std::optional<double> warning, critical;
  bool below = false; // it is bad below its thresholds, and good at 1; else bad above them, and good at 0
  duration hold{};
  friend bool operator==(const alert_rule&, const alert_rule&) = default;
};

class alert_book {
public:
  using rules = std::map<std::string, alert_rule>;             // by signal
  using values = std::map<std::string, std::optional<double>>; // by signal; none: nobody knows

  struct alert {
    std::string signal;
    alert_severity severity = alert_severity::warning;
    bool on = false;
    double value = 0, threshold = 0; // when it last changed
    instant since{};                 // on, or off
  };

  /// What is on stays on where its rule stays; where that went, it ends without a word.
  void reconfigure(rules);
  /// Alerts that begin or end now.
  std::vector<alert> judge(const values&, instant now);
  /// All of them, on or off, by signal and severity.
  std::vector<alert> all() const;
  const rules& configured() const noexcept { return rules_; }

private:
  struct standing {
    alert is;
    std::optional<instant> other_since; // the value says otherwise since then
  };
  static bool beyond(const alert_rule&, double threshold, bool on, double value) noexcept;

  rules rules_;
  std::map<std::pair<std::string, alert_severity>, standing> standings_;
};

} // namespace mainstay
