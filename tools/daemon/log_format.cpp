#include "tools/daemon/log_format.hpp"

#include "core/dates.hpp"
#include "net/json_writer.hpp"

#include <spdlog/details/log_msg.h>

namespace mainstay {

namespace {

class json_format : public spdlog::formatter {
public:
  explicit json_format(std::string of_objects) : of_objects_(std::move(of_objects)) {}

  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& dest) override {
    const std::string_view said(msg.payload.data(), msg.payload.size());
    const auto level = spdlog::level::to_string_view(msg.level);
    json_writer line;
    line.open().member("time", date_text(msg.time)).member("level", std::string_view(level.data(), level.size()));
    const bool is_object = std::string_view(msg.logger_name.data(), msg.logger_name.size()) == of_objects_;
    if (!is_object) line.member("message", said);
    auto text = line.close().text();
    if (is_object)
      text.replace(text.size() - 1, 1, "," + std::string(said.substr(1))); // its members in place of the end
    append(dest, text);
    append(dest, "\n");
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_format>(of_objects_); }

private:
  static void append(spdlog::memory_buf_t& dest, std::string_view text) {
    dest.append(text.data(), text.data() + text.size());
  }
  const std::string of_objects_;
};

} // namespace

std::unique_ptr<spdlog::formatter> json_log_format(std::string of_objects) {
  return std::make_unique<json_format>(std::move(of_objects));
}

} // namespace mainstay
