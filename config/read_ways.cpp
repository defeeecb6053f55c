// The ways to a provider: its endpoints, each directly or through each of its proxies.
#include "config/sections.hpp"
#include "config/url.hpp"

#include <algorithm>

namespace mainstay::config {
namespace {

std::string authority_of(std::string_view url) {
  const auto parts = split_url(url);
  return parts ? std::string(parts->authority) : std::string();
}

/// `proxy` or `proxies`. One that is left to a variable that is not set is none.
std::vector<std::string> read_proxies(const section& s) {
  std::vector<std::string> out;
  const auto read = [&out](const cursor& at) {
    const auto url = at.text();
    if (!url || (url->text.empty() && !url->defaulted.empty())) return;
    at.shared().found.keep_out(url->text);
    if (auto fault = fault_of_proxy(url->text); !fault.empty()) return at.error(std::move(fault));
    const auto same_place = [&](auto& other) { return authority_of(other) == authority_of(url->text); };
    if (std::any_of(out.begin(), out.end(), same_place)) return at.error("is there twice");
    out.push_back(url->text);
  };
  const auto* one = s.find("proxy");
  const auto* several = s.find("proxies");
  if (one && several) several->error("stands beside proxy: name all of them here");
  if (one) read(*one);
  if (several)
    for (const auto& item : several->items()) read(item);
  return out;
}

class ways_reader {
public:
  ways_reader(std::string region, std::vector<std::string> proxies)
    : region_(std::move(region)), proxies_(std::move(proxies)) {}

  void read_base_url(const cursor& at) {
    if (auto url = read_url(at)) add(at, {{{}, {}, region_, 1}, std::move(*url), {}}, proxies_);
  }

  void read_endpoint(const cursor& at) {
    const section s(at, {"name", "url", "weight", "region", "proxy", "proxies"});
    provider_way way{{{}, {}, region_, 1}, {}, {}};
    s.weight("weight", way.weight);
    if (auto region = read_region(s)) way.region = std::move(*region);
    if (const auto* c = s.find("name")) way.name = c->name().value_or("");
    const auto own = read_proxies(s);
    const auto* at_url = s.need("url");
    auto url = at_url ? read_url(*at_url) : std::nullopt;
    if (!url) return;
    way.base_url = std::move(*url);
    add(*at_url, std::move(way), own.empty() ? proxies_ : own);
  }

  ways_draft result;

private:
  std::optional<std::string> read_url(const cursor& at) {
    const auto url = at.text();
    if (!url) return std::nullopt;
    if (url->text.empty() && !url->defaulted.empty()) {
      result.absent.emplace_back(at, url->defaulted);
      return std::nullopt;
    }
    if (auto fault = fault_of_base_url(url->text); !fault.empty()) {
      at.error(std::move(fault));
      return std::nullopt;
    }
    return url->text.substr(0, url->text.find_last_not_of('/') + 1); // also before a query: url_at()
  }

  /// An endpoint's share of the calls is the same however many proxies lead there.
  void add(const cursor& at, provider_way way, const std::vector<std::string>& proxies) {
    way.host = authority_of(way.base_url);
    if (way.name.empty()) way.name = way.host;
    if (!names_.claim(way.name, at)) return;
    if (proxies.empty()) return result.ways.push_back(std::move(way));
    way.weight /= static_cast<double>(proxies.size());
    for (const auto& proxy : proxies) {
      auto& through = result.ways.emplace_back(way);
      through.name += " via " + authority_of(proxy);
      through.proxy = proxy;
    }
  }

  const std::string region_;
  const std::vector<std::string> proxies_;
  unique_names names_{"endpoint"};
};

} // namespace

ways_draft read_ways(const section& s, const std::string& region) {
  ways_reader reader(region, read_proxies(s));
  const auto* several = s.find("endpoints");
  if (!several) {
    if (const auto* c = s.need("base_url")) reader.read_base_url(*c);
  } else if (s.find("base_url")) {
    several->error("stands beside base_url: name all of them here");
  } else {
    for (const auto& item : several->items()) reader.read_endpoint(item);
  }
  return std::move(reader.result);
}

} // namespace mainstay::config
