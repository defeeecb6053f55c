#include "net/chat_messages.hpp"

#include "core/token_estimate.hpp"
#include "net/chat_members.hpp"
#include "net/json_reader.hpp"
#include "net/json_tree.hpp"

#include <algorithm>

namespace mainstay {
namespace {

constexpr std::uint64_t media_tokens = 1000; // as parse_chat_request counts them

chat_role role_of(std::string_view name) noexcept {
  if (name == "system" || name == "developer") return chat_role::system;
  if (name == "user") return chat_role::user;
  if (name == "assistant") return chat_role::assistant;
  if (name == "tool" || name == "function") return chat_role::tool;
  return chat_role::other;
}

// Depths: 1 in the request, 2 in the list, 3 in a message.
struct message_reader : json::handler {
  chat_messages found;
  text_profile message, others;
  std::uint64_t media = 0;
  chat_member section = chat_member::unknown;
  enum class member : std::uint8_t { other, role, content } inner{};
  int depth = 0, contents = 0;
  bool is_media = false;

  bool in_message() const { return section == chat_member::messages && depth >= 3; }

  bool key(std::string_view name) {
    if (depth == 1) {
      const auto* ours = find_known(name);
      section = ours ? ours->means : chat_member::unknown;
    } else if (section == chat_member::tools) {
      others.add(name);
    } else if (in_message()) {
      if (depth == 3) inner = name == "role" ? member::role : name == "content" ? member::content : member::other;
      if (depth == 3 && inner == member::content) ++contents;
      is_media = depth >= 5 && (name == "url" || name == "data" || name == "file_data" || name == "image_url");
    }
    return true;
  }
  bool string(std::string_view text) {
    if (section == chat_member::tools && depth > 1) others.add(text);
    if (!in_message()) return true;
    if (is_media)
      media += media_tokens;
    else
      message.add(text);
    auto& now = found.all.back();
    if (depth == 3 && inner == member::role) now.role = role_of(text);
    if (depth == 3 && inner == member::content) now.text = {{at->string_begin(), at->Tell()}};
    return true;
  }
  bool begin_object() {
    is_media = false;
    if (++depth == 3 && section == chat_member::messages) {
      found.all.emplace_back().where.begin = at->Tell() - 1;
      message = {};
      media = 0;
      contents = 0;
    }
    return true;
  }
  bool end_object() {
    is_media = false;
    if (--depth != 2 || section != chat_member::messages) return true;
    auto& now = found.all.back();
    now.where.end = at->Tell();
    now.tokens = message.tokens() + media;
    if (contents != 1) now.text.reset();
    return true;
  }
  bool begin_array() {
    is_media = false;
    if (++depth == 2 && section == chat_member::messages) found.list.begin = at->Tell() - 1;
    return true;
  }
  bool end_array() {
    is_media = false;
    if (--depth == 1 && section == chat_member::messages) found.list.end = at->Tell();
    return true;
  }
};

void add_part_text(std::string& out, const json::value& part) {
  const auto* text = part.find("text");
  if (!text || !text->is(json::kind::string)) return;
  if (!out.empty()) out += '\n';
  out += text->text;
}

} // namespace

chat_messages read_messages(const chat_request& request) {
  message_reader reader;
  json::read(*request.bytes, reader);
  reader.found.other_tokens = reader.others.tokens();
  return std::move(reader.found);
}

std::string last_user_text(const chat_request& request, std::size_t limit) {
  const auto messages = read_messages(request);
  const auto last =
      std::find_if(messages.all.rbegin(), messages.all.rend(), [](auto& m) { return m.role == chat_role::user; });
  if (last == messages.all.rend()) return {};
  const auto [begin, end] = last->where;
  const auto tree = json::parse(std::string_view(*request.bytes).substr(begin, end - begin));
  const auto* content = tree ? tree->find("content") : nullptr;
  std::string out;
  if (content && content->is(json::kind::string)) out = content->text;
  if (content && content->is(json::kind::array))
    for (const auto& part : content->items) add_part_text(out, part);
  out.resize(json::cut_before(out, std::min(limit, out.size())));
  return out;
}

} // namespace mainstay
