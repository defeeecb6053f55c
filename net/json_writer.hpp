// A thin hand on RapidJSON's writer, for objects that are written member after member.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay {

class json_writer {
public:
  json_writer& key(std::string_view k) {
    w_.Key(k.data(), size_of(k));
    return *this;
  }
  json_writer& value(std::string_view v) { return w_.String(v.data(), size_of(v)), *this; }
  json_writer& value(const std::string& v) { return value(std::string_view(v)); }
  json_writer& value(const char* v) { return value(std::string_view(v)); }
  json_writer& value(bool v) { return w_.Bool(v), *this; }
  /// To nine decimals; what is not finite is 0, for JSON has no such number.
  json_writer& value(double v) { return w_.Double(std::isfinite(v) ? std::round(v * 1e9) / 1e9 : 0), *this; }
  json_writer& value(int v) { return w_.Int(v), *this; }
  json_writer& value(std::int64_t v) { return w_.Int64(v), *this; }
  json_writer& value(std::uint64_t v) { return w_.Uint64(v), *this; }
  json_writer& value(std::uint32_t v) { return w_.Uint(v), *this; }
  json_writer& null() { return w_.Null(), *this; }
  template <class T>
  json_writer& value(const std::optional<T>& v) {
    return v ? value(*v) : null();
  }
  template <class T>
  json_writer& member(std::string_view k, const T& v) {
    return key(k).value(v);
  }

  json_writer& open() { return w_.StartObject(), *this; }
  json_writer& open(std::string_view k) { return key(k).open(); }
  json_writer& close() { return w_.EndObject(), *this; }
  json_writer& open_list() { return w_.StartArray(), *this; }
  json_writer& open_list(std::string_view k) { return key(k).open_list(); }
  json_writer& close_list() { return w_.EndArray(), *this; }
  template <class List, class Row>
  json_writer& list(std::string_view k, const List& all, const Row& row) {
    open_list(k);
    for (const auto& x : all) row(x);
    return close_list();
  }

  std::string text() const { return {out_.GetString(), out_.GetSize()}; }

private:
  static rapidjson::SizeType size_of(std::string_view s) { return static_cast<rapidjson::SizeType>(s.size()); }
  rapidjson::StringBuffer out_;
  rapidjson::Writer<rapidjson::StringBuffer> w_{out_};
};

} // namespace mainstay
