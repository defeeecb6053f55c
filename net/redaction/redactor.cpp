#include "net/redaction/redactor.hpp"

#include "net/json_reader.hpp"
#include "net/redaction/patterns.hpp"

#include <algorithm>
#include <array>

namespace mainstay {

namespace {

/// One that is to be replaced.
struct hit {
  std::size_t begin = 0, end = 0;
  std::size_t kind = 0; // of all kinds: the built-in ones, then the rules' own
};

/// A string that changes: where it stands, with its quotes, and what it says.
struct changed_string {
  std::size_t begin = 0, end = 0;
  std::string text;
  std::vector<hit> hits;
  std::vector<changed_string> inside; // where the text itself is JSON
};

enum class sort : std::uint8_t {
  text,      // for the model
  marks,     // names, types, ids, links
  file,      // bytes, unless it is plain text
  arguments, // JSON in a string, or as it is
  anything   // an object of the caller's own: all of it is text
};

struct member {
  std::string_view name;
  sort what;
};
constexpr std::array members = {
    member{"arguments", sort::arguments},
    member{"b64_json", sort::file},
    member{"call_id", sort::marks},
    member{"data", sort::file},
    member{"detail", sort::marks},
    member{"encoding_format", sort::marks},
    member{"encrypted_content", sort::marks},
    member{"file_data", sort::file},
    member{"file_id", sort::marks},
    member{"file_url", sort::marks},
    member{"format", sort::marks},
    member{"id", sort::marks},
    member{"image_url", sort::marks},
    member{"input", sort::anything}, // as an object: what a tool was called with
    member{"item_id", sort::marks},
    member{"media_type", sort::marks},
    member{"metadata", sort::anything},
    member{"model", sort::marks},
    member{"name", sort::marks},
    member{"object", sort::marks},
    member{"previous_response_id", sort::marks},
    member{"reasoning_effort", sort::marks},
    member{"required", sort::marks},
    member{"role", sort::marks},
    member{"service_tier", sort::marks},
    member{"signature", sort::marks},
    member{"status", sort::marks},
    member{"tool_call_id", sort::marks},
    member{"tool_choice", sort::marks},
    member{"tool_use_id", sort::marks},
    member{"type", sort::marks},
    member{"url", sort::marks},
};

sort sort_of(std::string_view name) noexcept {
  const auto it =
      std::lower_bound(members.begin(), members.end(), name, [](auto& m, auto wanted) { return m.name < wanted; });
  return it != members.end() && it->name == name ? it->what : sort::text;
}

/// Judged by its beginning: no prose goes on for so long without a blank.
bool is_base64(std::string_view text) noexcept {
  constexpr std::size_t enough = 1024;
  const auto belongs = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/' ||
           c == '=' || c == '-' || c == '_';
  };
  const auto part = text.substr(0, enough);
  return std::all_of(part.begin(), part.end(), belongs);
}

bool is_data_url(std::string_view text) noexcept {
  return text.starts_with("data:") && text.substr(0, 256).find(";base64,") != text.npos;
}

class screener {
public:
  explicit screener(const privacy_rules& rules) : rules_(rules) {}

  void look_for_denied(std::string_view text) {
    if (denied.empty())
      if (const auto* rule = first_match(rules_.deny_in, text)) denied = rule->name;
  }

  /// In order, apart from each other: where two meet, the one that begins first.
  std::vector<hit> hits_in(std::string_view text) {
    found_.clear();
    find_personal_data(text, rules_.kinds, found_);
    std::vector<hit> out;
    out.reserve(found_.size());
    for (auto& f : found_) out.push_back({f.begin, f.end, static_cast<std::size_t>(f.kind)});
    for (std::size_t i = 0; i < rules_.custom.size(); ++i)
      each_match(rules_.custom[i], text, [&](std::size_t begin, std::size_t end) {
        out.push_back({begin, end, personal_kind_names.size() + i});
      });
    if (rules_.custom.empty() || out.size() < 2) return out;
    std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
    std::size_t kept = 1;
    for (std::size_t i = 1; i < out.size(); ++i)
      if (out[i].begin >= out[kept - 1].end) out[kept++] = out[i];
    out.resize(kept);
    return out;
  }

  /// False: it is no JSON.
  bool read(std::string_view body, bool all_is_text, std::vector<changed_string>& out);

  std::string told(std::string_view text, const std::vector<hit>& hits) {
    std::string out;
    std::size_t done = 0;
    for (auto& h : hits) {
      out.append(text, done, h.begin - done);
      out += table->add(label(h.kind), text.substr(h.begin, h.end - h.begin));
      ++counts_[h.kind];
      done = h.end;
    }
    return out.append(text, done);
  }

