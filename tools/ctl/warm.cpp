#include "tools/ctl/warm.hpp"

#include "tools/ctl/interruptible.hpp"
#include "tools/ctl/line_file.hpp"
#include "tools/ctl/live_line.hpp"
#include "tools/ctl/warm_progress.hpp"

#include <rapidjson/document.h>

#include <iostream>
#include <thread>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2, exit_interrupted = 130;
constexpr std::size_t piece_lines = 256, piece_bytes = 256u << 10; // a longer line goes alone
constexpr auto look_again_after = std::chrono::milliseconds(100);

class warmer {
public:
  warmer(node& n, const std::string& file, bool json) : node_(n), file_(file), progress_(file, json) {}

  int run() {
    if (!file_.is_open()) {
      std::cerr << "cannot read " << progress_.file() << "\n";
      return exit_unreachable;
    }
    if (!hear(node_.ask({"cache", "warming", "begin", id_}))) return code_;
    if (auto total = line_file::count(progress_.file())) progress_.total(*total);
    while (!signals_.interrupted() && (fill(), !piece_.empty() || progress_.finished() < sent_ + not_sent_)) {
      if (!(piece_.empty() ? look() : send())) {
        progress_.end(false);
        return code_;
      }
      progress_.show();
    }
    hear(node_.ask({"cache", "warming", "stop", id_}));
    progress_.end(signals_.interrupted());
    if (signals_.interrupted()) return exit_interrupted;
    return code_ != 0 ? code_ : progress_.failed() > 0 ? exit_refused : 0;
  }

private:
  /// The next piece, unless one waits to be taken.
  void fill() {
    while (!at_end_ && piece_.size() < piece_lines && piece_size_ < piece_bytes) {
      auto line = file_.next(longest_);
      if (!line) {
        at_end_ = true;
      } else if (line->too_long) {
        ++not_sent_;
        progress_.add_failed({line->number, "is longer than the node takes (" + std::to_string(longest_) + " bytes)"});
      } else {
        piece_size_ += line->text.size();
        piece_.push_back(std::move(*line));
      }
    }
  }

  bool send() {
    std::vector<std::string> words{"cache", "warming", "lines", id_, std::to_string(pieces_), std::to_string(heard_)};
    words.reserve(words.size() + 2 * piece_.size());
    for (auto& l : piece_) {
      words.push_back(std::to_string(l.number));
      words.push_back(l.text);
    }
    if (!hear(node_.ask(std::move(words)))) return false;
    if (!taken_) {
      std::this_thread::sleep_for(look_again_after);
      return true;
    }
    ++pieces_;
    sent_ += piece_.size();
    piece_.clear();
    piece_size_ = 0;
    return true;
  }

  bool look() {
    std::this_thread::sleep_for(look_again_after);
    return hear(node_.ask({"cache", "warming", "look", id_, std::to_string(heard_)}));
  }

  /// False: the node does not go on with it, and the operator has read why.
  bool hear(const std::optional<console_reply>& reply) {
    code_ = reply ? exit_refused : exit_unreachable;
    if (!reply) return false;
    rapidjson::Document said;
    if (said.Parse(reply->json.c_str()).HasParseError() || !said.IsObject() || !reply->ok) {
      progress_.say("the node says: " +
                    (said.IsObject() && said.HasMember("error") ? said["error"].GetString() : reply->json));
      return false;
    }
    const auto count = [&](const char* name) -> std::uint64_t {
      return said.HasMember(name) && said[name].IsUint64() ? said[name].GetUint64() : 0;
    };
    longest_ = count("longest_line");
    taken_ = said.HasMember("taken") && said["taken"].IsTrue();
    progress_.heard(
        {count("warmed"), count("skipped"), count("failed"), said.HasMember("pause") ? said["pause"].GetString() : ""});
    auto number = count("problems_before");
    if (said.HasMember("problems"))
      for (auto& p : said["problems"].GetArray())
        if (number++ >= heard_) {
          progress_.add_problem({p["line"].GetUint64(), p["problem"].GetString()});
          heard_ = number;
        }
    code_ = 0;
    return true;
  }

  node& node_;
  line_file file_;
  warm_progress progress_;
  const interruptible signals_;
  const std::string id_ = new_id();
  std::vector<line_file::line> piece_;
  std::size_t piece_size_ = 0, longest_ = 0;
  std::uint64_t pieces_ = 0, sent_ = 0, not_sent_ = 0, heard_ = 0;
  bool at_end_ = false, taken_ = false;
  int code_ = 0;
};

} // namespace

int warm_cache(node& n, const std::string& file, bool json) { return warmer(n, file, json).run(); }

} // namespace mainstay::ctl
