#include "tools/daemon/log_format.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <spdlog/details/log_msg.h>

#include <chrono>
#include <ctime>

namespace mainstay {

namespace {

class json_format : public spdlog::formatter {
public:
  explicit json_format(std::string of_objects) : of_objects_(std::move(of_objects)) {}

  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& dest) override {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(msg.time).time_since_epoch().count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char time[32], line[48];
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(line, sizeof line, "{\"time\":\"%s.%03dZ\",\"level\":\"", time, static_cast<int>(ms % 1000));
    append(dest, line);
    const auto level = spdlog::level::to_string_view(msg.level);
    append(dest, {level.data(), level.size()});
    append(dest, "\",");
    const std::string_view said(msg.payload.data(), msg.payload.size());
    if (std::string_view(msg.logger_name.data(), msg.logger_name.size()) == of_objects_) {
      append(dest, said.substr(1));
    } else {
      rapidjson::StringBuffer text;
      rapidjson::Writer<rapidjson::StringBuffer> w(text);
      w.String(said.data(), static_cast<rapidjson::SizeType>(said.size()));
      append(dest, "\"message\":");
      append(dest, {text.GetString(), text.GetSize()});
      append(dest, "}");
    }
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
