// The audit's file: lines are only ever added at its end, by one process at a time (flock), readable by its owner
// alone. Goes on after the last whole line that it finds, over rotated files too; what a crash left of a line is cut
// off and kept beside it. Promises: a batch of lines is written whole or not at all (what a full disk took of it is
// taken back), so that a line is in the file once. Who opens the file anew after an error goes on with the head that
// it had. Blocks, as disks do.
#pragma once

#include "core/audit_chain.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace mainstay {

/// "path: what is wrong", with the system's words.
class audit_file_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class audit_file {
public:
  /// Throws audit_file_error: locked by another process, no such folder, its last line is no line of an audit.
  audit_file(std::string path, utc_time now);
  ~audit_file();
  audit_file(const audit_file&) = delete;
  audit_file& operator=(const audit_file&) = delete;

  const std::string& path() const noexcept { return path_; }
  const audit_head& head() const noexcept { return head_; }
  std::uint64_t size() const noexcept { return size_; }
  /// Where what was left of a line is kept now; empty: nothing was.
  const std::string& torn_part() const noexcept { return torn_part_; }

  /// One write; afterwards `head` is the last one's. Throws audit_file_error: none is in the file.
  void append(const std::vector<audit_entry>&);
  /// The disk has them when this returns.
  void sync();
  /// False: at its path is nothing, or another file.
  bool in_place() const noexcept;
  /// Renames it to path.000001 and so on, and begins a new one.
  void rotate();
  /// The file is another now, at the same path; the chain goes on.
  void open_again();

  /// Path.000001 and so on, those that there are, in order.
  static std::vector<std::string> rotated(const std::string& path);
  static std::string digest(std::string_view);

private:
  void open();
  void close() noexcept;
  void find_end(utc_time now);
  void keep_torn(const std::string& what, utc_time now);
  void sync_folder() const;
  [[noreturn]] void fail(const char* what) const;

  std::string path_, torn_part_;
  int file_ = -1;
  std::uint64_t size_ = 0;
  audit_head head_;
};

} // namespace mainstay
