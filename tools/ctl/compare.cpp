#include "tools/ctl/compare.hpp"

#include "net/json_writer.hpp"
#include "tools/ctl/table.hpp"

#include <CLI/CLI.hpp>
#include <rapidjson/document.h>

#include <iostream>
#include <thread>
#include <unistd.h>

namespace mainstay::ctl {

namespace {

constexpr int exit_refused = 1, exit_unreachable = 2;
constexpr auto look_again_after = std::chrono::milliseconds(50);
constexpr auto patience = std::chrono::minutes(3); // for one round: the node gives it two

struct order {
  std::vector<std::string> models;
  std::string prompt = "Explain in three sentences why the sky is blue.";
  int times = 5, max_tokens = 200;
};

struct contender {
  std::string model, target;
  std::size_t number = 0; // of the model's targets
  std::vector<std::string> ids;
  rapidjson::Document result;
};

class comparing {
public:
  comparing(order o, node& n, bool json) : order_(std::move(o)), node_(n), json_(json) {}

  int run() {
    if (!find_targets()) return code_;
    for (int round = 1; round <= order_.times; ++round) {
      show(round);
      if (!ask_all() || !wait_for_all()) return clear(), code_;
    }
    clear();
    return tell();
  }

private:
  /// False: it did not answer, or would not; the operator has read why.
  bool ask(std::vector<std::string> words, rapidjson::Document& said) {
    const auto reply = node_.ask(std::move(words));
    code_ = reply ? exit_refused : exit_unreachable;
    if (!reply) return false;
    if (said.Parse(reply->json.c_str()).HasParseError() || !said.IsObject()) return false;
    if (!reply->ok) {
      clear();
      if (json_)
        std::cout << reply->json << "\n";
      else
        draw(std::cerr, reply->json, isatty(STDERR_FILENO));
      return false;
    }
    code_ = 0;
    return true;
  }

  bool find_targets() {
    for (auto& model : order_.models) {
      rapidjson::Document said;
      if (!ask({"compare", "targets", model}, said)) return false;
      std::size_t number = 0;
      for (auto& t : said["targets"].GetArray())
        all_.push_back(
            {model, std::string(t["provider"].GetString()) + "/" + t["model"].GetString(), number++, {}, {}});
      if (number > 0) continue;
      std::cerr << "no model named " << model << " here\n";
      code_ = exit_refused;
      return false;
    }
    return true;
  }

  bool ask_all() {
    for (auto& c : all_) {
      rapidjson::Document said;
      if (!ask({"compare", "ask", c.model, std::to_string(c.number), std::to_string(order_.max_tokens), order_.prompt},
               said))
        return false;
      c.ids.emplace_back(said["request"].GetString());
    }
    return true;
  }

  bool wait_for_all() {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto& c : all_)
      for (;;) {
        std::vector<std::string> words{"compare", "look"};
        words.insert(words.end(), c.ids.begin(), c.ids.end());
        if (!ask(std::move(words), c.result)) return false;
        if (c.result["pending"].GetUint64() == 0) break;
        if (std::chrono::steady_clock::now() > until) {
          std::cerr << "\n" << c.target << " does not come to an end\n";
          code_ = exit_refused;
          return false;
        }
        std::this_thread::sleep_for(look_again_after);
      }
    return true;
  }

  void show(int round) const {
    if (!json_ && isatty(STDERR_FILENO))
      std::cerr << "\rround " << round << " of " << order_.times << ", " << all_.size() << " targets " << std::flush;
  }
  void clear() const {
    if (!json_ && isatty(STDERR_FILENO)) std::cerr << "\r\033[K" << std::flush;
  }

  int tell() {
    bool all_answered = true;
    json_writer w;
    w.open().member("rounds", order_.times).open_list("targets");
    for (auto& c : all_) {
      const auto count = [&c](const char* name) { return c.result[name].GetUint64(); };
      const auto number = [&c](const char* name) { return c.result[name].GetDouble(); };
      all_answered = all_answered && count("answered") > 0;
      w.open().member("model", c.model).member("target", c.target);
      w.member("calls", count("calls")).member("answered", count("answered"));
      w.member("errors", c.result["errors"].GetString());
      for (const auto* name :
           {"mean_seconds", "p95_seconds", "first_token_seconds", "tokens_per_second", "output_tokens"})
        w.member(name, number(name));
      w.key("usd");
      c.result["priced"].GetBool() ? w.value(number("usd")) : w.value("not priced");
      w.close();
    }
    const auto out = w.close_list().close().text();
    if (json_)
      std::cout << out << "\n";
    else
      draw(std::cout, out, isatty(STDOUT_FILENO));
    return all_answered ? 0 : exit_refused;
  }

  const order order_;
  node& node_;
  const bool json_;
  std::vector<contender> all_;
  int code_ = 0;
};

} // namespace

int compare(const std::vector<std::string>& words, node& n, bool json) {
  order o;
  CLI::App app{"asks each of a model's targets the same, through the node", "compare"};
  app.add_option("MODEL", o.models, "as callers name them")->required();
  app.add_option("--times", o.times, "rounds")->capture_default_str()->check(CLI::Range(1, 20));
  app.add_option("--max-tokens", o.max_tokens, "of an answer")->capture_default_str()->check(CLI::Range(1, 100000));
  app.add_option("--prompt", o.prompt, "what is asked")->capture_default_str();
  std::vector<std::string> reversed(words.rbegin(), words.rend()); // as CLI11 takes them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) { return app.exit(e) == 0 ? 0 : exit_refused; }
  return comparing(std::move(o), n, json).run();
}

} // namespace mainstay::ctl
