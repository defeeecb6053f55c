#include "net/redaction/delta_reader.hpp"

#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <algorithm>
#include <array>
#include <deque>

namespace mainstay {

namespace {

constexpr std::array growing = {"content",   "reasoning_content", "reasoning", "refusal",
                                "arguments", "transcript",        "input"};

bool grows_by_pieces(std::string_view member) noexcept {
  return std::find(growing.begin(), growing.end(), member) != growing.end();
}

class reader : public json::handler {
public:
  delta_texts out;

  bool key(std::string_view name) {
    name_ = name;
    return true;
  }
  bool string(std::string_view text) {
    if (here() == place::choice && name_ == "finish_reason" && !text.empty()) finished_.push_back(choice_);
    if (here() != place::delta && here() != place::list) return true;
    found f{{at->string_begin(), at->Tell(), std::string(text), {}, false, false}, path_, choice_};
    if (here() == place::delta) {
      f.path.push_back({name_, nullptr});
      f.is.grows = grows_by_pieces(name_) && whole_ == 0;
      f.is.in_json = name_ == "arguments";
    } else {
      f.path.push_back({{}, &indexes_.emplace_back(positions_[depth_]++)});
    }
    found_.push_back(std::move(f));
    return true;
  }
  bool number(std::string_view spelled) {
    if (name_ != "index") return true;
    const auto n = json::whole_number(spelled);
    if (here() == place::choice && n) *choice_ = *n;
    if (here() == place::delta && n && !path_.empty() && path_.back().index) *path_.back().index = *n;
    return true;
  }
  bool begin_object() {
    switch (here()) {
    case place::outside: return enter(place::root);
    case place::choices: choice_ = &indexes_.emplace_back(positions_[depth_]++); return enter(place::choice);
    case place::choice: return enter(name_ == "delta" ? place::delta : place::elsewhere);
    case place::delta: return go_into({name_, nullptr}, place::delta);
    case place::list: return go_into({{}, &indexes_.emplace_back(positions_[depth_]++)}, place::delta);
    default: return enter(place::elsewhere);
    }
  }
  bool begin_array() {
    switch (here()) {
    case place::root: return enter(name_ == "choices" ? place::choices : place::elsewhere);
    case place::delta: return go_into({name_, nullptr}, place::list);
    case place::list: return go_into({{}, &indexes_.emplace_back(positions_[depth_]++)}, place::list);
    default: return enter(place::elsewhere);
    }
  }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }

  void finish() {
    out.valid = true;
    for (auto* c : finished_) out.finished.push_back(*c);
    for (auto& f : found_) {
      f.is.place.choice = *f.choice;
      for (auto& s : f.path) f.is.place.steps.push_back({s.member, s.index ? *s.index : 0});
      out.texts.push_back(std::move(f.is));
    }
  }

private:
  enum class place : std::uint8_t { outside, root, choices, choice, delta, list, elsewhere };
  struct step {
    std::string member;
    std::uint64_t* index; // of an element; it may stand behind what it is the index of
  };
  struct found {
    delta_text is;
    std::vector<step> path;
    std::uint64_t* choice;
  };

  place here() const noexcept { return places_[depth_]; }
  bool enter(place p) {
    places_[++depth_] = p;
    positions_[depth_] = 0;
    deeper_[depth_] = false;
    return true;
  }
  bool go_into(step s, place p) {
    whole_ += s.member == "thinking_blocks" || s.member == "annotations";
    path_.push_back(std::move(s));
    enter(p);
    deeper_[depth_] = true;
    return true;
  }
  bool leave() {
    if (deeper_[depth_--]) {
      whole_ -= path_.back().member == "thinking_blocks" || path_.back().member == "annotations";
      path_.pop_back();
    }
    return true;
  }

  std::array<place, json::depth_limit + 1> places_{place::outside};
  std::array<std::uint64_t, json::depth_limit + 1> positions_{};
  std::array<bool, json::depth_limit + 1> deeper_{}; // a step of the path leads here
  std::size_t depth_ = 0;
  std::string name_;
  std::vector<step> path_;
  int whole_ = 0; // what comes in one piece is open
  std::deque<std::uint64_t> indexes_;
  std::uint64_t* choice_ = nullptr;
  std::vector<std::uint64_t*> finished_;
  std::vector<found> found_;
};

} // namespace

delta_texts read_delta(std::string_view chunk) {
  reader r;
  if (!json::read(chunk, r)) return {};
  r.finish();
  return std::move(r.out);
}

std::string chunk_with(std::string_view model, const text_place& place, std::string_view text) {
  auto inner = json::value::make_string(std::string(text));
  for (auto step = place.steps.rbegin(); step != place.steps.rend(); ++step) {
    if (step->member.empty()) {
      auto list = json::value::make_array();
      if (inner.is(json::kind::object))
        inner.items.insert(inner.items.begin(), json::value::make_number(step->index)).operator*().name = "index";
      list.items.push_back(std::move(inner));
      inner = std::move(list);
    } else {
      auto object = json::value::make_object();
      object.set(step->member, std::move(inner));
      inner = std::move(object);
    }
  }
  auto choice = json::value::make_object();
  choice.set("index", json::value::make_number(place.choice));
  choice.set("delta", std::move(inner));
  choice.set("finish_reason", {});
  auto choices = json::value::make_array();
  choices.items.push_back(std::move(choice));
  auto chunk = json::parse(model).value_or(json::value::make_object());
  chunk.erase("usage");
  chunk.set("choices", std::move(choices));
  return json::to_text(chunk);
}

std::string with_strings(std::string_view json, const std::vector<new_string>& strings) {
  std::string out;
  out.reserve(json.size());
  std::size_t done = 0;
  for (auto& s : strings) {
    out.append(json, done, s.begin - done);
    json::append_string(out, s.text);
    done = s.end;
  }
  return out.append(json, done);
}

} // namespace mainstay
