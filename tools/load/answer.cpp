#include "tools/load/answer.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>

namespace mainstay::load {
namespace {

constexpr std::size_t kept_of_errors = 300;

// `"content":"` followed by something: an event that bears text. A scan, because a parser would cost more than all
// else.
bool bears_text(std::string_view json) {
  constexpr std::string_view name = "\"content\"";
  for (auto at = json.find(name); at != json.npos; at = json.find(name, at)) {
    at = json.find_first_not_of(" :", at + name.size());
    if (at == json.npos) return false;
    if (json[at] == '"') return at + 1 < json.size() && json[at + 1] != '"';
  }
  return false;
}

} // namespace

std::string_view name_of(fault f) noexcept {
  constexpr std::array<std::string_view, fault_count> names = {"none",    "status",    "connect", "reset",
                                                               "timeout", "malformed", "broken",  "wrong"};
  return names[static_cast<std::size_t>(f)];
}

void answer::begin(bool streamed, bool keep) {
  status_ = 0;
  streamed_ = streamed;
  keep_ = keep;
  done_ = failed_ = ended_ = false;
  wrong_.reset();
  source_.clear();
  line_.clear();
  body_.clear();
  text_.clear();
}

void answer::take_status(int status, std::string_view source) {
  status_ = status;
  source_ = source;
}

std::size_t answer::take_body(std::string_view piece) {
  if (!event_stream()) {
    auto room = keep_ ? piece.size() : kept_of_errors - std::min(kept_of_errors, body_.size());
    if (keep_ || status_ / 100 != 2) body_ += piece.substr(0, room);
    return 0;
  }
  std::size_t texts = 0;
  for (auto end = piece.find('\n'); end != piece.npos; end = piece.find('\n')) {
    auto line = piece.substr(0, end);
    if (!line_.empty()) line = line_.append(line);
    texts += take_line(line);
    line_.clear();
    piece.remove_prefix(end + 1);
  }
  line_ += piece;
  return texts;
}

// Chat streams have one line of data an event; comments and other fields are of no interest here.
std::size_t answer::take_line(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!line.starts_with("data:")) return 0;
  line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
  if (done_) complain("data after the stream's end");
  if (line == "[DONE]") {
    take_end();
    return 0;
  }
  return take_event(line);
}

bool answer::take_event(std::string_view data) {
  if (data.starts_with("{\"error\"")) {
    failed_ = true;
    body_ = data.substr(0, kept_of_errors);
    return false;
  }
  if (keep_) take_choices(data, "delta");
  return bears_text(data);
}

// Adds the text of `part` ("delta" or "message") of the one choice there should be.
void answer::take_choices(std::string_view json, std::string_view part) {
  rapidjson::Document document;
  if (document.Parse(json.data(), json.size()).HasParseError() || !document.IsObject())
    return complain("not a JSON object");
  auto choices = document.FindMember("choices");
  if (choices == document.MemberEnd() || !choices->value.IsArray()) return complain("no choices");
  if (choices->value.Size() > 1) return complain("more than one choice");
  for (auto& choice : choices->value.GetArray()) {
    if (!choice.IsObject()) return complain("a choice that is no object");
    auto content = choice.FindMember(rapidjson::StringRef(part.data(), part.size()));
    if (content != choice.MemberEnd() && content->value.IsObject()) {
      auto text = content->value.FindMember("content");
      if (text != content->value.MemberEnd() && text->value.IsString()) {
        if (ended_ && text->value.GetStringLength()) complain("text after the finish reason");
        text_.append(text->value.GetString(), text->value.GetStringLength());
      }
    }
    auto reason = choice.FindMember("finish_reason");
    if (reason != choice.MemberEnd() && reason->value.IsString()) ended_ = true;
  }
}

fault answer::judge(const std::string* expected) {
  if (status_ / 100 != 2) return fault::status;
  if (streamed_ && (failed_ || !done_)) {
    if (!failed_) body_ = "a stream without its end";
    return fault::broken;
  }
  if (!expected) return fault::none;
  if (!streamed_) take_choices(body_, "message");
  if (!ended_) complain("no finish reason");
  if (text_ != *expected) complain("another text than the question's");
  if (!wrong_) return fault::none;
  body_ = std::string(*wrong_) + ": " + text_.substr(0, kept_of_errors);
  return fault::wrong;
}

} // namespace mainstay::load
