// The models as written: targets, fallbacks, retry overrides, hedging and prefill. What the names in them lead to is
// decided in ladders.cpp.
#include "config/sections.hpp"
#include "config/spelling.hpp"

namespace mainstay::config {
namespace {

class model_reader {
public:
  model_reader(const provider_drafts& providers, const retry_policy& retry) : providers_(providers), retry_(retry) {
    for (const auto& [name, index] : providers.by_name) provider_names_.push_back(name);
  }

  model_draft read(const cursor& at) {
    const section s(at,
                    {"name", "targets", "fallbacks", "retry", "prefill", "hedge_after", "context_window", "truncate"});
    const auto* at_name = s.need("name");
    model_draft draft{{}, at_name ? *at_name : at, {}, {}};
    if (const auto name = at_name ? at_name->name() : std::nullopt; name && names_.claim(*name, *at_name))
      draft.value.name = *name;
    draft.value.pattern = draft.value.name.find_first_of("*?") != std::string::npos;
    draft.value.retry = retry_;
    if (const auto* c = s.need("targets"))
      for (const auto& item : c->items()) read_target(item, draft, draft.targets, true);
    if (const auto* c = s.find("fallbacks"))
      for (const auto& item : c->items()) read_fallback(item, draft);
    if (const auto* c = s.find("retry")) read_retry_override(*c, draft.value.retry);
    s.choice<prefill_mode>(
        "prefill", draft.value.prefill,
        {{"true", prefill_mode::yes}, {"false", prefill_mode::no}, {"auto", prefill_mode::automatic}});
    if (const auto* c = s.find("context_window")) draft.value.context_window = c->whole(1000, 1'000'000'000);
    s.choice<truncate_mode>("truncate", draft.value.truncate,
                            {{"none", truncate_mode::none}, {"oldest", truncate_mode::oldest}});
    if (const auto* c = s.find("hedge_after")) draft.value.hedge_after = c->time(1ms, 24h);
    return draft;
  }

private:
  void read_fallback(const cursor& at, model_draft& draft) {
    if (at.is_mapping())
      read_target(at, draft, draft.fallbacks, false);
    else if (auto name = at.name())
      draft.fallbacks.push_back({at, std::move(*name)});
  }

  // Equals are weighed against each other; a fallback stands alone.
  void read_target(const cursor& at, const model_draft& draft, std::vector<model_draft::entry>& out, bool weighed) {
    const auto s = weighed ? section(at, {"provider", "model", "weight"}) : section(at, {"provider", "model"});
    target one;
    if (weighed) s.weight("weight", one.weight);
    // A pattern hands on what the caller wrote; under an exact name that is the name.
    if (!draft.value.pattern) one.model = draft.value.name;
    if (const auto* c = s.find("model")) one.model = c->name().value_or("");
    const auto* at_provider = s.need("provider");
    const auto provider = at_provider ? at_provider->name() : std::nullopt;
    if (!provider) return;
    if (!providers_.find(*provider)) {
      at_provider->error("there is no provider named " + *provider + did_you_mean(*provider, provider_names_));
      return;
    }
    one.provider = *provider;
    out.push_back({at, std::move(one)});
  }

  const provider_drafts& providers_;
  const retry_policy& retry_;
  std::vector<std::string_view> provider_names_;
  unique_names names_{"model"};
};

} // namespace

std::vector<model_draft> read_models(const cursor& at, const provider_drafts& providers, const retry_policy& retry) {
  std::vector<model_draft> out;
  model_reader reader(providers, retry);
  for (const auto& item : at.items()) out.push_back(reader.read(item));
  return out;
}

} // namespace mainstay::config
