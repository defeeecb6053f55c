// Streamed chunks put back together. What a provider streams is merged by the rules its own clients follow: a delta
// adds to the message, everything else says how things stand now. The work is bounded: a stream that makes merging
// expensive is given up, not finished slowly.
#include "net/chat_answer.hpp"

#include "net/dialects/provider_dialect.hpp"

#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {
namespace {

using json::kind;
using json::value;

constexpr std::size_t node_limit = 1'000'000;  // values in all chunks together
constexpr std::size_t step_limit = 50'000'000; // members and elements compared while merging
constexpr std::size_t choice_limit = 128;

// Said again rather than continued: providers repeat these in every delta.
bool is_said_whole(std::string_view name) {
  return name == "role" || name == "type" || name == "id" || name == "name" || name == "format" ||
         name == "thought_signature"; // the latest is of all that was said
}

std::optional<std::uint64_t> index_of(const value& v) {
  auto index = v.find("index");
  return index ? index->whole() : std::nullopt;
}

class merger {
public:
  bool failed = false;

  bool count_nodes(const value& v) {
    if (++nodes_ > node_limit) return false;
    return std::ranges::all_of(v.items, [this](const value& item) { return count_nodes(item); });
  }

  /// `piece` of a delta added to what came before.
  void add(value& into, value&& piece) {
    if (piece.is(kind::null) || failed) return;
    if (into.kind != piece.kind) {
      piece.name = std::move(into.name);
      into = std::move(piece);
      return;
    }
    switch (piece.kind) {
    case kind::object:
      for (auto& member : piece.items) add_member(into, std::move(member));
      break;
    case kind::array:
      for (auto& element : piece.items) add_element(into, std::move(element));
      break;
    case kind::string:
      if (!is_said_whole(into.name))
        into.text += piece.text;
      else if (!piece.text.empty())
        into.text = std::move(piece.text);
      break;
    default: into.text = std::move(piece.text);
    }
  }

  void add_member(value& into, value&& member) {
    spend(into.items.size());
    if (failed) return;
    if (auto have = into.find(member.name))
      add(*have, std::move(member));
    else
      into.items.push_back(std::move(member));
  }

  /// Replaces the member, unless the new value is null and the old is not.
  void replace_member(value& into, value&& member) {
    spend(into.items.size());
    if (failed) return;
    auto have = into.find(member.name);
    if (!have)
      into.items.push_back(std::move(member));
    else if (!member.is(kind::null))
      *have = std::move(member);
  }

private:
  // By index to its element, from the back; another id under the same index is another element (some providers number
  // every call 0).
  void add_element(value& into, value&& element) {
    if (auto index = index_of(element)) {
      for (auto i = into.items.rbegin(); i != into.items.rend(); ++i) {
        spend(1);
        if (failed) return;
        if (index_of(*i) == index && !is_another(*i, element)) return add(*i, std::move(element));
        if (index_of(*i) == index) break;
      }
    }
    into.items.push_back(std::move(element));
  }

  static bool is_another(const value& have, const value& element) {
    auto id = [](const value& v) {
      auto member = v.find("id");
      return member ? member->string_or_empty() : std::string_view();
    };
    return !id(have).empty() && !id(element).empty() && id(have) != id(element);
  }

  void spend(std::size_t steps) {
    steps_ += steps;
    failed |= steps_ > step_limit;
  }

  std::size_t nodes_ = 0, steps_ = 0;
};

class assembly {
public:
  bool add(std::string_view chunk) {
    auto tree = json::parse(chunk, node_limit);
    if (!tree || !tree->is(kind::object) || !merge_.count_nodes(*tree)) return false;
    for (auto& member : tree->items)
      if (member.name == "choices" && !are_choices(member)) return false;
    if (auto error = tree->find("error"); error && !error->is(kind::null)) return false;
    for (auto& member : tree->items) {
      if (member.name == "choices") {
        for (std::size_t i = 0; i < member.items.size(); ++i)
          if (!add_choice(std::move(member.items[i]), i)) return false;
      } else if (member.name != "object" &&
                 member.name != "obfuscation") // padding against eavesdroppers who count bytes
        merge_.replace_member(root_, std::move(member));
    }
    return !merge_.failed;
  }

