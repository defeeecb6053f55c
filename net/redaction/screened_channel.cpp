#include "net/redaction/screened_channel.hpp"

#include "net/chat_answer.hpp"
#include "net/json_reader.hpp"
#include "net/redaction/patterns.hpp"

#include <algorithm>

namespace mainstay {

namespace {

constexpr std::size_t kept_before = 1024; // bytes that left: for what a pattern wants to see before a match

/// All strings of a whole answer.
class answer_reader : public json::handler {
public:
  answer_reader(const privacy_rules* rules, const placeholders* table) : rules_(rules), table_(table) {}

  std::vector<new_string> changed;
  const named_pattern* denied = nullptr;

  bool key(std::string_view name) {
    arguments_ = name == "arguments";
    if (depth_ == 1) in_choices_ = name == "choices";
    return true;
  }
  bool string(std::string_view text) {
    if (rules_ && in_choices_ && !denied) denied = first_match(rules_->deny_out, text);
    std::string out;
    if (table_ && table_->restore(text, arguments_ ? writing::json : writing::plain, out))
      changed.push_back({at->string_begin(), at->Tell(), std::move(out)});
    return true;
  }
  bool begin_object() { return ++depth_; }
  bool end_object() { return --depth_, true; }
  bool begin_array() { return ++depth_; }
  bool end_array() { return --depth_, true; }

private:
  const privacy_rules* rules_;
  const placeholders* table_;
  int depth_ = 0;
  bool arguments_ = false, in_choices_ = false;
};

} // namespace

screened_channel::screened_channel(std::shared_ptr<reply_channel> caller, privacy_rules_ptr rules,
                                   placeholders_ptr table, denied_told told)
  : caller_(std::move(caller)), rules_(std::move(rules)), table_(std::move(table)), told_(std::move(told)) {}

std::string screened_channel::denied_error(const std::string& rule) {
  return error_body("the answer was withheld: the rule " + rule + " denies it", "invalid_request_error",
                    "denied_content");
}

void screened_channel::reply(int status, header_list headers, bytes_ptr body) {
  std::lock_guard lock(guard_);
  if (std::exchange(over_, true)) return;
  answer_reader reader(denies() && status < 300 ? rules_.get() : nullptr, table_.get());
  const bool read = static_cast<bool>(json::read(*body, reader));
  if (reader.denied) {
    headers.emplace_back("x-should-retry", "false");
    caller_->reply(denied_status, std::move(headers), make_bytes(denied_error(reader.denied->name)));
    return told_(reader.denied->name);
  }
  if (read && !reader.changed.empty()) body = make_bytes(with_strings(*body, reader.changed));
  caller_->reply(status, std::move(headers), std::move(body));
}

void screened_channel::stream_head(header_list headers) {
  std::lock_guard lock(guard_);
  if (!over_) caller_->stream_head(std::move(headers));
}

void screened_channel::stream_comment(std::string text) {
  std::lock_guard lock(guard_);
  if (!over_) caller_->stream_comment(std::move(text));
}

/// None: there is nothing to put back.
std::optional<std::string> screened_channel::restored(std::string text, bool in_json) const {
  std::string out;
  if (table_ && table_->restore(text, in_json ? writing::json : writing::plain, out)) return out;
  return text;
}

/// As much of a text as may leave, with the values in it; none: it is denied.
std::optional<std::string> screened_channel::take(tail& t, bool in_json, bool last) {
  auto cut = t.pending.size();
  if (denies()) {
    if (const auto* rule = match_so_far(rules_->deny_out, t.before + t.pending, t.cut, !last)) {
      denied_ = rule->name;
      return std::nullopt;
    }
    if (!last) cut = json::cut_before(t.pending, cut > window ? cut - window : 0);
  }
  if (table_ && !last) cut = table_->whole(t.pending, cut);
  auto out = t.pending.substr(0, cut);
  t.pending.erase(0, cut);
  if (denies()) {
    t.before += out;
    if (t.before.size() > kept_before) {
      t.before.erase(0, t.before.size() - kept_before);
      t.cut = true;
    }
  }
  return restored(std::move(out), in_json);
}

/// What waits of a text leaves, in a chunk of its own. False: it is denied.
bool screened_channel::release(tails::iterator at, const std::string& model) {
  if (at->second.pending.empty()) return true;
  const bool in_json = !at->first.steps.empty() && at->first.steps.back().member == "arguments";
  const auto rest = take(at->second, in_json, true);
  if (!rest) return false;
  pass(make_bytes(chunk_with(model, at->first, *rest)), 0);
  return true;
}

/// A choice that goes on with another text, or ends, goes on with this one no more. What the chunk itself goes on with
/// leaves with it.
bool screened_channel::release_others(const delta_texts& chunk, const std::string& model) {
  for (auto it = tails_.begin(); it != tails_.end(); ++it) {
    auto& place = it->first;
    bool goes_on = false;
    bool others = std::find(chunk.finished.begin(), chunk.finished.end(), place.choice) != chunk.finished.end();
    for (auto& text : chunk.texts) {
      if (text.place == place) goes_on = true;
      others = others || (text.grows && !text.text.empty() && text.place.choice == place.choice &&
                          text.place.steps.front() != place.steps.front());
    }
    if (others && !goes_on && !release(it, model)) return false;
  }
  return true;
}

void screened_channel::stream_event(bytes_ptr json) {
  std::lock_guard lock(guard_);
  if (over_) return;
  auto chunk = read_delta(*json);
  if (chunk.texts.empty() && chunk.finished.empty()) return pass(json, json->size());
  if (!release_others(chunk, *json)) return end_denied();
  std::vector<new_string> changed;
  for (auto& text : chunk.texts) {
    std::optional<std::string> out;
    if (text.grows) {
      auto& t = tails_[text.place];
      t.pending += text.text;
      const auto& ends = chunk.finished;
      out = take(t, text.in_json, std::find(ends.begin(), ends.end(), text.place.choice) != ends.end());
    } else {
      tail whole{text.text, {}, false};
      out = take(whole, text.in_json, true);
    }
    if (!out) return end_denied();
    if (*out != text.text) changed.push_back({text.begin, text.end, std::move(*out)});
  }
  latest_ = json;
  pass(changed.empty() ? json : make_bytes(with_strings(*json, changed)), json->size());
}

bool screened_channel::release_all() {
  for (auto it = tails_.begin(); it != tails_.end(); ++it)
    if (!release(it, *latest_)) return false;
  return true;
}

void screened_channel::end_denied() {
  over_ = true;
  caller_->stream_error(denied_status, make_bytes(denied_error(denied_)), {{"x-should-retry", "false"}});
  told_(denied_);
}

void screened_channel::stream_end(bytes_ptr usage_json, header_list trailers) {
  std::lock_guard lock(guard_);
  if (over_) return;
  if (!release_all()) return end_denied();
  over_ = true;
  caller_->stream_end(std::move(usage_json), std::move(trailers));
}

void screened_channel::stream_error(int status, bytes_ptr error_json, header_list trailers) {
  std::lock_guard lock(guard_);
  if (over_) return;
  if (!release_all()) return end_denied();
  over_ = true;
  answer_reader reader(nullptr, table_.get());
  if (json::read(*error_json, reader) && !reader.changed.empty())
    error_json = make_bytes(with_strings(*error_json, reader.changed));
  caller_->stream_error(status, std::move(error_json), std::move(trailers));
}

// -- progress

void screened_channel::pass(bytes_ptr json, std::size_t came) {
  {
    std::lock_guard lock(progress_guard_);
    left_ += json->size();
    passed_.push_back({left_, came});
  }
  caller_->stream_event(std::move(json));
}

void screened_channel::on_written(std::size_t bytes) {
  std::function<void(std::size_t)> observer;
  std::size_t came = 0;
  {
    std::lock_guard lock(progress_guard_);
    written_ += bytes;
    for (; !passed_.empty() && passed_.front().until <= written_; passed_.pop_front()) came += passed_.front().came;
    observer = observer_;
  }
  if (came > 0 && observer) observer(came);
}

void screened_channel::observe_progress(std::size_t step, std::function<void(std::size_t)> written) {
  const bool any = static_cast<bool>(written);
  {
    std::lock_guard lock(progress_guard_);
    observer_ = std::move(written);
  }
  if (!any) return caller_->observe_progress(0, nullptr);
  caller_->observe_progress(step, [weak = weak_from_this()](std::size_t bytes) {
    if (auto self = weak.lock()) self->on_written(bytes);
  });
}

} // namespace mainstay