  std::string told(std::string_view json, const std::vector<changed_string>& strings) {
    std::string out;
    out.reserve(json.size());
    std::size_t done = 0;
    for (auto& s : strings) {
      out.append(json, done, s.begin - done);
      json::append_string(out, s.inside.empty() ? told(s.text, s.hits) : told(s.text, s.inside));
      done = s.end;
    }
    return out.append(json, done);
  }

  void begin_replacing(std::string_view body) {
    table = std::make_shared<placeholders>(body);
    table->in_json = json_wanted;
    counts_.assign(personal_kind_names.size() + rules_.custom.size(), 0);
  }

  std::vector<std::pair<std::string, std::uint32_t>> counts() const {
    std::vector<std::pair<std::string, std::uint32_t>> out;
    for (std::size_t kind = 0; kind < counts_.size(); ++kind)
      if (counts_[kind]) out.emplace_back(name(kind), counts_[kind]);
    return out;
  }

  bool redacts() const noexcept { return rules_.redacts(); }

  std::shared_ptr<placeholders> table;
  std::string denied;
  bool json_wanted = false;

private:
  std::string name(std::size_t kind) const {
    const auto built_in = personal_kind_names.size();
    return kind < built_in ? personal_kind_names[kind] : rules_.custom[kind - built_in].name;
  }
  std::string label(std::size_t kind) const {
    auto out = name(kind);
    for (auto& c : out)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return out;
  }

  const privacy_rules& rules_;
  std::vector<personal_match> found_;
  std::vector<std::uint32_t> counts_;
};

/// One pass over JSON; arguments are looked at afterwards, for a pass must not begin another.
class body_reader : public json::handler {
public:
  body_reader(screener& how, bool all_is_text, std::vector<changed_string>& out) : how_(how), out_(out) {
    open_[0] = next_ = all_is_text ? sort::anything : sort::text;
  }

  bool key(std::string_view name) {
    if (open_[depth_] == sort::anything) return true;
    next_ = sort_of(name);
    is_type_ = name == "type";
    return true;
  }
  bool string(std::string_view text) {
    if (is_type_ && (text == "json_object" || text == "json_schema")) how_.json_wanted = true;
    if (next_ == sort::marks || is_data_url(text) || (next_ == sort::file && is_base64(text))) return true;
    how_.look_for_denied(text);
    if (next_ == sort::arguments) {
      out_.push_back({at->string_begin(), at->Tell(), std::string(text), {}, {}});
      return true;
    }
    if (!how_.redacts()) return true;
    auto hits = how_.hits_in(text);
    if (!hits.empty()) out_.push_back({at->string_begin(), at->Tell(), std::string(text), std::move(hits), {}});
    return true;
  }
  bool begin_object() {
    enter(next_ == sort::anything || next_ == sort::arguments ? sort::anything : sort::text);
    return true;
  }
  bool begin_array() {
    enter(next_ == sort::arguments ? sort::anything : next_ == sort::anything && !own() ? sort::text : next_);
    return true;
  }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }

private:
  bool own() const noexcept { return open_[depth_] == sort::anything; }
  void enter(sort what) { next_ = open_[++depth_] = what; }
  bool leave() {
    next_ = open_[--depth_];
    is_type_ = false;
    return true;
  }

  screener& how_;
  std::vector<changed_string>& out_;
  std::array<sort, json::depth_limit + 1> open_{}; // of what is open
  std::size_t depth_ = 0;
  sort next_; // of the value that comes next
  bool is_type_ = false;
};

bool screener::read(std::string_view body, bool all_is_text, std::vector<changed_string>& out) {
  body_reader reader(*this, all_is_text, out);
  return static_cast<bool>(json::read(body, reader));
}

} // namespace

screened_request screen_request(const privacy_rules& rules, const bytes_ptr& body) {
  screened_request out;
  out.body = body;
  screener how(rules);
  std::vector<changed_string> strings;
  const bool is_json = how.read(*body, false, strings);
  std::vector<hit> hits;
  if (!is_json && how.redacts()) hits = how.hits_in(*body);
  for (auto& s : strings)
    if (s.hits.empty() && !how.read(s.text, true, s.inside)) s.inside.clear(), s.hits = how.hits_in(s.text);
  std::erase_if(strings, [](auto& s) { return s.hits.empty() && s.inside.empty(); });
  out.denied = how.denied;
  if (is_json ? strings.empty() : hits.empty()) return out;
  how.begin_replacing(*body);
  out.body = make_bytes(is_json ? how.told(*body, strings) : how.told(*body, hits));
  out.replaced = how.counts();
  out.table = std::move(how.table);
  return out;
}

} // namespace mainstay