  std::optional<std::string> finish() {
    if (choices_.empty() || !std::ranges::all_of(choices_, is_finished)) return {};
    std::ranges::stable_sort(choices_, {}, [](const value& choice) { return index_of(choice).value_or(0); });
    auto usage = root_.find("usage");
    if (usage && usage->is(kind::null)) root_.erase("usage");
    root_.erase(native_member); // a piece's own
    auto whole = value::make_object();
    for (auto& member : root_.items) {
      auto is_id = member.name == "id";
      whole.items.push_back(std::move(member));
      if (is_id) whole.set("object", value::make_string("chat.completion"));
    }
    whole.set("object", value::make_string("chat.completion"));
    auto& choices = whole.set("choices", value::make_array());
    for (auto& choice : choices_) {
      complete_message(*choice.find("message"));
      choices.items.push_back(std::move(choice));
    }
    return json::to_text(whole);
  }

private:
  static bool are_choices(const value& v) {
    if (v.is(kind::null)) return true; // some providers write null beside usage
    return v.is(kind::array) &&
           std::ranges::all_of(v.items, [](const value& choice) { return choice.is(kind::object); });
  }

  static bool is_finished(const value& choice) {
    auto reason = choice.find("finish_reason");
    return reason && !reason->string_or_empty().empty();
  }

  bool add_choice(value&& piece, std::size_t position) {
    auto index = index_of(piece).value_or(position);
    auto found = std::ranges::find_if(choices_, [&](const value& choice) { return index_of(choice) == index; });
    if (found == choices_.end()) {
      if (choices_.size() == choice_limit) return false;
      auto choice = value::make_object();
      choice.set("index", value::make_number(index));
      choice.set("message", value::make_object());
      found = choices_.insert(choices_.end(), std::move(choice));
    }
    for (auto& member : piece.items) {
      if (member.name == "delta") {
        if (member.is(kind::object)) merge_.add(*found->find("message"), std::move(member));
      } else if (member.name == "logprobs") // lists of tokens that grow with the text
        merge_.add_member(*found, std::move(member));
      else if (member.name == "finish_reason" && member.string_or_empty().empty())
        continue;
      else if (member.name != "index" && member.name != "message")
        merge_.replace_member(*found, std::move(member));
    }
    return true;
  }

  // What clients rely on in a whole message, and what only streams have.
  static void complete_message(value& message) {
    if (!message.find("role")) {
      auto role = value::make_string("assistant");
      role.name = "role";
      message.items.insert(message.items.begin(), std::move(role));
    }
    if (!message.find("content")) message.set("content", value{});
    if (auto calls = message.find("tool_calls"); calls && calls->is(kind::array))
      for (auto& call : calls->items) call.erase("index");
  }

  merger merge_;
  value root_ = value::make_object();
  std::vector<value> choices_;
};

} // namespace

completion_assembler::completion_assembler(std::size_t limit) : limit_(limit) {}

void completion_assembler::add(bytes_ptr chunk_json) {
  if (overflow_ || !chunk_json) return;
  held_ += chunk_json->size();
  if (held_ > limit_) {
    overflow_ = true;
    chunks_ = {};
  } else
    chunks_.push_back(std::move(chunk_json));
}

bytes_ptr completion_assembler::result() const {
  if (overflow_) return nullptr;
  assembly whole;
  for (auto& chunk : chunks_)
    if (!whole.add(*chunk)) return nullptr;
  auto text = whole.finish();
  return text ? make_bytes(std::move(*text)) : nullptr;
}

} // namespace mainstay
