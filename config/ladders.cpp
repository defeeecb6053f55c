// From names to ladders: what each model's fallbacks mean, without the providers that are left out, each target at most
// once.
#include "config/sections.hpp"
#include "config/spelling.hpp"

#include <algorithm>
#include <set>

namespace mainstay::config {
namespace {

class resolver {
public:
  resolver(std::vector<model_draft>& drafts, const provider_drafts& providers)
    : drafts_(drafts), providers_(providers) {
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const auto& model = drafts[i].value;
      if (model.name.empty()) continue; // wrong, and reported where it was read
      index_.emplace(model.name, i);
      if (!model.pattern)
        names_.push_back(model.name);
      else
        patterns_.push_back(i);
    }
  }

  void resolve(std::size_t index) {
    auto& draft = drafts_[index];
    auto& model = draft.value;
    climb ladder{model.ladder, {}};
    target_group equals;
    const auto add_rung = [&](target_group group, prefill_mode prefill) {
      if (group.empty()) return;
      ladder.groups.push_back(std::move(group));
      model.prefill_of_rung.push_back(prefill);
    };
    for (const auto& entry : draft.targets) add(entry, ladder, equals);
    add_rung(std::move(equals), model.prefill);
    for (const auto& entry : draft.fallbacks) {
      target_group group;
      auto prefill = model.prefill;
      if (std::holds_alternative<target>(entry.what))
        add(entry, ladder, group);
      else
        add_model(entry, ladder, group, prefill);
      add_rung(std::move(group), prefill);
    }
  }

  /// A fallback that leads back to a model whose fallbacks led here. Depth first without recursion: chains may be long.
  void warn_of_cycles() {
    std::vector<char> state(drafts_.size(), fresh);
    for (std::size_t root = 0; root < drafts_.size(); ++root)
      if (state[root] == fresh) walk(root, state);
  }

private:
  struct climb {
    std::vector<target_group>& groups;
    std::set<std::pair<std::string, std::string>> seen; // provider, model
  };
  enum : char { fresh, on_path, done };

  bool add_target(const target& one, climb& ladder, target_group& group) const {
    if (!ladder.seen.emplace(one.provider, one.model).second) return false;
    if (providers_.find(one.provider)->in_use) group.push_back(one);
    return true;
  }

  void add(const model_draft::entry& entry, climb& ladder, target_group& group) const {
    if (!add_target(std::get<target>(entry.what), ladder, group))
      entry.at.warn("stands on this ladder already: each target is tried at most once");
  }

  // The model a name leads to: exact, or by the first pattern that matches it.
  const model_draft* find(const std::string& name) const {
    if (const auto it = index_.find(name); it != index_.end()) return &drafts_[it->second];
    for (const auto i : patterns_)
      if (glob_match(drafts_[i].value.name, name)) return &drafts_[i];
    return nullptr;
  }

  void add_model(const model_draft::entry& entry, climb& ladder, target_group& group, prefill_mode& prefill) const {
    const auto& name = std::get<std::string>(entry.what);
    const auto* model = find(name);
    if (!model) {
      entry.at.error("there is no model named " + name + did_you_mean(name, names_));
    } else if (model->value.pattern && model->value.name == name) {
      entry.at.error("is a pattern: a fallback names one model");
    } else {
      prefill = model->value.prefill;
      for (const auto& other : model->targets) {
        auto one = std::get<target>(other.what);
        if (one.model.empty()) one.model = name;
        add_target(one, ladder, group);
      }
    }
  }

  struct step {
    std::size_t model, next; // next: the fallback to look at
  };

  void walk(std::size_t root, std::vector<char>& state) const {
    std::vector<step> path{{root, 0}};
    state[root] = on_path;
    while (!path.empty()) {
      auto& [model, next] = path.back();
      if (next == drafts_[model].fallbacks.size()) {
        state[model] = done;
        path.pop_back();
        continue;
      }
      const auto& entry = drafts_[model].fallbacks[next++];
      const auto* name = std::get_if<std::string>(&entry.what);
      const auto* to = name ? find(*name) : nullptr;
      if (!to) continue;
      const auto index = static_cast<std::size_t>(to - drafts_.data());
      if (state[index] == on_path) {
        warn_of_cycle(entry.at, path, index);
      } else if (state[index] == fresh) {
        state[index] = on_path;
        path.push_back({index, 0});
      }
    }
  }

  void warn_of_cycle(const cursor& at, const std::vector<step>& path, std::size_t back_to) const {
    constexpr std::size_t most_names = 8;
    std::size_t i = 0;
    while (path[i].model != back_to) ++i;
    std::string names;
    for (std::size_t shown = 0; i < path.size() && shown < most_names; ++i, ++shown)
      names += drafts_[path[i].model].value.name + " -> ";
    if (i < path.size()) names += "... -> ";
    at.warn("the fallbacks form a cycle (" + names + drafts_[back_to].value.name +
            "): each target is tried at most once");
  }

  std::vector<model_draft>& drafts_;
  const provider_drafts& providers_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::size_t> patterns_;
  std::vector<std::string_view> names_;
};

// The only provider of a ladder; null if there are several.
const std::string* lone_provider(const model_settings& model) {
  const std::string& first = model.ladder.front().front().provider;
  for (const auto& group : model.ladder)
    for (const auto& one : group)
      if (one.provider != first) return nullptr;
  return &first;
}

// True if the model stays.
bool judge(const model_draft& draft) {
  const auto& model = draft.value;
  if (model.ladder.empty()) {
    draft.at.warn("the model " + model.name + " is left out: none of its providers is in use");
    return false;
  }
  if (const auto* alone = lone_provider(model))
    draft.at.warn("the model " + model.name + " depends on the provider " + *alone +
                  " alone: while that fails, nothing answers");
  return true;
}

} // namespace

std::vector<model_settings> resolve_ladders(std::vector<model_draft>& drafts, const provider_drafts& providers) {
  resolver all(drafts, providers);
  for (std::size_t i = 0; i < drafts.size(); ++i) all.resolve(i);
  all.warn_of_cycles();
  std::vector<model_settings> out;
  // A model that lost a target to an error is no news: the error is. An unnamed one cannot be spoken of.
  for (const auto& draft : drafts) {
    const bool whole = !draft.value.name.empty() && !draft.targets.empty();
    if (whole && judge(draft)) out.push_back(draft.value);
  }
  std::stable_partition(out.begin(), out.end(), [](const model_settings& model) { return !model.pattern; });
  return out;
}

} // namespace mainstay::config
