#include "tools/ctl/audit.hpp"

#include "net/audit_file.hpp"
#include "net/json_writer.hpp"
#include "tools/ctl/table.hpp"

#include <fstream>
#include <iostream>
#include <thread>
#include <unistd.h>
#include <utility>

namespace mainstay::ctl {

namespace {

constexpr int exit_broken = 1, exit_unreadable = 2;
constexpr std::size_t faults_listed = 100;
constexpr std::size_t piece_bytes = 1u << 20;
constexpr int tries_for_end = 10; // of a file that is being written while we read it
constexpr auto between_tries = std::chrono::milliseconds(20);

struct question {
  std::vector<std::string> files;
  std::string expect, after;
};

/// The words behind `audit verify`.
std::optional<question> read_words(const std::vector<std::string>& words) {
  question q;
  if (words.size() < 3 || words[1] != "verify") return std::nullopt;
  for (std::size_t i = 2; i < words.size(); ++i) {
    auto* hash = words[i] == "--expect" ? &q.expect : words[i] == "--after" ? &q.after : nullptr;
    if (!hash) {
      q.files.push_back(words[i]);
      continue;
    }
    if (++i == words.size()) return std::nullopt;
    *hash = words[i];
  }
  if (q.files.empty()) return std::nullopt;
  if (q.files.size() > 1) return q;
  auto all = audit_file::rotated(q.files[0]);
  all.push_back(q.files[0]);
  q.files = std::move(all);
  return q;
}

class verification {
public:
  explicit verification(const question& q)
    : asked_(q), chain_(q.after.empty() ? audit_verifier(audit_file::digest)
                                        : audit_verifier::after(audit_file::digest, q.after)) {}

  /// False: it cannot be read.
  bool read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in.is_open()) return false;
    const auto told = [&](const audit_fault& f) { add(path, f); };
    std::string piece(piece_bytes, '\0');
    bool whole = true; // up to now it ends with a line
    for (int tries = 0; tries < tries_for_end;) {
      in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
      const auto got = static_cast<std::size_t>(in.gcount());
      if (in.bad()) return false;
      chain_.read(std::string_view(piece).substr(0, got), told);
      if (got > 0) whole = piece[got - 1] == '\n';
      if (!in.eof()) continue;
      if (whole) break;
      in.clear();
      ++tries;
      std::this_thread::sleep_for(between_tries);
    }
    chain_.end_file(told);
    return true;
  }

  bool whole() const { return found_ == 0 && ends_as_expected(); }

  std::string json() const {
    json_writer w;
    w.open()
        .member("chain", whole() ? "whole" : "broken")
        .member("files", std::uint64_t{asked_.files.size()})
        .member("lines", chain_.lines())
        .member("first", chain_.first_seq())
        .member("last", chain_.head().seq)
        .member("from", chain_.first_time())
        .member("to", chain_.last_time())
        .member("requests_without_a_line", chain_.lost())
        .member("last_hash", chain_.head().hash);
    if (!ends_as_expected()) w.member("expected_hash", asked_.expect);
    if (found_ > 0)
      w.member("faults_found", found_).list("faults", faults_, [&w](auto& f) {
        w.open().member("file", f.first).member("fault", f.second).close();
      });
    return w.close().text();
  }

private:
  bool ends_as_expected() const { return asked_.expect.empty() || asked_.expect == chain_.head().hash; }

  void add(const std::string& file, const audit_fault& f) {
    if (++found_ <= faults_listed) faults_.emplace_back(file, to_string(f));
  }

  const question& asked_;
  audit_verifier chain_;
  std::vector<std::pair<std::string, std::string>> faults_;
  std::uint64_t found_ = 0;
};

} // namespace

int audit(const std::vector<std::string>& words, bool json) {
  const auto q = read_words(words);
  if (!q) {
    std::cerr << "say: audit verify FILE... [--expect HASH] [--after HASH]\n";
    return exit_unreadable;
  }
  verification v(*q);
  for (auto& file : q->files)
    if (!v.read(file)) {
      std::cerr << "cannot read " << file << "\n";
      return exit_unreadable;
    }
  if (json)
    std::cout << v.json() << "\n";
  else
    draw(std::cout, v.json(), isatty(STDOUT_FILENO));
  return v.whole() ? 0 : exit_broken;
}

} // namespace mainstay::ctl
