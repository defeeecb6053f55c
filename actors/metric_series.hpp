// A family of one of prometheus-cpp's metrics, whose series are found again by their label values without building a
// label map each time. What is counted adds up here until it is flushed: prometheus-cpp takes a lock for each
// observation, and there are many in each request. Not thread-safe by itself; the registry's text is.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mainstay {

struct metric_families {
  prometheus::Registry registry;
  std::vector<std::function<void()>> flushes; // of those that add up

  void flush() {
    for (auto& f : flushes) f();
  }
};

namespace metric {

using buckets = prometheus::Histogram::BucketBoundaries;

struct sum {
  prometheus::Counter* to;
  double by = 0;
  std::uint64_t seen = 0; // of what somebody else counts

  void add(double n) { by += n; }
  void follow(std::uint64_t now) {
    if (now > seen) add(static_cast<double>(now - seen));
    seen = now;
  }
  void flush() {
    if (by > 0) to->Increment(std::exchange(by, 0));
  }
};

struct observations {
  prometheus::Histogram* to;
  const buckets* bounds;
  std::vector<double> counts = std::vector<double>(bounds->size() + 1); // beside the bounds, and beyond the last
  double sum = 0;
  bool any = false;

  void observe(double value) {
    const auto bucket = std::lower_bound(bounds->begin(), bounds->end(), value) - bounds->begin();
    ++counts[static_cast<std::size_t>(bucket)];
    sum += value;
    any = true;
  }
  void flush() {
    if (!std::exchange(any, false)) return;
    to->ObserveMultiple(counts, std::exchange(sum, 0));
    std::fill(counts.begin(), counts.end(), 0);
  }
};

struct level {
  prometheus::Gauge* to;
};

} // namespace metric

/// `Place`: what is kept of each series.
template <class Metric, class Place>
class metric_series {
public:
  /// In the order of the labels.
  using values = std::initializer_list<std::string_view>;

  metric_series(metric_families& all, const char* name, const char* help, std::vector<std::string> labels,
                metric::buckets bounds = {})
    : family_(build().Name(name).Help(help).Register(all.registry)), labels_(std::move(labels)),
      bounds_(std::move(bounds)) {
    if constexpr (!std::same_as<Metric, prometheus::Gauge>)
      all.flushes.push_back([this] {
        for (auto& [key, place] : known_) place->flush();
      });
  }
  metric_series(const metric_series&) = delete;
  metric_series& operator=(const metric_series&) = delete;

  /// Begins at nothing, if it is new.
  Place& at(values of) {
    key_.clear();
    for (auto v : of) (key_ += v) += '\x1f';
    if (!latest_ || key_ != latest_key_) { // requests come in runs of the same kind
      latest_key_ = key_;
      const auto it = known_.find(key_);
      latest_ = it != known_.end() ? it->second.get() : create(of);
    }
    return *latest_;
  }

  // -- counters

  template <class Number = int>
  void add(values of, Number n = 1) {
    at(of).add(static_cast<double>(n));
  }
  /// Somebody else counts, and has come to `now`.
  void follow(values of, std::uint64_t now) { at(of).follow(now); }

  // -- histograms

  template <class Number>
  void observe(values of, Number n) {
    at(of).observe(static_cast<double>(n));
  }

  // -- gauges

  template <class Number>
  void set(values of, Number n) {
    at(of).to->Set(static_cast<double>(n));
  }
  /// All of them, also those whose things are gone.
  void clear() {
    for (auto& [key, place] : known_) family_.Remove(place->to);
    known_.clear();
    latest_ = nullptr;
  }

private:
  static auto build() {
    if constexpr (std::same_as<Metric, prometheus::Counter>)
      return prometheus::BuildCounter();
    else if constexpr (std::same_as<Metric, prometheus::Gauge>)
      return prometheus::BuildGauge();
    else
      return prometheus::BuildHistogram();
  }

  Place* create(values of) {
    std::map<std::string, std::string> labels;
    auto value = of.begin();
    for (auto& l : labels_) labels.emplace(l, *value++);
    std::unique_ptr<Place> it;
    if constexpr (std::same_as<Metric, prometheus::Histogram>)
      it.reset(new Place{&family_.Add(labels, bounds_), &bounds_});
    else
      it.reset(new Place{&family_.Add(labels)});
    return known_.emplace(key_, std::move(it)).first->second.get();
  }

  prometheus::Family<Metric>& family_;
  const std::vector<std::string> labels_;
  const metric::buckets bounds_;
  std::unordered_map<std::string, std::unique_ptr<Place>> known_;
  std::string key_, latest_key_;
  Place* latest_ = nullptr;
};

using counter_series = metric_series<prometheus::Counter, metric::sum>;
using histogram_series = metric_series<prometheus::Histogram, metric::observations>;
using gauge_series = metric_series<prometheus::Gauge, metric::level>;

} // namespace mainstay
