#include "core/client_changes.hpp"

#include <algorithm>
#include <utility>

namespace mainstay {

client_changes::client_changes(const std::vector<client_change>& kept) {
  for (auto& c : kept) all_.emplace(c.name, c);
}

const client_change* client_changes::find(const std::string& name) const {
  const auto it = all_.find(name);
  return it == all_.end() ? nullptr : &it->second;
}

void client_changes::take(client_change c) {
  if (c.says_nothing())
    all_.erase(c.name);
  else
    all_.insert_or_assign(c.name, std::move(c));
}

std::variant<client_change, std::string> client_changes::judge(const client_order& o, bool in_file,
                                                               utc_time now) const {
  const auto* before = find(o.name);
  const bool known = in_file || (before && before->made);
  if (!before && all_.size() >= most_clients) return "no more than " + std::to_string(most_clients) + " are kept";
  switch (o.what) {
  case client_order::way::create: {
    if (in_file)
      return o.name + " is in the configuration: rotate gives it a new key, restore takes back what was changed here";
    if (before && before->made && !before->revoked) return "there is " + o.name + " already: rotate gives it a new key";
    client_change made{o.name};
    made.made = o.terms;
    made.keys = {{o.hash, {}}};
    return made;
  }
  case client_order::way::rotate:
    if (!known) return "no client is named " + o.name;
    if (before && before->revoked)
      return o.name + " is revoked: " + (in_file ? "restore brings it back" : "create makes it anew");
    return rotated(o, before, now);
  case client_order::way::revoke: {
    if (!known) return "no client is named " + o.name;
    client_change revoked{o.name, true};
    if (before) revoked.made = before->made;
    return revoked;
  }
  case client_order::way::restore:
    if (in_file) return client_change{o.name};
    return before && before->revoked && before->made ? o.name + " was made here: create makes it anew"
                                                     : o.name + " is not in the configuration";
  }
  return std::string("no such order");
}

std::variant<client_change, std::string> client_changes::rotated(const client_order& o, const client_change* before,
                                                                 utc_time now) const {
  client_change next{o.name};
  if (before) next.made = before->made;
  next.keys = {{o.hash, {}}};
  if (o.keep <= duration{}) return next;
  const auto over = now + std::chrono::duration_cast<utc_time::duration>(o.keep);
  const auto sooner = [&](const std::optional<utc_time>& until) { return until ? std::min(*until, over) : over; };
  if (before)
    for (auto& k : before->keys)
      if (!k.until || *k.until > now) next.keys.push_back({k.hash, sooner(k.until)});
  if (!next.made && (!before || before->keys.empty()))
    next.file_key_until = over; // it was the only one
  else if (before && before->file_key_until && *before->file_key_until > now)
    next.file_key_until = sooner(before->file_key_until);
  if (next.keys.size() > most_keys)
    return o.name + " has " + std::to_string(most_keys) + " good keys: rotate without --keep, or wait";
  return next;
}

} // namespace mainstay
