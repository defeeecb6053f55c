// A folder for one test's files, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace mainstay::test {

class folder {
public:
  folder() {
    auto name = (std::filesystem::temp_directory_path() / "mainstay-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for a test");
    where_ = name;
  }
  ~folder() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(where_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  std::string path(const std::string& name) const { return where_ / name; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Names relative to the working directory are here, until the folder goes.
  void enter() const { std::filesystem::current_path(where_); }

private:
  std::filesystem::path where_, before_ = std::filesystem::current_path();
};

} // namespace mainstay::test
